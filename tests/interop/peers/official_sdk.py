"""Drives every method of the official Python SDK 0.25.0 that belongs to health, encryption, secrets, share links, keys,
transit, entropy and audit against a running server, and asserts the values that come back.

QUANTUMAPI_BASE_URL and QUANTUMAPI_KEY say where and as whom. The SDK hands ids and dates to the JSON encoder as objects,
which fails before anything is sent; so the list runs twice, first with an encoder that writes them as text, then with the
untouched one, whose count is printed beside. Each method makes its own keys and secrets. Status 0 only for a full first count.
"""

import asyncio
import datetime
import json
import sys
import uuid

from official_sdk_checks import ciphers, keys, trail, vault  # noqa: F401: importing them fills the list
from official_sdk_checks.session import CHECKS, Sdk

METHODS = 60


def as_text(_encoder, value):
    """What the SDK forgot: ids and dates in JSON are text."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


async def passed(label):
    """Runs the whole list once and gives the number of methods whose assertions held."""
    sdk, count = Sdk(), 0
    for method, assertions in CHECKS.items():
        try:
            await assertions(sdk)
            count += 1
        except Exception as error:  # noqa: BLE001: whatever one method does, the next one still runs
            print(f"{label} {method}: {type(error).__name__}: {error}".replace("\n", " ")[:500])
    await sdk.client.close()
    return count


def main():
    assert len(CHECKS) == METHODS, len(CHECKS)
    untaught = json.JSONEncoder.default
    json.JSONEncoder.default = as_text
    taught_count = asyncio.run(passed("FAIL"))
    json.JSONEncoder.default = untaught
    untouched_count = asyncio.run(passed("untouched encoder:"))
    print(f"sdk python: {taught_count} of {METHODS} (with the SDK's own JSON encoder: {untouched_count})")
    return 0 if taught_count == METHODS else 1


if __name__ == "__main__":
    sys.exit(main())
