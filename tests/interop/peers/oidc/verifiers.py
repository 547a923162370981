"""Second and third opinions about the tokens: jwcrypto reads the key set and the tokens as JOSE, dilithium-py takes nothing
but bytes. Needs `tokens`: texts and what is expected of each, and `jwksUri`."""

import base64
import json

import requests
from dilithium_py.ml_dsa import ML_DSA_44, ML_DSA_65, ML_DSA_87
from jwcrypto import jwk, jws, jwt
from place import PLACE, check, conclude, refused

BARE = {"ML-DSA-44": ML_DSA_44, "ML-DSA-65": ML_DSA_65, "ML-DSA-87": ML_DSA_87}

text = requests.get(PLACE["jwksUri"], timeout=20).text
keys = jwk.JWKSet.from_json(text)
listed = {entry["kid"]: entry for entry in json.loads(text)["keys"]}


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def parts(token):
    head, body, signature = token.split(".")
    return json.loads(decoded(head)), f"{head}.{body}".encode(), decoded(signature)


@check("jwcrypto reads every key of the set, and names them as we do")
def _thumbprints():
    assert len(listed) == len(keys["keys"]), (len(listed), len(keys["keys"]))
    for key in keys["keys"]:
        assert json.loads(key.export_public())["kid"] == key.thumbprint()
        assert not key.has_private


for token in PLACE["tokens"]:
    name, claims = token["name"], token["claims"]
    header, message, signature = parts(token["text"])

    @check(f"jwcrypto verifies {name}, of {header['alg']}")
    def _jwcrypto():
        verified = jwt.JWT(jwt=token["text"], key=keys, algs=[header["alg"]], expected_type="JWS")
        read = json.loads(verified.claims)
        for member, value in claims.items():
            assert read[member] == value, (member, read[member], value)

    if header["alg"] not in BARE:
        continue

    @check(f"dilithium-py verifies {name}")
    def _bare():
        public = decoded(listed[header["kid"]]["pub"])
        assert BARE[header["alg"]].verify(public, message, signature)
        assert not BARE[header["alg"]].verify(public, message + b".", signature)
        assert not BARE[header["alg"]].verify(public, message, signature, ctx=b"JWT")

    @check(f"a changed signature of {name} is refused")
    def _changed():
        flipped = bytes([signature[0] ^ 1]) + signature[1:]
        changed = f"{message.decode()}.{base64.urlsafe_b64encode(flipped).decode().rstrip('=')}"
        refused((jws.InvalidJWSSignature, jwt.JWTMissingKey), lambda: jwt.JWT(jwt=changed, key=keys, algs=[header["alg"]]))


conclude("verifiers")
