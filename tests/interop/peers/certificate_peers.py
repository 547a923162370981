"""Foreign judges and makers of certificates.

usage: certificate_peers.py judge FOLDER    what we made: read, verified along the chain, and linted
       certificate_peers.py make FOLDER     a chain, a list, requests and keys of pyca's making, for ours to judge

Prints one line a finding or a count; a verdict that differs ends with status 1.
"""

import datetime
import ipaddress
import json
import pathlib
import re
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.x509 import verification

# What the linter says of every certificate of a service: its short name is a DNS name of one label, and to the linter the
# host of a URI has to lie under a domain of the public web, which a trust domain does not.
EXPECTED = {
    "pkix.invalid_domain_name_syntax": re.compile(r'.*: "[a-z0-9-]+"'),
    "pkix.invalid_uri_syntax": re.compile(r'.*: "spiffe://[a-z.]+/[a-z/-]+"'),
}


def judge(folder):
    certificates = {path.stem: load(path) for path in sorted(folder.glob("*.crt"))}
    print(f"certificates read: {len(certificates)}")
    chains = json.loads((folder / "chains.json").read_text())
    for chain in chains:
        verify(chain, certificates)
    print(f"chains verified: {len(chains)}")
    lists = sorted(folder.glob("*.crl"))
    for path in lists:
        crl = x509.load_pem_x509_crl(path.read_bytes())
        issuer = certificates[path.stem.split("-")[0]]
        assert crl.is_signature_valid(issuer.public_key()), path.name
    print(f"lists verified: {len(lists)}")
    requests = sorted(folder.glob("*.csr"))
    for path in requests:
        request = x509.load_pem_x509_csr(path.read_bytes())
        assert request.is_signature_valid, path.name
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["users-api"], path.name
        key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), None)
        assert key.public_key() == request.public_key(), path.name
    print(f"requests and keys read: {len(requests)}")
    findings = lint(sorted(folder.glob("*.crt")), lists)
    unexpected = [finding for finding in findings if not is_expected(finding)]
    print(f"linter: {len(findings) - len(unexpected)} expected findings, {len(unexpected)} unexpected")
    # A linter that finds nothing at all has not looked.
    assert len(findings) > len(unexpected)
    for finding in unexpected:
        print("finding", *finding)
    return 1 if unexpected else 0


def load(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def verify(chain, certificates):
    """pyca's own path validation, which follows the public web: its demands on keys and lifetimes stay, its list of
    extensions is made to know noRevAvail by ignoring what is not critical."""
    store = verification.Store([certificates[chain["anchor"]]])
    builder = verification.PolicyBuilder().store(store)
    builder = builder.time(datetime.datetime.fromisoformat(chain["time"]))
    verifier = builder.build_server_verifier(x509.DNSName(chain["name"]))
    between = [certificates[name] for name in chain["intermediates"]]
    path = verifier.verify(certificates[chain["leaf"]], between)
    assert len(path) == 2 + len(between), chain


def lint(certificates, lists):
    findings = []
    for path in certificates:
        findings += findings_of(path, ["pkilint.bin.lint_pkix_cert", "lint"])
    for path in lists:
        kind = "ARL" if path.stem.startswith("root") else "CRL"
        findings += findings_of(path, ["pkilint.bin.lint_crl", "lint", "-t", kind, "-p", "PKIX"])
    return findings


def findings_of(path, command):
    command = [sys.executable, "-B", "-m", *command, "-s", "WARNING", "-f", "JSON", str(path)]
    output = subprocess.run(command, capture_output=True, text=True)
    results = json.loads(output.stdout)["results"]
    return [
        (path.name, finding["severity"], finding["code"], result["node_path"], finding.get("message") or "")
        for result in results
        for finding in result["finding_descriptions"]
    ]


def is_expected(finding):
    _, _, code, _, message = finding
    return code in EXPECTED and EXPECTED[code].fullmatch(message)


def make(folder):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    root_key, issuing_key, leaf_key = (mldsa.MLDSA87PrivateKey.generate(), mldsa.MLDSA65PrivateKey.generate(),
                                       mldsa.MLDSA65PrivateKey.generate())
    root = authority("root", root_key, "root", root_key, None, now)
    issuing = authority("issuing", issuing_key, "root", root_key, 0, now)
    leaf = (
        builder("users-api", leaf_key, "issuing", issuing_key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names(), critical=False)
        .sign(issuing_key, None)
    )
    forbidden = (
        builder("users-api", leaf_key, "issuing", issuing_key, now)
        .add_extension(usage(digital_signature=True, key_encipherment=True), critical=True)
        .add_extension(names(), critical=False)
        .sign(issuing_key, None)
    )
    for name, certificate in [("root", root), ("issuing", issuing), ("leaf", leaf), ("forbidden", forbidden)]:
        write(folder / f"{name}.crt", certificate)
    for name, entries in [("clean", []), ("revoking", [leaf.serial_number])]:
        write(folder / f"{name}.crl", revocation_list(issuing, issuing_key, entries, now))
    for size, key in [(44, mldsa.MLDSA44PrivateKey.generate()), (65, leaf_key), (87, mldsa.MLDSA87PrivateKey.generate())]:
        request = x509.CertificateSigningRequestBuilder().subject_name(name_of("users-api"))
        write(folder / f"{size}.csr", request.add_extension(names(), critical=False).sign(key, None))
        (folder / f"{size}.key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        (folder / f"{size}.pub").write_bytes(key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return 0


def authority(subject, key, issuer, issuer_key, path_length, now):
    made = (
        builder(subject, key, issuer, issuer_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return made.sign(issuer_key, None)


def builder(subject, key, issuer, issuer_key, now):
    return (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def revocation_list(issuer, key, entries, now):
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(now - datetime.timedelta(minutes=1))
        .next_update(now + datetime.timedelta(days=1))
        .add_extension(x509.CRLNumber(7), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for serial in entries:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
        made = made.add_revoked_certificate(entry.add_extension(reason, critical=False).build())
    return made.sign(key, None)


def usage(**bits):
    every = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{bit: bits.get(bit, False) for bit in every})


def names():
    return x509.SubjectAlternativeName([
        x509.DNSName("users-api"),
        x509.DNSName("users-api.users-api.svc.cluster.local"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
        x509.UniformResourceIdentifier("spiffe://qapi.internal/ns/users/sa/users-api"),
    ])


def name_of(common_name):
    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, common_name)])


def write(path, made):
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


if __name__ == "__main__":
    sys.exit({"judge": judge, "make": make}[sys.argv[1]](pathlib.Path(sys.argv[2])))
