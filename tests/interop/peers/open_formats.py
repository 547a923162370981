"""Opens the vectors of docs/formats.md with nothing of ours: the standard library and PyPI `cryptography`.

Usage: open_formats.py [tests/vectors/formats/formats.json]
Prints `opened N of N` and `refused M of M` (every changed variant must be refused); exits 1 otherwise.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SUITES = {"ML-KEM-768": (1, 1088), "ML-KEM-1024": (2, 1568), "X-Wing": (3, 1120), "AES-256-GCM": (16, 0)}
HEADER, COMMITMENT, NONCE, TAG = 59, 32, 12, 16


class Refused(Exception):
    pass


def need(condition):
    if not condition:
        raise Refused


def pack(label, *parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in (label.encode(), *parts))


def hkdf(salt, ikm, info, length):
    prk = hmac.digest(salt or bytes(32), ikm, "sha256")
    block = out = b""
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:length]


def gcm_open(key, nonce, sealed, aad):
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError) as error:
        raise Refused from error


def decapsulate(algorithm, seed, encapsulation):
    if algorithm == "X-Wing":
        expanded = hashlib.shake_256(seed).digest(96)
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        ml_kem_ct, x25519_ct = encapsulation[:1088], encapsulation[1088:]
        shared = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(ml_kem_ct)
        shared += x25519.exchange(X25519PublicKey.from_public_bytes(x25519_ct))
        return hashlib.sha3_256(shared + x25519_ct + x25519.public_key().public_bytes_raw() + rb"\.//^" + b"\\").digest()
    kind = MLKEM768PrivateKey if algorithm == "ML-KEM-768" else MLKEM1024PrivateKey
    return kind.from_seed_bytes(seed).decapsulate(encapsulation)


def key_hash(case):
    return hashlib.sha256(bytes.fromhex(case["public"])).digest() if case["public"] else b""


def epoch_key(case, tenant, key_id, version):
    suite, _ = SUITES[case["algorithm"]]
    encapsulation, secret = bytes.fromhex(case["epoch_encapsulation"]), bytes.fromhex(case["secret"])
    ikm = decapsulate(case["algorithm"], secret, encapsulation) if encapsulation else secret
    info = pack("qapi/epoch/v1", tenant, key_id, version.to_bytes(4, "big"), bytes.fromhex(case["epoch"]),
                suite.to_bytes(2, "big"), key_hash(case), encapsulation)
    return hkdf(b"", ikm, info, 32)


def open_message(case, message, tenant, key_id, version, purpose, aad):
    need(len(message) >= HEADER + COMMITMENT + NONCE + TAG)
    header = message[:HEADER]
    suite, encapsulation_len = SUITES[case["algorithm"]]
    mode = header[1]
    need(header[0] == 1 and mode == (1 if case["mode"] == "sealed" else 2))
    need(int.from_bytes(header[2:4], "big") == suite and header[4] == 0 and header[6] in (0, 1))
    need(header[5] == (1 if purpose == "message" else 2))
    need(header[7:23] == key_id and int.from_bytes(header[23:27], "big") == version)
    need(header[27:35] == (bytes(8) if mode == 1 else bytes.fromhex(case["epoch"])))
    at = HEADER + COMMITMENT
    commitment = message[HEADER:at]
    encapsulation = message[at:at + (encapsulation_len if mode == 1 else 0)]
    at += len(encapsulation)
    nonce, sealed = message[at:at + NONCE], message[at + NONCE:]
    need(len(sealed) >= TAG)
    ikm = (decapsulate(case["algorithm"], bytes.fromhex(case["secret"]), encapsulation) if mode == 1
           else epoch_key(case, tenant, key_id, version))
    info = pack("qapi/message/v1", tenant, header, key_hash(case), encapsulation, hashlib.sha256(aad).digest())
    okm = hkdf(header[35:59], ikm, info, 64)
    need(hmac.compare_digest(okm[32:], commitment))
    return gcm_open(okm[:32], nonce, sealed, header)


def open_blob(okm, sealed, commitment, aad):
    need(hmac.compare_digest(okm[32:64], commitment))
    return gcm_open(okm[:32], okm[64:76], sealed, aad)


def context(case):
    return pack(case["context"]["label"], *(bytes.fromhex(part) for part in case["context"]["parts"]))


def open_wrap(case, blob, bound_to):
    suite, encapsulation_len = SUITES[case["algorithm"]]
    need(len(blob) >= 35 + encapsulation_len + TAG and blob[:3] == bytes([1]) + suite.to_bytes(2, "big"))
    encapsulation = blob[35:35 + encapsulation_len]
    ikm = decapsulate(case["algorithm"], bytes.fromhex(case["secret"]), encapsulation)
    info = pack("qapi/wrap/v1", blob[:3], key_hash(case), encapsulation, bound_to)
    return open_blob(hkdf(b"", ikm, info, 76), blob[35 + encapsulation_len:], blob[3:35], blob[:3])


def open_symmetric(case, blob, bound_to):
    need(len(blob) >= 57 + TAG and blob[0] == 1)
    okm = hkdf(blob[1:25], bytes.fromhex(case["secret"]), pack("qapi/symmetric/v1", bound_to), 76)
    return open_blob(okm, blob[57:], blob[25:57], blob[:1])


def multiply(left, right):
    product = 0
    while right:
        product ^= left if right & 1 else 0
        left, right = (left << 1) ^ (0x11B if left & 0x80 else 0), right >> 1
    return product


def combine(texts):
    shares = []
    for text in texts:
        need(text.startswith("qapi-share-1-"))
        raw = base64.urlsafe_b64decode(text[13:] + "=" * (-len(text[13:]) % 4))
        need(hashlib.sha256(b"qapi/share/v1" + raw[:-4]).digest()[:4] == raw[-4:])
        shares.append((raw[:9], raw[9], raw[10:42], raw[42:-4]))
    head, check = shares[0][0], shares[0][2]
    need(all(share[0] == head and share[2] == check for share in shares) and len(shares) >= head[8])
    shared = bytearray(len(shares[0][3]))
    for _, x, _, values in shares:
        weight = 1
        for _, other, _, _ in shares:
            if other != x:
                inverse = next(value for value in range(256) if multiply(value, x ^ other) == 1)
                weight = multiply(weight, multiply(other, inverse))
        for at, value in enumerate(values):
            shared[at] ^= multiply(weight, value)
    secret, check_key = bytes(shared[:-32]), bytes(shared[-32:])
    bound_to = pack("qapi/shamir/v1", head[:8], bytes([0, 0, 0, head[8]]))
    need(hmac.compare_digest(hmac.digest(check_key, bound_to + secret, "sha256"), check))
    return secret


def is_refused(attempt):
    try:
        attempt()
    except Refused:
        return True
    return False


def changed(blob):
    """The blob with a bit flipped at some twenty places, cut short, and one byte longer."""
    places = set(range(0, len(blob), max(1, len(blob) // 20))) | {1, 2, 3, 4, 5, len(blob) - 1}
    for at in sorted(places):
        yield blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:]
    yield from (blob[:-1], blob[:HEADER], b"", blob + b"\0")


def same_in_every_spelling(case, message):
    payload = json.loads(base64.b64decode(case["payload"]))
    c, ek, n, t = (base64.b64decode(payload[name]) for name in ("c", "ek", "n", "t"))
    prefix, version, transit = case["transit"].split(":")
    head = HEADER + COMMITMENT
    return (c[:head] + ek + n + c[head:] + t == message == base64.b64decode(transit)
            and (prefix, version) == ("vault", f"v{case['version']}")
            and uuid.UUID(payload["k"]).bytes.hex() == case["key"]
            and (payload["kv"], payload["e"], payload["v"]) == (case["version"], case["encoding"], 1))


def attempts(vectors):
    """For each vector: whether it opens to its plaintext, and the attempts that must be refused."""
    for case in vectors["messages"]:
        message, aad = bytes.fromhex(case["message"]), bytes.fromhex(case["aad"])
        place = [bytes.fromhex(case["tenant"]), bytes.fromhex(case["key"]), case["version"], case["purpose"], aad]
        elsewhere = [bytes(16), bytes(16), case["version"] + 1, "data key" if case["purpose"] == "message" else "message", aad + b"x"]
        tampered = [lambda m=m, c=case, p=place: open_message(c, m, *p) for m in changed(message)]
        tampered += [lambda p=place[:at] + [other] + place[at + 1:], c=case, m=message: open_message(c, m, *p)
                     for at, other in enumerate(elsewhere)]
        opens = open_message(case, message, *place).hex() == case["plaintext"] and same_in_every_spelling(case, message)
        yield opens, tampered
    for name, opener in (("wraps", open_wrap), ("symmetric", open_symmetric)):
        for case in vectors[name]:
            blob, bound_to = bytes.fromhex(case["blob"]), context(case)
            tampered = [lambda b=b, c=case, t=bound_to, o=opener: o(c, b, t) for b in changed(blob)]
            tampered.append(lambda b=blob, c=case, t=bound_to, o=opener: o(c, b, t + b"x"))
            yield opener(case, blob, bound_to).hex() == case["plaintext"], tampered
    for case in vectors["shares"]:
        texts, needed = case["shares"], case["threshold"]
        typo = ("B" if texts[0][20] == "A" else "A").join((texts[0][:20], texts[0][21:]))
        tampered = [lambda t=texts[:needed - 1]: combine(t), lambda t=[typo, *texts[1:]]: combine(t)]
        yield combine(texts[-needed:]).hex() == case["secret"], tampered
    for case in vectors["keys"]:
        yield key_fits(case), []


def thumbprint(case):
    """RFC 7638 over the required members, which json.dumps sorts."""
    def text(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    raw, curve = bytes.fromhex(case["public"]), {"ECDSA-P256": "P-256", "ECDSA-P384": "P-384"}.get(case["algorithm"])
    if curve:
        half = len(raw) // 2
        jwk = {"crv": curve, "kty": "EC", "x": text(raw[1:1 + half]), "y": text(raw[1 + half:])}
    elif case["algorithm"] == "Ed25519":
        jwk = {"crv": "Ed25519", "kty": "OKP", "x": text(raw)}
    else:
        jwk = {"alg": case["algorithm"], "kty": "AKP", "pub": text(raw)}
    return text(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest())


def key_fits(case):
    """PKCS#8 and SPKI load in OpenSSL, belong together, are written the same there, and verify the signature."""
    pkcs8, spki = bytes.fromhex(case["pkcs8"]), bytes.fromhex(case["spki"])
    if thumbprint(case) != case["thumbprint"]:
        return False
    if case["algorithm"] == "X-Wing":  # OpenSSL does not know it: the raw key ends the SPKI, the seed the PKCS#8.
        return spki.endswith(bytes.fromhex(case["public"])) and len(pkcs8) == 54
    private, public = serialization.load_der_private_key(pkcs8, None), serialization.load_der_public_key(spki)
    der, plain = serialization.Encoding.DER, serialization.NoEncryption()
    written = public.public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    derived = private.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    if case["signature"]:
        public.verify(bytes.fromhex(case["signature"]), bytes.fromhex(case["message"]))
    return (spki == written == derived
            and private.private_bytes(der, serialization.PrivateFormat.PKCS8, plain) == pkcs8)


def main():
    here = pathlib.Path(__file__).resolve().parents[2] / "vectors" / "formats" / "formats.json"
    vectors = json.loads(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else here).read_text())
    opened = total = refused = variants = 0
    for opens, tampered in attempts(vectors):
        total, opened = total + 1, opened + opens
        variants, refused = variants + len(tampered), refused + sum(map(is_refused, tampered))
    print(f"opened {opened} of {total}")
    print(f"refused {refused} of {variants}")
    return 0 if opened == total and refused == variants and total else 1


if __name__ == "__main__":
    sys.exit(main())
