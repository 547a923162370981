"""Keys, their versions, public halves and data keys."""

import uuid

from quantumapi.errors import ConflictError, KeyVersionBelowMinimumError, NotFoundError, QuantumAPIError, ValidationError
from quantumapi.models.keys import KeyStatus, KeyType

from .session import b64, check, equal, refused, unb64


@check("keys.generate")
async def _(sdk):
    kinds = (
        (KeyType.ENCRYPTION, "ML-KEM-768"),
        (KeyType.ENCRYPTION, "ML-KEM-1024"),
        (KeyType.ENCRYPTION, "AES-256-GCM"),
        (KeyType.SIGNING, "ML-DSA-65"),
        (KeyType.SIGNING, "ECDSA-P256"),
        (KeyType.HMAC, "HMAC-SHA256"),
    )
    for key_type, algorithm in kinds:
        key = await sdk.client.keys.generate(
            sdk.name(f"made-{algorithm}"), key_type, algorithm, description="words", labels=["interop"],
            expires_at="2099-01-02T03:04:05+00:00",
        )
        equal((key.key_type, key.algorithm, key.status, key.version), (key_type, algorithm, KeyStatus.ACTIVE, 1))
        equal((key.description, key.labels, key.expires_at.year), ("words", ["interop"], 2099))
        equal(key.is_post_quantum, not algorithm.startswith("ECDSA"))
        equal(key.purpose, key_type.value)
    again = sdk.client.keys.generate(sdk.name("made-ML-DSA-65"), KeyType.SIGNING, "ML-DSA-87")
    await refused(again, ConflictError, "key_name_conflict")


@check("keys.import_key")
async def _(sdk):
    key = await sdk.client.keys.import_key(
        sdk.name("import"), KeyType.ENCRYPTION, "AES-256-GCM", b64(bytes(range(32))), labels=["byok"]
    )
    equal((key.algorithm, key.version, key.labels), ("AES-256-GCM", 1, ["byok"]))
    equal(await sdk.opened(key, await sdk.sealed(key, "mine")), "mine")
    signer = await sdk.key("import-signer", KeyType.SIGNING, "ML-DSA-65")
    pem = await sdk.client.keys.export_public_key(signer.id)
    public = await sdk.client.keys.import_key(
        sdk.name("import-public"), KeyType.SIGNING, "ML-DSA-65", b64(pem), format="pem", public_key_only=True
    )
    signed = await sdk.client.transit.sign(signer.name, b"data")
    assert (await sdk.client.transit.verify(public.name, b"data", signed.signature)).valid


@check("keys.list")
async def _(sdk):
    key = await sdk.key("list", KeyType.HMAC, "HMAC-SHA256")
    await sdk.client.keys.rotate(key.id, set_as_default=False)

    async def rows(all_versions):
        found, page, more = [], 1, True
        while more:
            listed = await sdk.client.keys.list(
                key_type=KeyType.HMAC, status="active", page=page, page_size=2, all_versions=all_versions
            )
            equal((listed.page, listed.page_size), (page, 2))
            found += [row for row in listed.keys if row.name == key.name]
            page, more = page + 1, listed.has_more
        return found

    equal([(row.id, row.version, row.version_count) for row in await rows(False)], [(key.id, 2, 2)])
    assert 2 in [row.version for row in await rows(True)]


@check("keys.list_versions")
async def _(sdk):
    key = await sdk.key("versions")
    await sdk.client.keys.rotate(key.id)
    history = await sdk.client.keys.list_versions(key.id)
    equal((history.key_name, history.min_decryption_version), (key.name, 1))
    equal([row.version for row in history.versions], [1, 2])
    equal(history.versions[1].state, "active")
    equal(len({row.id for row in history.versions}), 2)


@check("keys.set_min_decryption_version")
async def _(sdk):
    key = await sdk.key("minimum")
    old = await sdk.sealed(key, "old")
    await sdk.client.keys.rotate(key.id)
    policy = await sdk.client.keys.set_min_decryption_version(key.id, 2)
    equal((policy.key_name, policy.latest_version, policy.min_decryption_version), (key.name, 2, 2))
    await refused(sdk.opened(key, old), KeyVersionBelowMinimumError)
    out_of_range = sdk.client.keys.set_min_decryption_version(key.id, 3)
    await refused(out_of_range, ValidationError, "invalid_min_decryption_version")


@check("keys.get")
async def _(sdk):
    key = await sdk.key("get")
    read = await sdk.client.keys.get(key.id)
    equal((read.id, read.name, read.state, read.min_decryption_version), (key.id, key.name, "active", 1))
    assert read.updated_at is not None and read.is_active, read
    await refused(sdk.client.keys.get(uuid.uuid4()), NotFoundError)


@check("keys.rotate")
async def _(sdk):
    key = await sdk.key("rotate")
    old = await sdk.sealed(key, "before")
    rotated = await sdk.client.keys.rotate(key.id)
    equal((rotated.id, rotated.version, rotated.version_count, rotated.is_default), (key.id, 2, 2, True))
    equal(await sdk.opened(key, old), "before")


