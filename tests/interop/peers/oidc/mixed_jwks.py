"""Python programs that know nothing of ML-DSA before a key set that mixes it with EC keys: they find the EC key, and fail
closed on what they cannot verify. Needs `quantumSafeToken` and `jwksUri`."""

import jwt
import requests
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from place import PLACE, check, conclude, refused

QUANTUM_SAFE = PLACE["quantumSafeToken"]
listed = requests.get(PLACE["jwksUri"], timeout=20).json()
classical = next(key["kid"] for key in listed["keys"] if key["kty"] == "EC")


@check("PyJWT's client finds the EC key")
def client():
    found = jwt.PyJWKClient(PLACE["jwksUri"])
    assert found.get_signing_key(classical).algorithm_name == "ES256"
    return found


@check("PyJWT has no key for a token of ML-DSA, and takes none with another")
def _pyjwt_closed():
    refused(jwt.PyJWKClientError, lambda: client.get_signing_key_from_jwt(QUANTUM_SAFE))
    other = client.get_signing_key(classical)
    for algorithms in (["ES256"], ["ES256", "ML-DSA-65"], ["none"]):
        refused(jwt.InvalidTokenError, lambda: jwt.decode(QUANTUM_SAFE, other, algorithms=algorithms))


@check("joserfc, by which Authlib reads keys, finds the EC key")
def keys():
    found = KeySet.import_key_set(listed)
    assert [key.kid for key in found.keys if key.kid == classical] == [classical]
    return found


@check("joserfc takes no token of ML-DSA")
def _joserfc_closed():
    refused((JoseError, ValueError), lambda: joserfc_jwt.decode(QUANTUM_SAFE, keys, algorithms=["ES256", "ML-DSA-65"]))


conclude("mixed key set, Python")
