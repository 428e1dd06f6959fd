#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rows of originals from outside the repository (EVERSEAL_SHARED): the cases, and of the corpus the XML files that EU DSS was asked
about, with the anchors, time and policy of that question.

    shared.py SHARED DIR >rows
"""
import csv
import os
import shutil
import sys

shared, out = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
corpus = shared + "/corpus"
POLICIES = {"-": "dss", "lenient": "dss-lenient"}
MOST = 150000  # octets


def rows_of(name):
    with open(name, encoding="utf-8", newline="") as f:
        yield from csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)


def emit(name, file, beside, trust, time, policy):
    print("\t".join([name, file, beside or "-", trust, time, policy]))


def anchors(names):
    folder = out + "/trust-" + (names.replace(";", "-")[:200] if names != "-" else "none")
    if not os.path.isdir(folder):
        os.makedirs(folder)
        for n in names.split(";") if names != "-" else []:
            path = f"{corpus}/trust/dss-tops/{n}.cer"
            if os.path.isfile(path):
                shutil.copy(path, f"{folder}/{n}.cer")
    return folder


def beside_of(text):
    """None: something that has no place in a row"""
    if text == "-":
        return ""
    parts = []
    for one in text.split(";"):
        name, eq, path = one.partition("=")
        if one.startswith(("digest:", "er:", "gen:", "policy:")):
            return None
        path = f"{corpus}/{path if eq else name}"
        if not os.path.isfile(path):
            return None
        parts.append(f"{name}={path}" if eq else path)
    return ";".join(parts) if len(parts) <= 8 else None


def of_corpus():
    seen = set()
    for r in rows_of(corpus + "/dss-verdicts.tsv"):
        file, beside = f"{corpus}/{r['file']}", beside_of(r["detached"])
        key = (r["file"], r["policy"], r["time"])
        if r["thing"] != "signature" or r["policy"] not in POLICIES or beside is None or r["time"] == "-" or key in seen:
            continue
        if "/asic/" in "/" + r["file"] or not os.path.isfile(file) or os.path.getsize(file) > MOST:
            continue
        with open(file, "rb") as f:
            if f.read(4) in (b"PK\3\4", b"%PDF"):
                continue
        seen.add(key)
        emit(f"corpus {r['row']} {os.path.basename(r['file'])}", file, beside, anchors(r["anchors"]), r["time"], POLICIES[r["policy"]])


def of_cases():
    folder = shared + "/cases"
    for r in rows_of(folder + "/cases.tsv"):
        words, options, files = r["arguments"].split(), {}, []
        while words:
            w = words.pop(0)
            if w.startswith("--"):
                options.setdefault(w, []).append(words.pop(0))
            else:
                files.append(w)
        path = f"{folder}/{files[0]}"
        if r["expect"].startswith("within") or set(options) - {"--trust", "--at", "--policy"} or not os.path.isfile(path) or not path.endswith(".xml"):
            continue
        emit(f"case {r['case']}", path, "", f"{folder}/{options['--trust'][0]}", options["--at"][0], options.get("--policy", ["default"])[0])


os.makedirs(out, exist_ok=True)
of_cases()
of_corpus()
