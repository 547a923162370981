#!/usr/bin/env python3
"""Makes certificate requests and checks certificates with pyca/cryptography, which shares no code with the product.

    certificates.py csr NAME...                        prints a PKCS#10 request for an ML-DSA-65 key that is then forgotten
    certificates.py check LEAF ANCHOR [KEY]            LEAF is signed by ANCHOR, and KEY belongs to it
    certificates.py chain LEAF INTERMEDIATE ROOT       each is signed by the next, and the root by itself
    certificates.py crl LIST ISSUER                    prints the serial numbers of a list that ISSUER signed
"""

import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.x509.oid import NameOID


def read(path):
    with open(path, "rb") as file:
        return file.read()


def certificate(path):
    return x509.load_pem_x509_certificate(read(path))


def csr(names):
    key = mldsa.MLDSA65PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    sys.stdout.write(builder.sign(key, None).public_bytes(serialization.Encoding.PEM).decode())


def check(leaf, anchor, key=None):
    leaf, anchor = certificate(leaf), certificate(anchor)
    leaf.verify_directly_issued_by(anchor)
    anchor.verify_directly_issued_by(anchor)
    if key is not None:
        private = serialization.load_pem_private_key(read(key), None)
        assert private.public_key() == leaf.public_key(), "the key is another one"
    print("verified")


def chain(*paths):
    links = [certificate(path) for path in paths]
    for one, issuer in zip(links, links[1:] + links[-1:]):
        one.verify_directly_issued_by(issuer)
    print("verified")


def crl(path, issuer):
    revoked = x509.load_pem_x509_crl(read(path))
    certificate(issuer).public_key().verify(revoked.signature, revoked.tbs_certlist_bytes)
    for entry in revoked:
        print(f"{entry.serial_number:x}")


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "csr":
        csr(arguments)
    else:
        {"check": check, "chain": chain, "crl": crl}[command](*arguments)
