"""Health and encryption as a service, by key id and by key name."""

import datetime

from quantumapi.errors import KeyVersionBelowMinimumError, NotFoundError, ValidationError
from quantumapi.models.keys import KeyType

from .session import b64, check, equal, refused, unb64


@check("health.check")
async def _(sdk):
    health = await sdk.client.health.check()
    equal(health.status, "Healthy")
    assert health.version, "no version"
    datetime.datetime.fromisoformat(health.timestamp.replace("Z", "+00:00"))


@check("health.version")
async def _(sdk):
    equal((await sdk.client.health.version()).version, (await sdk.client.health.check()).version)


@check("health.rate_limit")
async def _(sdk):
    limit = await sdk.client.health.rate_limit()
    assert limit.remaining <= limit.limit, limit
    assert limit.period in ("1m", "1h", "1d"), limit
    assert limit.reset > 0, limit


@check("encryption.encrypt")
async def _(sdk):
    key = await sdk.key("eaas-encrypt")
    sealed = await sdk.client.encryption.encrypt("4111 1111", key_id=key.id, additional_data="row 7")
    equal((sealed.key_id, sealed.key_version, sealed.algorithm), (key.id, 1, "ML-KEM-768"))
    equal([len(unb64(part)) for part in (sealed.encapsulated_key, sealed.nonce, sealed.tag)], [1088, 12, 16])
    await refused(sdk.client.encryption.decrypt(encrypted_payload=sealed.encrypted_payload), ValidationError)
    opened = await sdk.client.encryption.decrypt(
        encrypted_payload=sealed.encrypted_payload, additional_data="row 7"
    )
    equal(opened.plaintext, "4111 1111")
    by_default = await sdk.client.encryption.encrypt(b64(bytes(range(256))), encoding="base64")
    opened = await sdk.client.encryption.decrypt(encrypted_payload=by_default.encrypted_payload)
    equal(unb64(opened.plaintext), bytes(range(256)))


@check("encryption.decrypt")
async def _(sdk):
    text = "Grüße, 量子"
    sealed = await sdk.client.encryption.encrypt(text)
    equal((await sdk.client.encryption.decrypt(encrypted_payload=sealed.encrypted_payload)).plaintext, text)
    parts = {
        "ciphertext": sealed.ciphertext,
        "encapsulated_key": sealed.encapsulated_key,
        "nonce": sealed.nonce,
        "tag": sealed.tag,
        "key_id": sealed.key_id,
        "key_version": sealed.key_version,
    }
    equal((await sdk.client.encryption.decrypt(**parts)).plaintext, text)
    for part in ("ciphertext", "encapsulated_key", "nonce", "tag"):
        changed = bytearray(unb64(parts[part]))
        changed[-1] ^= 1
        answer = sdk.client.encryption.decrypt(**{**parts, part: b64(bytes(changed))})
        await refused(answer, ValidationError, "decryption_failed")


@check("encryption.sign")
async def _(sdk):
    for algorithm, length in (("ML-DSA-65", 3309), ("ML-DSA-87", 4627), ("Ed25519", 64)):
        key = await sdk.key(f"sign-{algorithm}", KeyType.SIGNING, algorithm)
        signed = await sdk.client.encryption.sign(b64("data"), key.id)
        equal((signed.key_id, signed.algorithm, len(unb64(signed.signature))), (key.id, algorithm, length))


@check("encryption.verify")
async def _(sdk):
    key = await sdk.key("verify", KeyType.SIGNING, "ML-DSA-65")
    signed = await sdk.client.encryption.sign(b64("data"), key.id)
    await sdk.client.keys.rotate(key.id)
    assert (await sdk.client.encryption.verify(b64("data"), signed.signature, key.id)).is_valid
    assert not (await sdk.client.encryption.verify(b64("other"), signed.signature, key.id)).is_valid




@check("transit.encrypt")
async def _(sdk):
    key = await sdk.key("transit/eu west 100%")
    answer = await sdk.client.transit.encrypt(key.name, "Grüße", encoding="utf8")
    equal((answer.key_name, answer.key_version), (key.name, 1))
    assert answer.ciphertext.startswith("vault:v1:"), answer.ciphertext
    equal(await sdk.opened(key, answer.ciphertext), "Grüße")
    await refused(sdk.client.transit.encrypt("no such key", b"x"), NotFoundError)


@check("transit.decrypt")
async def _(sdk):
    key, other = await sdk.key("transit decrypt"), await sdk.key("transit other")
    ciphertext = await sdk.sealed(key, "4111")
    equal(await sdk.opened(key, ciphertext), "4111")
    await refused(sdk.opened(other, ciphertext), ValidationError, "decryption_failed")


