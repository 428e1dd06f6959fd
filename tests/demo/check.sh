#!/bin/sh
# What the demo must have come to: check.sh DEMO-FOLDER
set -eu
python3 - "$1/summary.json" <<'END'
import json, sys
rows = {r["name"]: r for r in json.load(open(sys.argv[1]))}
bad = []
def want(name, **k):
    r = rows.get(name)
    if r is None:
        bad.append(f"{name}: no such record")
        return
    for key, v in k.items():
        if r.get(key) != v:
            bad.append(f"{name}: {key} is {r.get(key)!r}, not {v!r}")
for name in ("contract.xml", "latin2.xml", "policy-bound.xml", "ed25519.xml", "judgment.xml", "detached", "countersigned.xml"):
    want(name, level="XAdES-A", indication="TOTAL-PASSED")
want("invoice.xml", level="XAdES-B-LTA", indication="TOTAL-PASSED")
want("tampered.xml", indication="TOTAL-FAILED", subindication="HASH_FAILURE", archive_timestamps=0, next_deadline=None)
want("revoked.xml", indication="INDETERMINATE", subindication="REVOKED_NO_POE")
want("plain.pdf", level="pdf", indication=None, next_deadline=None)
if rows.get("unknown.xml", {}).get("indication") != "INDETERMINATE":
    bad.append("unknown.xml: a certificate that its responder does not know must stay INDETERMINATE")
for name, r in rows.items():
    if r["level"] in ("XAdES-A", "XAdES-B-LTA") and (r["archive_timestamps"] < 5 or not r["next_deadline"]):
        bad.append(f"{name}: {r['archive_timestamps']} archive stamps, next deadline {r['next_deadline']}")
print("\n".join(bad) or f"demo: {len(rows)} records as expected")
sys.exit(bool(bad))
END
