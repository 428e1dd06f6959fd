#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What passes here, judged by EU DSS (by hand: a Java program, offline, with the same anchors and time): the originals that pass and a
sample of mutants that do. Prints how often it agrees, and each class of disagreement with an example (docs/differences.md).

    differential.py SHARED FOLDER SAMPLE.tsv...     rows as run --sample writes them
"""
import collections
import json
import os
import subprocess
import sys

shared, folder, tables = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:]
os.makedirs(folder, exist_ok=True)
rows, about = folder + "/rows.tsv", {}
with open(rows, "w", encoding="utf-8") as out:
    out.write("row\tfile\tdetached\ttrust\ttime\tpolicy\n")
    for table in tables:
        with open(table, encoding="utf-8") as f:
            for line in f:
                name, file, beside, trust, time, policy, kind = line.rstrip("\n").split("\t")
                if name in about:
                    continue
                about[name] = (kind, policy)
                out.write("\t".join([name, file, beside, trust, time, "lenient" if policy == "dss-lenient" else "-"]) + "\n")
with open(folder + "/log", "wb") as log:
    subprocess.run(["sh", shared + "/oracle/oracle", "validate", rows, "--out", folder + "/said.jsonl", "--jobs", "2"], stdout=log, stderr=log, check=True)
best = {}
with open(folder + "/said.jsonl", encoding="utf-8") as f:
    for line in f:
        v = json.loads(line)
        if v["thing"] not in ("signature", "counter-signature", "document"):
            continue
        said = v["indication"] + ("/" + v["subindication"] if v.get("subindication") else "")
        # ours: some signature of the file passes; theirs: the best that they say of any
        order = {"TOTAL_PASSED": 0, "INDETERMINATE": 1, "TOTAL_FAILED": 2}.get(v["indication"], 3)
        keys = " ".join(sorted(v.get("errors") or [])) if isinstance(v.get("errors"), list) else str(v.get("errors"))
        if v["row"] not in best or order < best[v["row"]][0]:
            best[v["row"]] = (order, said, keys, v.get("intact"), v.get("valid"))
classes = collections.defaultdict(list)
for name in about:
    order, said, keys, intact, valid = best.get(name, (4, "nothing", "", None, None))
    classes["agrees" if order == 0 else f"{said} [{keys}] intact={intact} valid={valid}"].append(name)
print(f"differential: {len(about)} documents that pass here, EU DSS agrees on {len(classes.pop('agrees', []))}")
for what, names in sorted(classes.items(), key=lambda kv: -len(kv[1])):
    print(f"{len(names):5} {what}\n" + "\n".join(f"      {n} {' '.join(about[n])}" for n in names[:8]))
