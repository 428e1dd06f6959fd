#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make interop: documents of the test PKI go through a simulated archive, and what comes out of it at X-L, A, LT and
LTA, and after two renewals, is judged by others: EU DSS (a Java program, offline, with our anchors), xmlsec1 and the
published schemas; our own verdict under EU DSS's policy stands beside theirs.

    interop.py BUILD SHARED [WORD]      WORD: only documents whose name has it
"""
import datetime
import os
import shutil
import sys

import judges
from produce import Archive, Document, Produced, text_of

# Every shape, every kind of key; CA 1 answers by OCSP (responders of 11 months), CA 2 by CRL alone.
DOCUMENTS = [
    Document("enveloped", "rsa", "ca1"),
    Document("enveloping", "ecdsa", "ca2"),
    Document("detached", "pss", "ca1"),
    Document("sibling", "brainpool", "ca2"),
    Document("parallel", "p384", "ca1"),
    Document("counter", "p521", "ca1"),
    Document("manifest", "rsa4096", "ca2"),
    Document("enveloped", "ed25519", "ca1"),
    Document("enveloped", "brainpool384", "ca1", ["--level", "epes"]),
    Document("enveloping", "rsa2048", "ca2", ["--signing-cert", "v1"]),
]

# TSA 1 has CRLs alone, TSA 2 answers by OCSP, too, and sends its CA along.
PROFILES = {
    "X-L": {"form": "extended", "tsa": "tsa2, tsa1", "target": "X-L"},
    "A": {"form": "extended", "tsa": "tsa1, tsa2", "target": "A"},
    "LT": {"form": "baseline", "tsa": "tsa1, tsa2", "target": "LT"},
    "LTA": {"form": "baseline", "tsa": "tsa2, tsa1", "target": "LTA"},
}
STAMPED = ("A", "LTA")
RENEWALS = 2
LEVELS = {"X-L": "XAdES-XL", "A": "XAdES-A", "LT": "XAdES-BASELINE-LT", "LTA": "XAdES-BASELINE-LTA"}
FIRST_DAYS = ["2026-01-01T00:05:00Z", "2026-01-02T00:10:00Z", "2026-01-03T00:20:00Z", "2026-01-04T00:30:00Z"]
TSA2_AWAY = FIRST_DAYS[1]  # so the X and archive stamps come from another TSA than the signature stamp
LAST_YEAR = 2040

PASSED = "TOTAL_PASSED"
RESPONDER_ENDED = "INDETERMINATE/REVOCATION_OUT_OF_BOUNDS_NO_POE"
SIGNER_ENDED = "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"
UNKNOWN_ALGORITHM = "INDETERMINATE/CRYPTO_CONSTRAINTS_FAILURE_NO_POE"


def expected(produced, when):
    """What EU DSS must say of a signature that isn't a counter-signature, and why where that is not TOTAL_PASSED."""
    if produced.stage == "LT" and produced.document.ca == "ca1" and when != "now":
        # No stamp covers the values of level LT (at X-L, the X stamp covers the references to them): what an OCSP responder
        # said proves nothing once its certificate has ended. CRLs outlive that, since the CA itself signs them.
        if when == "year":
            return RESPONDER_ENDED, "no stamp over the values, the OCSP responder's certificate has ended"
        return SIGNER_ENDED, "the signer's certificate has ended, too"
    if produced.stage == "LTA-bare" and when != "now":
        return (RESPONDER_ENDED if when == "year" else SIGNER_ENDED), "the control: the archive stamp's own material is not there"
    if produced.document.key == "ed25519":
        return UNKNOWN_ALGORITHM, "EdDSA is not in its catalogue"
    return PASSED, ""


# ---- the archive's life ----

def make(archive, documents):
    """-> {(document, profile): record}"""
    for d in documents:
        archive.sign(d)
    return {(d, p): archive.deposit(d, p) for d in documents for p in PROFILES}


def take(archive, document, profile, stage, record, *words):
    folder = f"{archive.folder}/out/{stage}/{document.name}"
    archive.get(record, folder, *words)
    return Produced(document, profile, stage, folder, archive.now)


def first_levels(archive, records, faults):
    """Everything has reached its profile's level; behind an archive stamp stands what there is of its own material."""
    for day in FIRST_DAYS:
        if day == TSA2_AWAY:
            archive.testpki("misbehave", "--service", "tsa2", "--mode", "away")
        archive.run(day)
        archive.testpki("misbehave", "--clear")
    out = []
    for (document, profile), record in records.items():
        want = {"archived"} if profile in STAMPED else {"kept"}
        states = archive.states(record)
        if states != want:
            faults.append(f"{document.name} {profile}: state {'/'.join(sorted(states))}, not {'/'.join(want)}")
        out.append(take(archive, document, profile, profile, record))
    # the control: an archive stamp without its own material behind it
    document = next((d for d in DOCUMENTS if (d, "LTA") in records and d.ca == "ca1" and d.shape == "enveloped"), None)
    if document is not None:
        out.append(take(archive, document, "LTA", "LTA-bare", records[document, "LTA"], "--version", "2"))
    return out


