"""Authlib as the client of an ES256 application, with a person: the code flow, the ID token by joserfc, userinfo, refresh. Needs the
application `classical` and a `classicalPerson` of it."""

import re
from urllib.parse import parse_qs, urlparse

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from place import PLACE, check, conclude, refused

APPLICATION = PLACE["applications"]["classical"]
PERSON = PLACE["classicalPerson"]
metadata = requests.get(PLACE["issuer"] + "/.well-known/openid-configuration", timeout=20).json()
listed = requests.get(metadata["jwks_uri"], timeout=20).json()
# The set as it is: keys of ML-DSA stand before the one that this client can use.
assert [key["kty"] for key in listed["keys"]][0] == "AKP", listed
keys = KeySet.import_key_set(listed)
verifier, nonce = generate_token(48), generate_token()
client = OAuth2Session(
    APPLICATION["id"],
    APPLICATION["secret"],
    scope="openid email offline_access",
    redirect_uri=APPLICATION["redirectUri"],
    code_challenge_method="S256",
    token_endpoint_auth_method="client_secret_basic",
)


def sign_in(link):
    """Where a person comes back to who signs in on the way."""
    browser = requests.Session()
    answer = browser.get(link, allow_redirects=False, timeout=20)
    interaction = parse_qs(urlparse(answer.headers["location"]).query)["interaction"][0]
    fields = {"interaction": interaction, "email": PERSON["email"], "password": PERSON["password"]}
    origin = re.match(r"https?://[^/]+", PLACE["issuer"]).group()
    answer = browser.post(PLACE["issuer"] + "/login", fields, headers={"origin": origin}, allow_redirects=False, timeout=20)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@check("a code becomes tokens, and the ID token is ES256")
def tokens():
    link, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    back = sign_in(link)
    given = client.fetch_token(metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
    verified = jwt.decode(given["id_token"], keys, algorithms=["ES256"])
    assert verified.header["alg"] == "ES256"
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": PLACE["issuer"]},
        aud={"essential": True, "value": APPLICATION["id"]},
        nonce={"essential": True, "value": nonce},
    )
    registry.validate(verified.claims)
    return given


@check("userinfo is about the person")
def _userinfo():
    assert client.get(metadata["userinfo_endpoint"], timeout=20).json()["email"] == PERSON["email"]


@check("a refresh gives others, and the spent one is refused later")
def _refresh():
    first = tokens["refresh_token"]
    second = client.refresh_token(metadata["token_endpoint"], refresh_token=first)
    third = client.refresh_token(metadata["token_endpoint"], refresh_token=second["refresh_token"])
    assert len({first, second["refresh_token"], third["refresh_token"]}) == 3
    refused(Exception, lambda: client.refresh_token(metadata["token_endpoint"], refresh_token=first))


conclude("Authlib with a person")
