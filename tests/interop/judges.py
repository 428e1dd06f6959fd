# SPDX-License-Identifier: MIT
"""Other people's judges of produced documents, and our own verdict beside theirs."""
import json
import os
import subprocess

from lxml import etree

DS = "{http://www.w3.org/2000/09/xmldsig#}"

# What we call a level -> what EU DSS calls it (EN 319 132-1 and -2).
DSS_LEVELS = {
    "XML-DSig": "XML-NOT-ETSI",
    "XAdES-X-Long": "XAdES-C",
    "XAdES-X-L": "XAdES-XL",
    "XAdES-B-B": "XAdES-BASELINE-B",
    "XAdES-B-T": "XAdES-BASELINE-T",
    "XAdES-B-LT": "XAdES-BASELINE-LT",
    "XAdES-B-LTA": "XAdES-BASELINE-LTA",
}


class Verdict:
    """One signature: where it stands, its level in EU DSS's words, and what was said of it."""

    def __init__(self, ident, counter, level, indication, sub, stamps):
        self.ident, self.counter, self.level, self.stamps = ident, counter, level, stamps
        self.said = indication.replace("-", "_") + ("/" + sub if sub else "")


# ---- EU DSS ----

def oracle_missing(shared):
    """None, or why EU DSS can't be asked."""
    if not os.path.isfile(shared + "/oracle/oracle"):
        return f"no oracle in {shared}/oracle"
    try:
        java = subprocess.run(["java", "-version"], capture_output=True, check=False).returncode == 0
    except OSError:
        java = False
    return None if java else "no Java runtime"


def oracle(shared, folder, rows):
    """rows: [(key, file, side files, trust, instant)] -> {key: [Verdict]}; one start of the JVM for all"""
    table, out = folder + "/rows.tsv", folder + "/verdicts.jsonl"
    with open(table, "w", encoding="utf-8") as f:
        f.write("row\tfile\tdetached\ttrust\ttime\tpolicy\n")
        for key, file, side, trust, when in rows:
            beside = ";".join(f"{os.path.basename(s)}={s}" for s in side) or "-"
            f.write(f"{key}\t{file}\t{beside}\t{trust}\t{when}\t-\n")
    with open(folder + "/oracle.log", "wb") as log:
        subprocess.run(["sh", shared + "/oracle/oracle", "validate", table, "--out", out, "--jobs", "2"],
                       stdout=log, stderr=log, check=True)
    found = {row[0]: [] for row in rows}
    with open(out, encoding="utf-8") as f:
        for line in f:
            v = json.loads(line)
            if v["thing"] in ("signature", "counter-signature"):
                found[v["row"]].append(Verdict(v.get("id"), v["thing"] != "signature", v.get("level"), v["indication"],
                                               v.get("subindication"), v.get("timestamps")))
            elif v["thing"] == "document":
                found[v["row"]].append(Verdict(None, False, None, v["indication"], v.get("subindication"), None))
    return found


# ---- ours ----

def ours(everseal, rows):
    """The same rows by `everseal verify --policy dss`, which knows the anchors and the file alone."""
    found = {}
    for key, file, side, trust, when in rows:
        words = [everseal, "--json", "--quiet", "verify", file, "--trust", trust, "--at", when, "--policy", "dss"]
        for s in side:
            words += ["--with", s]
        done = subprocess.run(words, capture_output=True, check=False)
        if done.returncode not in (0, 1, 3):
            found[key] = [Verdict(None, False, None, "EXIT", f"{done.returncode} {done.stderr.decode()[-200:]}", None)]
            continue
        found[key] = [Verdict(s["id"], s["parent"] is not None, DSS_LEVELS.get(s["level"], s["level"]), s["indication"],
                              s["subindication"], s["timestamps"]) for s in json.loads(done.stdout)["documents"][0]["signatures"]]
    return found


# ---- xmlsec1 and the schemas ----

IDS = ["http://www.w3.org/2000/09/xmldsig#:Signature", "http://www.w3.org/2000/09/xmldsig#:Object",
       "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "data", "http://www.w3.org/2000/09/xmldsig#:SignatureValue",
       "http://www.w3.org/2000/09/xmldsig#:Manifest"]


def xmlsec(produced, root, when):
    """None when every signature of the file is right by xmlsec1, else what it said."""
    for signature in etree.parse(produced.file).iter(DS + "Signature"):
        words = ["xmlsec1", "--verify", "--node-id", signature.get("Id"), "--verification-gmt-time",
                 when.strftime("%Y-%m-%d %H:%M:%S"), "--trusted-pem", root]
        for i in IDS:
            words += ["--id-attr:Id", i]
        done = subprocess.run(words + [os.path.basename(produced.file)], cwd=os.path.dirname(produced.file),
                              capture_output=True, check=False)
        if done.returncode != 0:
            return (done.stderr or done.stdout).decode()[-200:].replace("\n", " ")
    return None


def schema(produced, schemas, folder):
    """None when each ds:Signature that stands by itself obeys the published schemas."""
    env = dict(os.environ, XML_CATALOG_FILES=schemas + "/catalog.xml")
    for n, signature in enumerate(etree.parse(produced.file).iter(DS + "Signature")):
        if any(up.tag == DS + "Signature" for up in signature.iterancestors()):
            continue
        cut = f"{folder}/signature-{n}.xml"
        with open(cut, "wb") as f:
            f.write(etree.tostring(signature, with_tail=False))
        done = subprocess.run(["xmllint", "--nonet", "--noout", "--huge", "--schema", schemas + "/xades.xsd", cut], env=env,
                              capture_output=True, check=False)
        os.unlink(cut)
        if done.returncode != 0:
            lines = [x for x in done.stderr.decode().splitlines() if "Skipping import" not in x and "warning" not in x]
            return " ".join(lines[:2])[:300]
    return None
