"""Certificates for the interop matrix, made by pyca/cryptography: one authority, and leaves that are as they should be but
for one thing each.

    certificates.py FOLDER [ADDRESS | NAMESPACE/SERVICE]...

The addresses are put into every leaf beside its names. A leaf NAME is NAME.pem with NAME.key, and NAME.all with both. For a
service there are the leaves SERVICE and SERVICE-expired.
"""

import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
HOUR = datetime.timedelta(hours=1)
TRUST_DOMAIN = "qapi.internal"
# RFC 9881 section 5 allows digitalSignature and forbids keyEncipherment.
USAGE = {
    "digital_signature": True, "content_commitment": False, "key_encipherment": False, "data_encipherment": False,
    "key_agreement": False, "key_cert_sign": False, "crl_sign": False, "encipher_only": False, "decipher_only": False,
}


class Authority:
    def __init__(self, name):
        self.key = mldsa.MLDSA65PrivateKey.generate()
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key_id = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        builder = start(self.name, self.name, self.key.public_key(), NOW - HOUR, NOW + 24 * 365 * HOUR)
        usage = USAGE | {"digital_signature": False, "key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        builder = builder.add_extension(self.key_id, critical=False)
        self.certificate = builder.sign(self.key, None)

    def leaf(self, service, addresses, *, namespace="users-api", begins=-HOUR, ends=23 * HOUR, usage=USAGE, key=None):
        key = key or mldsa.MLDSA65PrivateKey.generate()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, service)])
        names = [x509.DNSName(service), x509.DNSName(f"{service}.{namespace}.svc.cluster.local")]
        names.append(x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/ns/{namespace}/sa/{service}"))
        names.extend(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses)
        builder = start(subject, self.name, key.public_key(), NOW + begins, NOW + ends)
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        for extension, critical in [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.KeyUsage(**usage), True),
            (purposes, False),
            (x509.SubjectAlternativeName(names), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self.key_id), False),
        ]:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, None), key


def start(subject, issuer, public_key, begins, ends):
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(begins).not_valid_after(ends)


def main(folder, words):
    folder = pathlib.Path(folder)
    addresses = [word for word in words if "/" not in word]
    services = [word.split("/") for word in words if "/" in word]
    ours, stranger = Authority("mesh CA"), Authority("mesh CA")
    leaves = {
        "ours": ours.leaf("users-api", addresses),
        "ok": ours.leaf("peer", addresses),
        "expired": ours.leaf("peer", addresses, begins=-25 * HOUR, ends=-HOUR),
        "not-yet-valid": ours.leaf("peer", addresses, begins=HOUR, ends=25 * HOUR),
        "wrong-ca": stranger.leaf("peer", addresses),
        "wrong-id": ours.leaf("somebody-else", addresses),
        "forbidden-usage": ours.leaf("peer", addresses, usage=USAGE | {"key_encipherment": True}),
        "ml-dsa-44": ours.leaf("peer", addresses, key=mldsa.MLDSA44PrivateKey.generate()),
        "denied": ours.leaf("peer", addresses),
    }
    for namespace, service in services:
        leaves[service] = ours.leaf(service, addresses, namespace=namespace)
        late = {"begins": -25 * HOUR, "ends": -HOUR}
        leaves[f"{service}-expired"] = ours.leaf(service, addresses, namespace=namespace, **late)
    (folder / "ca.pem").write_bytes(pem(ours.certificate))
    for name, (certificate, key) in leaves.items():
        # OpenSSL would write seed and expanded key, which Envoy and Go do not read: RFC 9881 section 6.
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.pem").write_bytes(pem(certificate))
        (folder / f"{name}.key").write_bytes(private)
        (folder / f"{name}.all").write_bytes(pem(certificate) + private)
    denied = leaves["denied"][0].serial_number
    denied = denied.to_bytes(denied.bit_length() // 8 + 1, "big").hex()
    (folder / "denied.txt").write_text(f"{denied} {ours.key_id.digest.hex()}\n")


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


main(sys.argv[1], sys.argv[2:])