@check("keys.delete")
async def _(sdk):
    key = await sdk.key("delete")
    await sdk.client.keys.delete(key.id, schedule_days=7)
    read = await sdk.client.keys.get(key.id)
    equal((read.status, read.state), (KeyStatus.SCHEDULED_DELETION, "pending_deletion"))
    days = (read.scheduled_deletion_date - read.created_at).total_seconds() / 86400
    assert 6.9 < days < 7.1, days
    await refused(sdk.sealed(key, "too late"), QuantumAPIError)


@check("keys.set_default")
async def _(sdk):
    key = await sdk.key("default")
    await sdk.client.keys.set_default(key.id, KeyType.ENCRYPTION)
    assert (await sdk.client.keys.get(key.id)).is_default
    equal((await sdk.client.encryption.encrypt("x")).key_id, key.id)


@check("keys.update")
async def _(sdk):
    key = await sdk.key("update")
    changed = await sdk.client.keys.update(key.id, sdk.name("renamed"), "new words", "disabled")
    equal((changed.name, changed.description, changed.status), (sdk.name("renamed"), "new words", KeyStatus.INACTIVE))
    await refused(sdk.sealed(changed, "no"), QuantumAPIError)
    enabled = await sdk.client.keys.update(key.id, status="active")
    equal(await sdk.opened(enabled, await sdk.sealed(enabled, "yes")), "yes")


@check("keys.export_public_key")
async def _(sdk):
    key = await sdk.key("export", KeyType.SIGNING, "ML-DSA-65")
    pem = await sdk.client.keys.export_public_key(key.id)
    der = await sdk.client.keys.export_public_key(key.id, format="der")
    equal(pem.split("\n")[0], "-----BEGIN PUBLIC KEY-----")
    equal(unb64("".join(pem.strip().split("\n")[1:-1])), unb64(der))


@check("keys.get_public_key")
async def _(sdk):
    key = await sdk.key("public")
    raw = await sdk.client.keys.get_public_key(key.id)
    equal((raw.key_id, raw.version, raw.format, len(unb64(raw.public_key))), (key.id, 1, "raw", 1184))
    full = await sdk.client.keys.get_public_key(key.id, include=["all"], format="pem")
    equal((full.name, full.key_type, full.is_post_quantum), (key.name, KeyType.ENCRYPTION, True))
    equal((full.state, full.is_active, full.format), ("active", True, "pem"))


@check("keys.generate_data_key")
async def _(sdk):
    key = await sdk.key("data")
    for size in (16, 24, 32):
        made = await sdk.client.keys.generate_data_key(key.id, key_bytes=size)
        equal((made.key_id, made.key_version, len(unb64(made.plaintext_key))), (key.id, 1, size))
        equal((await sdk.client.keys.unwrap(key.id, made.encrypted_key)).key_material, made.plaintext_key)
    await refused(sdk.client.keys.generate_data_key(key.id, key_bytes=20), ValidationError)


@check("keys.generate_data_key_without_plaintext")
async def _(sdk):
    key = await sdk.key("data-hidden")
    made = await sdk.client.keys.generate_data_key_without_plaintext(key.id)
    equal((made.plaintext_key, made.key_id, made.algorithm), (None, key.id, "AES-256-GCM"))
    equal(len(unb64((await sdk.client.keys.unwrap(key.id, made.encrypted_key)).key_material)), 32)


@check("keys.generate_transit_data_key")
async def _(sdk):
    key = await sdk.key("data by name/eu 100%")
    made = await sdk.client.keys.generate_transit_data_key(key.name, 16, "AES-128-GCM")
    equal((made.key_id, made.algorithm, len(unb64(made.plaintext_key))), (key.id, "AES-128-GCM", 16))


@check("keys.generate_transit_data_key_without_plaintext")
async def _(sdk):
    key = await sdk.key("hidden by name/eu")
    made = await sdk.client.keys.generate_transit_data_key_without_plaintext(key.name)
    equal((made.key_id, made.plaintext_key), (key.id, None))


@check("keys.unwrap")
async def _(sdk):
    key = await sdk.key("unwrap")
    made = await sdk.client.keys.generate_data_key(key.id, context=b64("table=people"))
    await sdk.client.keys.rotate(key.id)
    unwrapped = await sdk.client.keys.unwrap(key.id, made.encrypted_key, b64("table=people"))
    equal((unwrapped.key_material, unwrapped.key_version), (made.plaintext_key, 1))
    await refused(sdk.client.keys.unwrap(key.id, made.encrypted_key, b64("table=orders")), ValidationError)


@check("keys.check")
async def _(sdk):
    report = await sdk.client.keys.check((await sdk.key("check")).id)
    equal((report.name, report.healthy, report.issues), (sdk.name("check"), True, []))
