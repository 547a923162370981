"""Drives every method of the official Python SDK 0.25.0 that belongs to health, encryption, secrets, share links, keys,
transit, entropy, audit, applications, end users and roles against a running server, and asserts the values that come back.

QUANTUMAPI_BASE_URL and QUANTUMAPI_KEY say where and as whom. The SDK hands ids and dates to the JSON encoder as objects,
which fails before anything is sent; so the list runs twice, first with an encoder that writes them as text, then with the
untouched one, whose count is printed beside. Each method makes its own keys and secrets. Status 0 only for a full first count.
"""

import asyncio
import datetime
import json
import sys
import uuid

from official_sdk_checks import ciphers, identity, keys, trail, vault  # noqa: F401: importing them fills the list
from official_sdk_checks.session import CHECKS, Sdk

METHODS = 84
# Applications, end users and roles: the methods that the identity provider answers.
IDENTITY = ("applications.", "end_users.", "roles.")


def as_text(_encoder, value):
    """What the SDK forgot: ids and dates in JSON are text."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


async def passed(label):
    """Runs the whole list once and gives the methods whose assertions held."""
    sdk, held = Sdk(), []
    for method, assertions in CHECKS.items():
        try:
            await assertions(sdk)
            held.append(method)
        except Exception as error:  # noqa: BLE001: whatever one method does, the next one still runs
            print(f"{label} {method}: {type(error).__name__}: {error}".replace("\n", " ")[:500])
    await sdk.client.close()
    return held


def main():
    assert len(CHECKS) == METHODS, len(CHECKS)
    untaught = json.JSONEncoder.default
    json.JSONEncoder.default = as_text
    taught = asyncio.run(passed("FAIL"))
    json.JSONEncoder.default = untaught
    untouched = asyncio.run(passed("untouched encoder:"))
    own = "with the SDK's own JSON encoder"
    print(f"sdk python identity: {of_identity(taught)} of {of_identity(CHECKS)} ({own}: {of_identity(untouched)})")
    print(f"sdk python: {len(taught)} of {METHODS} ({own}: {len(untouched)})")
    return 0 if len(taught) == METHODS else 1


def of_identity(methods):
    return sum(method.startswith(IDENTITY) for method in methods)


if __name__ == "__main__":
    sys.exit(main())
