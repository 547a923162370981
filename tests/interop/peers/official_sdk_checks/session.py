"""The client under test, the list of checks, and what they compare with."""

import base64
import os
import uuid

from quantumapi import QuantumAPIClient
from quantumapi.models.keys import KeyType

CHECKS = {}


def check(method):
    """Registers the assertions of one method."""

    def register(assertions):
        assert method not in CHECKS, method
        CHECKS[method] = assertions
        return assertions

    return register


class Sdk:
    """The client under test, and names that no other method and no other run uses."""

    def __init__(self):
        self.client = QuantumAPIClient(
            api_key=os.environ["QUANTUMAPI_KEY"],
            base_url=os.environ["QUANTUMAPI_BASE_URL"],
            timeout=20.0,
            max_retries=0,
        )
        self.tag = uuid.uuid4().hex[:12]

    def name(self, label):
        return f"{label}-{self.tag}"

    async def secret(self, label, value="value"):
        return await self.client.secrets.create(self.name(label), value)

    async def key(self, label, key_type=KeyType.ENCRYPTION, algorithm="ML-KEM-768"):
        return await self.client.keys.generate(self.name(label), key_type, algorithm)

    async def sealed(self, key, text):
        return (await self.client.transit.encrypt(key.name, text.encode())).ciphertext

    async def opened(self, key, ciphertext):
        return (await self.client.transit.decrypt(key.name, ciphertext)).plaintext_bytes.decode()


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


def equal(left, right):
    assert left == right, f"{left!r} is not {right!r}"


async def refused(answer, error, code=None):
    try:
        got = await answer
    except error as refusal:
        if code is not None:
            equal(refusal.error_code, code)
        return
    raise AssertionError(f"not refused: {got!r}")
