"""Verifies Sigstore bundles with nothing of ours: the standard library and PyPI `cryptography`.

Usage: bundles.py PUBLIC_KEY.pem IMAGE_DIGEST < bundles, one a line
Prints `verified N` for the bundles of this key that are valid signatures of the image; exits 1 when one of the key is not.
"""

import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def pae(kind, payload):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def main():
    with open(sys.argv[1], "rb") as file:
        key = serialization.load_pem_public_key(file.read())
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    hint = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    algorithm, value = sys.argv[2].split(":")
    verified = 0
    for line in sys.stdin:
        bundle = json.loads(line)
        if bundle.get("verificationMaterial", {}).get("publicKey", {}).get("hint") != hint:
            continue
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"])
        message = pae(envelope["payloadType"].encode(), payload)
        [signature] = envelope["signatures"]
        signed = base64.b64decode(signature["sig"])
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signed, message, ec.ECDSA(hashes.SHA256()))
            else:
                key.verify(signed, message)
        except InvalidSignature:
            sys.exit("a bundle of this key is not signed by it")
        [subject] = json.loads(payload)["subject"]
        if subject["digest"][algorithm] != value:
            sys.exit("a bundle of this key is for another image")
        verified += 1
    print("verified", verified)


main()