@check("transit.rewrap")
async def _(sdk):
    key = await sdk.key("transit rewrap")
    old = await sdk.sealed(key, "moved on")
    await sdk.client.transit.rotate_key(key.id)
    new = await sdk.client.transit.rewrap(key.name, old)
    equal(new.key_version, 2)
    equal(await sdk.opened(key, new.ciphertext), "moved on")


@check("transit.generate_data_key")
async def _(sdk):
    key = await sdk.key("transit datakey")
    shown = await sdk.client.transit.generate_data_key(key.name, key_bytes=24)
    equal((shown.key_id, len(unb64(shown.plaintext_key))), (key.id, 24))
    hidden = await sdk.client.transit.generate_data_key(key.name, include_plaintext=False)
    equal((hidden.key_id, hidden.plaintext_key), (key.id, None))


@check("transit.hmac")
async def _(sdk):
    key = await sdk.key("transit hmac", KeyType.HMAC, "HMAC-SHA256")
    answers = [await sdk.client.transit.hmac(key.name, b"data", name) for name in (None, "sha256", "sha512")]
    equal(answers[0].hmac, answers[1].hmac)
    assert answers[1].hmac != answers[2].hmac
    equal([answer.algorithm for answer in answers[1:]], ["sha256", "sha512"])


@check("transit.sign")
async def _(sdk):
    key = await sdk.key("transit sign", KeyType.SIGNING, "ML-DSA-65")
    signed = await sdk.client.transit.sign(key.name, b"data")
    equal((signed.key_name, signed.key_version, signed.algorithm), (key.name, 1, "ML-DSA-65"))
    assert signed.signature.startswith("vault:v1:"), signed.signature[:20]


@check("transit.verify")
async def _(sdk):
    key = await sdk.key("transit verify", KeyType.SIGNING, "ML-DSA-65")
    signed = await sdk.client.transit.sign(key.name, b"data")
    await sdk.client.transit.rotate_key(key.id)
    equal((await sdk.client.transit.verify(key.name, b"data", signed.signature)).valid, True)
    equal((await sdk.client.transit.verify(key.name, b"other", signed.signature)).valid, False)


@check("transit.batch_encrypt")
async def _(sdk):
    key = await sdk.key("transit batch")
    answer = await sdk.client.transit.batch_encrypt(key.name, [b"one", "not base64!", b"three"])
    equal([result.index for result in answer.results], [0, 1, 2])
    equal([result.error is None for result in answer.results], [True, False, True])
    equal(await sdk.opened(key, answer.results[2].ciphertext), "three")
    await refused(sdk.client.transit.batch_encrypt(key.name, [b"x"] * 101), ValidationError)


@check("transit.batch_decrypt")
async def _(sdk):
    key = await sdk.key("transit unbatch")
    old = await sdk.sealed(key, "old")
    await sdk.client.transit.rotate_key(key.id)
    answer = await sdk.client.transit.batch_decrypt(key.name, [old, "vault:v1:AAAA", await sdk.sealed(key, "new")])
    equal([result.plaintext for result in answer.results], [b64("old"), None, b64("new")])
    assert answer.results[1].error, "no reason"


@check("transit.create_key")
async def _(sdk):
    key = await sdk.client.transit.create_key(sdk.name("transit create"), algorithm="X-Wing", labels=["hybrid"])
    equal((key.algorithm, key.version, key.labels, key.is_post_quantum), ("X-Wing", 1, ["hybrid"], True))
    equal(await sdk.opened(key, await sdk.sealed(key, "hybrid")), "hybrid")


@check("transit.get_key")
async def _(sdk):
    key = await sdk.key("transit get")
    read = await sdk.client.transit.get_key(key.id)
    equal((read.id, read.name, read.key_type, read.state), (key.id, key.name, "encryption", "active"))


@check("transit.set_min_decryption_version")
async def _(sdk):
    key = await sdk.key("transit config/eu")
    old = await sdk.sealed(key, "old")
    await sdk.client.transit.rotate_key(key.id)
    policy = await sdk.client.transit.set_min_decryption_version(key.name, 2)
    equal((policy.key_name, policy.latest_version, policy.min_decryption_version), (key.name, 2, 2))
    await refused(sdk.opened(key, old), KeyVersionBelowMinimumError)


@check("transit.rotate_key")
async def _(sdk):
    key = await sdk.key("transit rotate")
    rotated = await sdk.client.transit.rotate_key(key.id)
    equal((rotated.key_id, rotated.new_version, rotated.previous_version), (key.id, 2, 1))
    assert rotated.rotated_at is not None
