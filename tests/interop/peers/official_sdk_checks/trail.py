"""Entropy and the audit log."""

import asyncio
import datetime
import time
import uuid

from quantumapi.errors import ServerError

from .session import check, equal, refused


@check("qrng.get_entropy")
async def _(sdk):
    await refused(sdk.client.qrng.get_entropy(32), ServerError, "qrng_unavailable")
    raw = await sdk.client.qrng.get_entropy(32, allow_csprng=True)
    equal((len(raw.as_bytes()), raw.source, raw.is_quantum, raw.consumed_bytes), (32, "csprng", False, 32))
    equal(len((await sdk.client.qrng.get_entropy(7, "HEX", True)).as_bytes()), 7)
    uuids = await sdk.client.qrng.get_entropy(32, "uuid", True)
    equal([uuid.UUID(text).version for text in uuids.entropy], [4, 4])
    numbers = await sdk.client.qrng.get_entropy(80, "int64", True)
    assert len(numbers.entropy) == 10 and min(numbers.entropy) < 0, numbers.entropy


@check("audit.list")
async def _(sdk):
    key = await sdk.key("audit")
    await sdk.opened(key, await sdk.sealed(key, "x"))
    items, deadline = [], time.monotonic() + 10
    while len(items) < 2 and time.monotonic() < deadline:
        listed = await sdk.client.audit.list(category="keys", action=["Encrypt", "Decrypt"], key_id=key.id)
        items = listed.items
        await asyncio.sleep(0.1)
    equal(sorted(item.action for item in items), ["Decrypt", "Encrypt"])
    equal({(item.outcome, item.channel, item.key_version) for item in items}, {("success", "transit", 1)})
    equal({(item.resource_id, item.resource_type) for item in items}, {(key.id, "CryptoKey")})
    assert items[0].actor.startswith("apikey:"), items[0].actor
    future = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    equal((await sdk.client.audit.list(key_id=key.id, from_=future)).total_count, 0)