def month_after(month):
    return f"{2026 + (month - 1) // 12}-{(month - 1) % 12 + 1:02d}-01T00:00:00Z"


def when_closed(archive, records, faults, first, stage, stamps):
    """Month by month, a sweep each December, until each record has so many archive stamps and the newest one's material."""
    waiting = {key: record for key, record in records.items() if key[1] in STAMPED}
    out, month = [], first
    while waiting and archive.now.year < LAST_YEAR:
        archive.run(month_after(month))
        if month % 12 == 0:
            archive.everseal("sweep")
        held = archive.stamps()
        for (document, profile), record in list(waiting.items()):
            if held[record] < stamps * document.signatures or archive.states(record) != {"closed"}:
                continue
            out.append(take(archive, document, profile, profile + stage, record))
            del waiting[document, profile]
        month += 1
    for document, profile in waiting:
        faults.append(f"{document.name} {profile}: not at {stamps} archive stamps and closed by {LAST_YEAR}")
    return out, month


# ---- judging ----

def times(produced):
    last = produced.newest_tsa_end().replace(hour=12, minute=0, second=0)
    return {"now": produced.time, "year": produced.time + datetime.timedelta(days=365), "last": last}


class Count:
    passed = failed = skipped = 0

    def row(self, name, fault, note=""):
        self.passed, self.failed = self.passed + (not fault), self.failed + bool(fault)
        print(f"[{'  FAILED  ' if fault else '       OK '}] {name}" + (f": {fault}" if fault else "") + (f"  ({note})" if note else ""),
              flush=True)


def of_dss(produced, when, verdicts):
    want, why = expected(produced, when)
    level = LEVELS[produced.form]
    masters = [v for v in verdicts if not v.counter]
    if len(masters) != produced.document.signatures:
        return f"{len(masters)} signatures: {', '.join(v.said for v in verdicts)}", why
    for v in masters:
        if v.said != want or v.level != level:
            stamps = ", ".join(f"{t['type']}@{t['time'][:10]} {t['indication']} {t['subindication'] or ''}" for t in v.stamps or [])
            return f"{v.said} at {v.level}, wanted {want} at {level} [{stamps}]", why
    return "", why


def of_ours(theirs, own):
    """Our verdict against EU DSS's, signature by signature, counter-signatures too."""
    if len(theirs) != len(own):
        return f"{len(own)} signatures, EU DSS sees {len(theirs)}"
    mine = {v.ident: v for v in own}
    for v in theirs:
        w = mine.get(v.ident)
        if w is None or (w.said, w.level) != (v.said, v.level):
            return f"{w.said if w else '-'} at {w.level if w else '-'}, EU DSS {v.said} at {v.level}" + (" (counter-signature)" if v.counter else "")
    return ""


def judge(archive, shared, everseal, all_produced, count):
    rows, moments = [], {}
    for p in all_produced:
        for when, moment in times(p).items():
            key = f"{p.name} {when}".replace(" ", "/")
            moments[key] = (p, when)
            rows.append((key, p.file, p.side, archive.trust, text_of(moment)))
    theirs, own = judges.oracle(shared, archive.folder, rows), judges.ours(everseal, rows)
    for key, (p, when) in moments.items():
        fault, why = of_dss(p, when, theirs[key])
        count.row(f"dss {key}", fault, why)
    for key in moments:
        count.row(f"same {key}", of_ours(theirs[key], own[key]))
    for p in all_produced:
        if p.document.key not in ("pss", "ed25519"):  # xmlsec1 1.2 knows neither
            said = judges.xmlsec(p, archive.trust + "/root.pem", archive.signed)
            count.row(f"xmlsec1 {p.name}", said)
        count.row(f"schema {p.name}", judges.schema(p, shared + "/schemas", archive.folder))


def main():
    build, shared = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    word = sys.argv[3] if len(sys.argv) > 3 else ""
    missing = judges.oracle_missing(shared)
    if missing:
        print(f"interop NOT RUN: {missing}")
        return 1
    for name in ("xmlsec1", "xmllint", "openssl"):
        if shutil.which(name) is None:
            print(f"interop NOT RUN: no {name}")
            return 1
    count, faults = Count(), []
    documents = [d for d in DOCUMENTS if word in d.name]
    with Archive(build + "/interop", build) as archive:
        archive.init(PROFILES)
        archive.signed = archive.now
        records = make(archive, documents)
        produced = first_levels(archive, records, faults)
        closed, month = when_closed(archive, records, faults, 2, "-closed", 1)
        renewed, month = when_closed(archive, records, faults, month, f"+{RENEWALS}", 1 + RENEWALS)
        produced += closed + renewed
    for fault in faults:
        count.row("archive", fault)
    judge(archive, shared, build + "/everseal", produced, count)
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
