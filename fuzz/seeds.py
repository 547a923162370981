"""Writes the seeds of the fuzz targets under fuzz/corpus out of tests/vectors/limbo-mldsa65 and jwt-mldsa65.

usage: python3 fuzz/seeds.py
"""

import base64
import gzip
import json
import pathlib

FUZZ = pathlib.Path(__file__).parent
VECTORS = FUZZ.parent / "tests/vectors/limbo-mldsa65/limbo-mldsa65.json.gz"


def main():
    cases = json.loads(gzip.decompress(VECTORS.read_bytes()))["testcases"]
    for place, case in enumerate(cases):
        chain = [case["peer_certificate"], *case["trusted_certs"], *case["untrusted_intermediates"]]
        chain = [der(text) for text in chain]
        for inner, certificate in enumerate(chain):
            seed("certificate", f"{place}-{inner}", certificate)
        seed("path", str(place), b"".join(len(one).to_bytes(2, "big") + one for one in chain))
        for inner, text in enumerate(case["crls"]):
            seed("revocation_list", f"{place}-{inner}", der(text))
    for case in json.loads((VECTORS.parents[1] / "jwt-mldsa65/cases.json").read_text())["cases"]:
        seed("token", case["name"], case["token"].encode())
    for place, text in enumerate(["DNS:a.example", "spiffe://td/a", "CN=a\\,b,O=c,C=EU", "a@b.example", "IP:::1"]):
        seed("request", str(place), text.encode())


def der(text):
    body = [line for line in text.splitlines() if line and not line.startswith("-----")]
    return base64.b64decode("".join(body))


def seed(target, name, data):
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
