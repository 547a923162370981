#!/usr/bin/env python3
"""The tour of the main job, on real input, against a running server.

A pipeline imports its secrets and fetches two of them by id; an application encrypts a table of personal data, reads it
back, and follows a key rotation; every use is in the audit trail, which is verified offline; the database files are
searched for the plaintexts in vain; a revoked credential is refused. Each step says what it did and what it took, and
the first one whose result is not exactly right ends the tour with status 1.

Needs nothing but Python's standard library, the `qapi` binary, and the data directory of `qapid dev`.
"""

import argparse
import base64
import collections
import csv
import http.client
import json
import os
import pathlib
import random
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.parse

# What one call takes: our own batch routes, and transit's.
BATCH, TRANSIT_BATCH = 1_000, 100
PERSONAL = ("name", "email", "phone")
FIRST = "Ada Alan Barbara Blaise Chidi Dorothy Edsger Élise Frances Grace Hedy Ines Jürgen Katherine Ling Mary Niklaus Olga Radia Søren".split()
LAST = "Babbage Curie Dijkstra Euler Franklin Gödel Hopper Ito Johnson Kowalevski Lovelace Meitner Noether Okafor Perlman Ramanujan Škoda Turing".split()


class TourFailed(Exception):
    """A step whose result is not what it must be."""


def require(holds, what):
    if not holds:
        raise TourFailed(what)


class Api:
    """One keep-alive connection with one credential."""

    def __init__(self, base_url, key):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(base_url).netloc, timeout=60)
        self.headers = {"X-Api-Key": key, "Content-Type": "application/json"}

    def post(self, path, body):
        self.connection.request("POST", "/api/v1" + path, json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        require(answer.status < 300, f"POST {path} answered {answer.status}: {content[:300]!r}")
        return json.loads(content)


class Cli:
    """The `qapi` command line, with its address and credential in the environment as in a pipeline."""

    def __init__(self, binary, base_url, key):
        self.binary = binary
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("QUANTUMAPI", "QAPI"))}
        self.offline_environment = clean
        self.environment = clean | {"QUANTUMAPI_BASE_URL": base_url, "QUANTUMAPI_KEY": key}

    def run(self, *args, offline=False):
        environment = self.offline_environment if offline else self.environment
        return subprocess.run([self.binary, *args], env=environment, capture_output=True, stdin=subprocess.DEVNULL)

    def text(self, *args, offline=False):
        done = self.run(*args, offline=offline)
        require(done.returncode == 0, f"qapi {' '.join(args)}: {done.stderr.decode().strip()}")
        return done.stdout.decode()

    def json(self, *args):
        return json.loads(self.text(*args, "--output", "json"))


