# SPDX-License-Identifier: MIT
"""A simulated archive with the test PKI beside it: documents go in, the clock runs, and files come out at the
levels that the judges are asked about.

    with Archive(folder, build) as a: a.deposit(doc, profile) ...; a.run(instant); a.get(record, folder)
"""
import base64
import datetime
import json
import os
import shutil
import subprocess

from lxml import etree

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
UTC = datetime.timezone.utc


def instant(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def text_of(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Document:
    """What the test PKI signs: a shape, a kind of key, and who issues the signer's certificate."""

    def __init__(self, shape, key, ca, options=()):
        self.shape, self.key, self.ca, self.options = shape, key, ca, list(options)
        self.name = f"{shape}-{key}" + ("".join("-" + o.lstrip("-") for o in options))
        self.signatures = 2 if shape == "parallel" else 1
        self.path = None  # a file, or a folder where the data lies beside the signature


class Produced:
    """A document as it came out of the archive."""

    def __init__(self, document, form, stage, folder, time):
        self.document, self.form, self.stage, self.time = document, form, stage, time
        self.name = f"{document.name} {stage}"
        files = sorted(os.path.join(folder, f) for f in os.listdir(folder))
        self.file = next(f for f in files if is_signature(f))
        self.side = [f for f in files if f != self.file]

    def newest_tsa_end(self):
        """notAfter of the certificate that signed the newest stamp of the first signature"""
        root = etree.parse(self.file).getroot()
        signature = next(root.iter(DS + "Signature"))
        ends = []
        for stamps in signature.iterfind(f"{DS}Object/{XADES}QualifyingProperties/{XADES}UnsignedProperties/"
                                         f"{XADES}UnsignedSignatureProperties/*/{XADES}EncapsulatedTimeStamp"):
            ends.append(token_end(base64.b64decode(stamps.text)))
        return max(ends)[1]


def is_signature(path):
    with open(path, "rb") as f:
        return b"SignatureValue" in f.read()


def token_end(token):
    """(genTime, notAfter of the signer); the signer is the certificate that may stamp"""
    said = tool(["openssl", "ts", "-reply", "-token_in", "-in", "/dev/stdin", "-token_out", "-text"], token).decode()
    made = next(line for line in said.splitlines() if line.startswith("Time stamp: "))[len("Time stamp: "):]
    made = datetime.datetime.strptime(made, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    certs = tool(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], token).decode()
    for pem in certs.split("-----BEGIN CERTIFICATE-----")[1:]:
        pem = "-----BEGIN CERTIFICATE-----" + pem
        about = tool(["openssl", "x509", "-noout", "-enddate", "-ext", "extendedKeyUsage"], pem.encode()).decode()
        if "Time Stamping" in about:
            end = next(line for line in about.splitlines() if line.startswith("notAfter="))[len("notAfter="):]
            return made, datetime.datetime.strptime(end, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    raise ValueError("a token without its signer's certificate")


def tool(words, octets=b""):
    done = subprocess.run(words, input=octets, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.decode()[-400:]}")
    return done.stdout


class Archive:
    def __init__(self, folder, build):
        self.folder, self.build = os.path.abspath(folder), os.path.abspath(build)
        self.clock = os.path.join(self.folder, "clock")
        self.pki = os.path.join(self.folder, "pki")
        self.trust = os.path.join(self.folder, "trust")
        self.conf = os.path.join(self.folder, "everseal.conf")

    def __enter__(self):
        pool = os.path.join(self.build, "demo-pool")
        if os.path.isdir(self.pki):
            subprocess.run([self.build + "/testpki", "stop", self.pki], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder + "/in")
        os.makedirs(pool, exist_ok=True)
        os.environ["TESTPKI_POOL"] = pool
        self.set_clock("2026-01-01T00:00:00Z")
        self.testpki("init", "--clock", self.clock)
        self.testpki("serve", "--daemon", "--ready-file", self.folder + "/ready")
        return self

    def __exit__(self, *_):
        self.testpki("stop")

    def testpki(self, verb, *words):
        # serve leaves a child behind that would hold a pipe open
        with open(self.folder + "/testpki.log", "ab") as log:
            subprocess.run([self.build + "/testpki", verb, self.pki, *words], stdout=log, stderr=log, check=True)

    def everseal(self, *words, good=(0,)):
        done = subprocess.run([self.build + "/everseal", "-c", self.conf, "--json", "--quiet", *words],
                              capture_output=True, check=False)
        with open(self.folder + "/everseal.err", "ab") as log:
            log.write(done.stderr)
        if done.returncode not in good:
            raise RuntimeError(f"everseal {' '.join(words)}: exit {done.returncode}: {done.stderr.decode()[-400:]}")
        return done.stdout

    def ask(self, *words):
        return json.loads(self.everseal(*words))

    def set_clock(self, text):
        with open(self.clock + ".new", "w", encoding="ascii") as f:
            f.write(text + "\n")
        os.rename(self.clock + ".new", self.clock)
        self.now = instant(text)

    def init(self, profiles):
        """profiles: {name: {key: value}}"""
        with open(self.pki + "/port", encoding="ascii") as f:
            port = f.read().strip()
        urls = ",".join(f"http://127.0.0.1:{port}/tsa{n}" for n in (1, 2, 3))
        self.everseal("init", "--simulated", self.folder, "--clock", self.clock, "--tsa", urls, "--allow-net", f"127.0.0.1:{port}")
        for anchor in os.listdir(self.pki + "/trust"):
            shutil.copy(self.pki + "/trust/" + anchor, self.trust)
        with open(self.conf, "a", encoding="ascii") as f:
            for name, keys in profiles.items():
                f.write(f"\n[profile {name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))
        self.everseal("config", "check")

    def sign(self, document):
        folder = document.path = f"{self.folder}/in/{document.name}"
        os.makedirs(folder)
        name = "signature.xml" if document.shape == "detached" else document.name + ".xml"
        self.testpki("sign", "--name", document.name.replace("-", " "), "--out", f"{folder}/{name}", "--shape", document.shape,
                     "--key", document.key, "--ca", document.ca, *document.options)
        if len(os.listdir(folder)) == 1:
            document.path = f"{folder}/{name}"

    def deposit(self, document, profile):
        return self.ask("deposit", document.path, "--profile", profile, "--id", f"{document.name} {profile}")["record"]

    def run(self, text):
        self.set_clock(text)
        self.everseal("run", "--once", good=(0, 3, 75))

    def states(self, record):
        """Of the signatures that go a way of their own; a counter-signature goes with its master."""
        last = self.ask("history", record)[-1]
        return {s["state"] for s in last["signatures"] if s["parent"] is None}

    def stamps(self):
        return {row["record"]: row["archive_timestamps"] for row in self.ask("list")}

    def get(self, record, folder, *words):
        self.everseal("get", record, "-o", folder, *words)
