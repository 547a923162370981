"""Verifies DSSE envelopes of Sigstore bundles with PyPI `cryptography`, which is given one ML-DSA public key.

Usage: verify.py PUBLIC_KEY.pem < bundles, one a line
Prints the payload of each bundle that the key has signed, one a line, whatever a bundle says of its key.
"""

import base64
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey


def signed_bytes(envelope, payload):
    kind = envelope["payloadType"].encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def main():
    with open(sys.argv[1], "rb") as file:
        key = serialization.load_pem_public_key(file.read())
    if not isinstance(key, MLDSA65PublicKey):
        sys.exit("not a key of ML-DSA-65")
    for line in sys.stdin:
        envelope = json.loads(line)["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        [signature] = envelope["signatures"]
        try:
            key.verify(base64.b64decode(signature["sig"], validate=True), signed_bytes(envelope, payload))
        except InvalidSignature:
            continue
        print(payload.decode())


main()