class Tour:
    def __init__(self, qapi, data_dir, rows, work):
        pairs = (line.split("=", 1) for line in (data_dir / "dev.env").read_text().splitlines() if "=" in line)
        credentials = dict(pairs)
        self.qapi, self.data_dir, self.work = qapi, data_dir, work
        self.base_url, self.key = credentials["QUANTUMAPI_BASE_URL"], credentials["QUANTUMAPI_KEY"]
        self.api = Api(self.base_url, self.key)
        self.cli = Cli(qapi, self.base_url, self.key)
        # A later tour on the same data must not meet the names of an earlier one.
        self.run_id = secrets.token_hex(4)
        self.environment = make_environment(self.run_id)
        self.people = make_people(rows)

    def steps(self):
        return [
            ("import a .env of 50 secrets", self.import_environment),
            ("fetch two of them by id, as a pipeline does", self.fetch_two),
            ("make an ML-KEM-768 key", self.make_key),
            (f"encrypt a CSV of {len(self.people):,} people by batch", self.encrypt_people),
            ("encrypt their bank accounts over transit", self.encrypt_accounts),
            ("read it all back and compare every field", self.read_back),
            ("rotate the key", self.rotate),
            ("rewrap the accounts to the new version", self.rewrap),
            ("show the audit trail", self.show_trail),
            ("export the trail and verify it offline", self.verify_trail),
            ("search the database files for the plaintexts", self.search_files),
            ("issue a service's certificate and judge it offline", self.certify),
            ("revoke it and see its peers told", self.revoke_certificate),
            ("revoke an API key and see it refused", self.revoke),
        ]

    def import_environment(self):
        path = self.work / "app.env"
        path.write_text("".join(f"{name}={value}\n" for name, value in self.environment.items()))
        result = self.cli.json("secrets", "import", str(path))
        require(result["created"] == len(self.environment), f"imported {result}")
        return f"{result['created']} created"

    def fetch_two(self):
        listed = self.cli.json("secrets", "list", "--search", self.run_id)
        self.ids = {secret["name"]: secret["id"] for secret in listed["secrets"]}
        require(len(self.ids) == len(self.environment), f"{len(self.ids)} secrets are listed")
        chosen = [f"DATABASE_URL_{self.run_id}", f"STRIPE_KEY_{self.run_id}"]
        for name in chosen:
            value = self.cli.text("vault", "get", self.ids[name])
            require(value == self.environment[name], f"{name} came back different")
        return f"{chosen[0]}, {chosen[1]}: equal"

    def make_key(self):
        self.key_name = f"people-{self.run_id}"
        made = self.cli.json("keys", "generate", self.key_name, "--type", "encryption", "--algorithm", "ML-KEM-768")
        self.key_id = made["id"]
        return f"{self.key_name}, version {made['version']}"

    def encrypt_people(self):
        began = time.monotonic()
        fields = [row[column] for row in self.people for column in PERSONAL]
        payloads = []
        for chunk in chunks(fields, BATCH):
            items = [{"plaintext": field} for field in chunk]
            answer = self.api.post("/encrypt/batch", {"keyId": self.key_id, "mode": "fast", "items": items})
            payloads += [result["encryptedPayload"] for result in answer["results"]]
        require(len(payloads) == len(fields), "a field was lost")
        write_csv(self.work / "encrypted.csv", PERSONAL, chunks(payloads, len(PERSONAL)))
        return f"{len(fields):,} fields in {-(-len(fields) // BATCH)} calls, {rate(len(fields), began)} fields/s"

    def encrypt_accounts(self):
        began = time.monotonic()
        self.accounts = []
        for chunk in chunks([row["iban"] for row in self.people], TRANSIT_BATCH):
            items = [{"plaintext": iban, "encoding": "utf8"} for iban in chunk]
            answer = self.api.post(f"/transit/batch/encrypt/{self.key_name}", {"items": items})
            self.accounts += [result["ciphertext"] for result in answer["results"]]
        require(all(text.startswith("vault:v1:") for text in self.accounts), "not on version 1")
        return f"{len(self.accounts):,} fields, {rate(len(self.accounts), began)} fields/s"

    def read_back(self):
        began = time.monotonic()
        with open(self.work / "encrypted.csv", newline="") as file:
            payloads = [field for row in list(csv.reader(file))[1:] for field in row]
        plaintexts = []
        for chunk in chunks(payloads, BATCH):
            answer = self.api.post("/decrypt/batch", {"items": [{"encryptedPayload": payload} for payload in chunk]})
            plaintexts += [result["plaintext"] for result in answer["results"]]
        require(plaintexts == [row[column] for row in self.people for column in PERSONAL], "a field came back different")
        accounts = self.open_accounts(self.accounts)
        count = len(plaintexts) + accounts
        return f"{count:,} fields equal, {rate(count, began)} fields/s"

    def open_accounts(self, ciphertexts):
        """Decrypts bank accounts and compares them; says how many."""
        opened = []
        for chunk in chunks(ciphertexts, TRANSIT_BATCH):
            items = [{"ciphertext": ciphertext} for ciphertext in chunk]
            answer = self.api.post(f"/transit/batch/decrypt/{self.key_name}", {"items": items})
            opened += [base64.b64decode(result["plaintext"]).decode() for result in answer["results"]]
        require(opened == [row["iban"] for row in self.people], "a bank account came back different")
        return len(opened)

    def rotate(self):
        rotated = self.cli.json("keys", "rotate", self.key_id)
        require(rotated["version"] == 2, f"rotated to {rotated['version']}")
        self.open_accounts(self.accounts)
        return "version 2; what version 1 encrypted still opens"

    def rewrap(self):
        began = time.monotonic()
        rewrapped = []
        for chunk in chunks(self.accounts, BATCH):
            items = [{"ciphertext": ciphertext} for ciphertext in chunk]
            answer = self.api.post(f"/transit/batch/rewrap/{self.key_name}", {"items": items})
            rewrapped += [result["ciphertext"] for result in answer["results"]]
        speed = rate(len(rewrapped), began)
        require(all(text.startswith("vault:v2:") for text in rewrapped), "not all are on version 2")
        self.open_accounts(rewrapped)
        return f"{len(rewrapped):,} on version 2 and equal, {speed} fields/s; no plaintext left the server"

    def show_trail(self):
        # The index of the trail follows within a second.
        deadline = time.monotonic() + 10
        while not self.cli.json("audit", "list", "--action", "KeyRotated", "--key", self.key_name)["items"]:
            require(time.monotonic() < deadline, "the rotation is not in the trail")
            time.sleep(0.1)
        listed = self.cli.json("audit", "list", "--limit", "5000")
        actions = collections.Counter(entry["action"] for entry in listed["items"])
        return f"{listed['count']:,} events: " + ", ".join(f"{count} {action}" for action, count in actions.most_common(6))

    def verify_trail(self):
        path = self.work / "trail.ndjson"
        self.cli.text("audit", "export", "--out", str(path))
        verdict = self.cli.text("audit", "verify", str(path), offline=True)
        damaged = self.work / "damaged.ndjson"
        content = path.read_bytes()
        damaged.write_bytes(content.replace(b'"outcome":"success"', b'"outcome":"failure"', 1))
        require(damaged.read_bytes() != content, "nothing to damage in the trail")
        require(self.cli.run("audit", "verify", str(damaged), offline=True).returncode == 1, "a changed trail was accepted")
        return f"{verdict.split(', ')[0].strip()}; with one word changed it is refused"

    def search_files(self):
        fields = [row[column] for row in self.people[:: max(1, len(self.people) // 100)] for column in (*PERSONAL, "iban")]
        needles = [*self.environment.values(), *fields, "@people.example"]
        forms = [form for needle in needles for form in spellings(needle)]
        control = f"DATABASE_URL_{self.run_id}".encode()
        searched, seen_control = 0, False
        for path in sorted(path for path in self.data_dir.rglob("*") if path.is_file() and path.name != "dev.env"):
            content = path.read_bytes()
            searched += len(content)
            seen_control |= control in content
            for form in forms:
                require(form not in content, f"{path.name} holds a plaintext")
        require(seen_control, "the search finds nothing at all, not even a secret's name")
        return f"{len(forms):,} spellings in {searched / 2**20:.1f} MiB: none (names are found, as documented)"

    def certify(self):
        self.service = f"users-{self.run_id}.shop.svc.cluster.local"
        leaf, key, anchor = (self.work / name for name in ("leaf.pem", "leaf.key", "ca.pem"))
        files = ["--cert-file", str(leaf), "--key-file", str(key), "--anchor-file", str(anchor)]
        self.certificate = self.cli.json("certs", "issue", self.service, *files)
        judge = ["certs", "verify", "--anchor", str(anchor), "--purpose", "server"]
        self.cli.text(*judge, "--name", f"dns:{self.service}", str(leaf), offline=True)
        refused = self.cli.run(*judge, "--name", "dns:payments.shop.svc.cluster.local", str(leaf), offline=True)
        require(refused.returncode == 1, "the certificate was taken for another service")
        return f"{self.certificate['algorithm']}, {self.certificate['spiffeId']}; not taken for anybody else"

    def revoke_certificate(self):
        before = self.cli.json("certs", "bundle")["sequence"]
        self.cli.text("certs", "revoke", self.certificate["id"], "--reason", "keyCompromise")
        bundle = self.cli.json("certs", "bundle", "--after", str(before), "--wait", "20")
        denied = json.loads(base64.b64decode(bundle["denyList"]["payload"]))["denied"]
        serials = [entry["serialNumber"] for entry in denied]
        require(self.certificate["serialNumber"] in serials, "the deny list does not name the certificate")
        return f"in the signed deny list of bundle {bundle['sequence']}"

    def revoke(self):
        made = self.cli.json("apikeys", "create", f"pipeline-{self.run_id}", "--scope", "secrets:read")
        pipeline = Cli(self.qapi, self.base_url, made["key"])
        secret = self.ids[f"DATABASE_URL_{self.run_id}"]
        pipeline.text("vault", "get", secret)
        self.cli.text("apikeys", "revoke", made["id"])
        refused = pipeline.run("vault", "get", secret)
        require(refused.returncode == 1 and not refused.stdout, "the revoked key still reads")
        return f"exit 1: {refused.stderr.decode().strip()}"


def make_environment(run_id):
    """Fifty secrets as they stand in the .env file of a service."""
    hosts = ["db", "cache", "queue", "search", "mail", "billing", "reports", "auth", "media", "export"]
    environment = {
        f"DATABASE_URL_{run_id}": f"postgres://app:{secrets.token_urlsafe(18)}@db.internal:5432/app",
        f"STRIPE_KEY_{run_id}": f"sk_live_{secrets.token_hex(16)}",
    }
    kinds = {"PASSWORD": lambda: secrets.token_urlsafe(18), "TOKEN": lambda: secrets.token_hex(20)}
    kinds |= {"API_KEY": lambda: secrets.token_urlsafe(30), "SIGNING_SECRET": lambda: secrets.token_hex(32)}
    kinds["WEBHOOK_SECRET"] = lambda: f"whsec_{secrets.token_urlsafe(24)}"
    names = [f"{host}_{kind}_{run_id}".upper().replace(run_id.upper(), run_id) for host in hosts for kind in kinds]
    makers = [kind for _ in hosts for kind in kinds.values()]
    environment |= {name: make() for name, make in list(zip(names, makers))[:48]}
    return environment


def make_people(rows):
    """A customer table that is the same every time; its addresses are in a domain nobody can own."""
    chance = random.Random(2026)
    people = []
    for number in range(rows):
        first, last = chance.choice(FIRST), chance.choice(LAST)
        people.append({
            "id": str(number),
            "name": f"{first} {last} {number}",
            "email": f"{first.lower()}.{last.lower()}.{number}@people.example",
            "phone": f"+49 30 {chance.randrange(10**7, 10**8)}",
            "iban": f"DE{chance.randrange(10**19, 10**20)}",
        })
    return people


def spellings(text):
    """A value as a careless program might have stored it: as it is, in hex, or somewhere inside a base64 text."""
    raw = text.encode()
    # Base64 depends on where in its text the value begins, and its ends on the neighbours.
    inside = {base64.b64encode(bytes(shift) + raw)[4:-4] for shift in range(3)} if len(raw) >= 12 else set()
    return {raw, raw.hex().encode(), *inside}


def chunks(values, size):
    return [values[start : start + size] for start in range(0, len(values), size)]


def write_csv(path, header, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def rate(count, began):
    return f"{count / (time.monotonic() - began):,.0f}"


def main():
    parser = argparse.ArgumentParser(description="The tour of the main job against a running `qapid dev`.")
    parser.add_argument("--qapi", required=True, help="the command line binary")
    parser.add_argument("--data-dir", required=True, type=pathlib.Path, help="the data directory of the server")
    parser.add_argument("--rows", type=int, default=10_000, help="people in the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        tour = Tour(arguments.qapi, arguments.data_dir, arguments.rows, pathlib.Path(work))
        print(f"the main job, against {tour.base_url}")
        for number, (title, step) in enumerate(tour.steps(), 1):
            began = time.monotonic()
            try:
                result = step()
            except (TourFailed, OSError, LookupError, ValueError) as error:
                print(f"{number:2}. {title}: FAILED: {error}", flush=True)
                return 1
            print(f"{number:2}. {title}: {result} ({time.monotonic() - began:.2f} s)", flush=True)
    print(f"tour done: every step as promised. Status page: {tour.base_url}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
