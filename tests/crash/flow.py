# SPDX-License-Identifier: MIT
"""Power loss and failing disks anywhere on the way of a signature, under the
real program: deposit, time-stamp, completion, archive stamp, closing, renewal.

One way is recorded (tests/recorder.c) for the archive and the spool. Disks are
built from the record: any prefix, with what was not synced dropped, torn at
512, zeroed, holed or kept at random. The program opens each: whatever had a receipt
is there and equal, nothing is there twice, and the way goes on to its end.
    flow.py BUILD WORK PKI CLOCK URL states|control|failing COUNT
"""
import json, os, random, shutil, struct, subprocess, sys

build, work, pki, clock, url = sys.argv[1:6]
what, count = sys.argv[6], int(sys.argv[7])
everseal = os.path.abspath(build + "/everseal")
recorder = os.path.abspath(build + "/tests/recorder.so")
SECTOR = 512
WAY = [("2026-01-01T00:10:00Z", [["run", "--once"]]), ("2026-01-02T00:20:00Z", [["run", "--once"]]),
       ("2026-01-03T00:40:00Z", [["run", "--once"]]), ("2030-06-01T00:00:00Z", [["run", "--once"], ["sweep"]]),
       ("2030-06-03T00:00:00Z", [["run", "--once"]])]
NAMES = ["one.xml", "two.xml", "plain.pdf"]


def at(instant):
    with open(clock + ".n", "w") as f:
        f.write(instant + "\n")
    os.rename(clock + ".n", clock)


def program(home, verb, env=None):
    e = dict(os.environ, **(env or {}))
    p = subprocess.run([everseal, "--uncaged", "--quiet", "--json", "-c", home + "/everseal.conf"] + verb, env=e, capture_output=True, timeout=120)
    return p.returncode, p.stdout


def fresh(home):
    """An archive with three deposits in new/, as a depositor left them."""
    shutil.rmtree(home, ignore_errors=True)
    at("2026-01-01T00:00:00Z")
    port = url.rsplit(":", 1)[1]
    code = subprocess.run([everseal, "--quiet", "init", "--simulated", home, "--clock", clock, "--tsa", url + "/tsa1," + url + "/tsa2", "--allow-net",
                           "127.0.0.1:" + port], capture_output=True).returncode
    assert code == 0, "init"
    for f in os.listdir(pki + "/trust"):
        shutil.copy(pki + "/trust/" + f, home + "/trust/" + f) if os.path.isdir(home + "/trust") else (os.mkdir(home + "/trust"), shutil.copy(pki + "/trust/" + f, home + "/trust/" + f))
    for n in NAMES:
        shutil.copy(work + "/in/" + n, home + "/spool/desk/new/" + n)


class Disk:
    """What is certain, and what was done since the last sync of it."""

    def __init__(self, home):
        self.files, self.now, self.sure, self.pend = [], {}, {}, []
        for d, folders, files in os.walk(home):
            rel = os.path.relpath(d, home)
            for n in folders:
                self.sure[os.path.normpath(rel + "/" + n)] = -1
            for n in files:
                path = os.path.normpath(rel + "/" + n)
                if "/index/" in "/" + path or "/ops/" in "/" + path:
                    continue
                self.sure[path] = len(self.files)
                self.files.append([bytearray(open(d + "/" + n, "rb").read()), []])
        self.now = dict(self.sure)

    @staticmethod
    def rename(names, o, inode):
        if o["op"] in "RU":
            names.pop(o["path"], None)
        if o["op"] != "U":
            names[o["path2"] if o["op"] in "RL" else o["path"]] = inode

    def sync_file(self, i):
        for o in self.files[i][1]:
            self.write(self.files[i][0], o, o["data"])
        self.files[i][1] = []

    @staticmethod
    def write(content, o, data, off=None):
        start = o["off"] if off is None else off
        if o["op"] == "T":
            del content[start:]
            content.extend(b"\0" * (start - len(content)))
            return
        content.extend(b"\0" * (start + len(data) - len(content)))
        content[start:start + len(data)] = data

    def play(self, o):
        inode = self.now.get(o["path"])
        if o["op"] == "F":
            for i in range(len(self.files)):
                self.sync_file(i)
            self.sure, self.pend = dict(self.now), []
        elif o["op"] == "S" and inode is not None and inode >= 0:
            self.sync_file(inode)
        elif o["op"] == "S":
            left = []
            for p, i in self.pend:
                if os.path.dirname(p["path2"] if p["op"] in "RL" else p["path"]) == o["path"]:
                    self.rename(self.sure, p, i)
                else:
                    left.append((p, i))
            self.pend = left
        elif o["op"] in "WT" and inode is not None:
            self.files[inode][1].append(o)
        elif o["op"] in "CMRLU":
            if o["op"] == "C":
                inode = len(self.files)
                self.files.append([bytearray(), []])
            elif o["op"] == "M":
                inode = -1
            self.pend.append((o, inode))
            self.rename(self.now, o, inode)

    def build(self, variant, rnd, home):
        names = dict(self.sure)
        for p, i in self.pend[:0 if variant == "lost" else rnd.randint(0, len(self.pend)) if variant in ("sectors", "files", "holes") else None]:
            self.rename(names, p, i)
        for path in sorted(names):
            full = home + "/" + path
            if names[path] < 0:
                os.makedirs(full, exist_ok=True)
                continue
            if not os.path.isdir(os.path.dirname(full)):
                continue
            with open(full, "wb") as f:
                f.write(self.content(names[path], variant, rnd))
            os.chmod(full, 0o600)

    def content(self, i, variant, rnd):
        out, pend = bytearray(self.files[i][0]), self.files[i][1]
        whole = variant == "kept" or (variant == "files" and rnd.random() < 0.5)
        for k, o in enumerate(pend):
            last = k + 1 == len(pend)
            if whole or (variant == "torn" and not last) or (o["op"] == "T" and variant in ("zeroed", "sectors", "holes")):
                self.write(out, o, o["data"])
            elif variant == "torn" and o["op"] == "W":
                self.write(out, o, o["data"][:len(o["data"]) // 2 // SECTOR * SECTOR])
            elif variant == "zeroed" and o["op"] == "W":
                self.write(out, o, bytes(len(o["data"])))
            elif variant == "sectors" and o["op"] == "W":
                for j in range(0, len(o["data"]), SECTOR):
                    if rnd.random() < 0.5:
                        self.write(out, o, o["data"][j:j + SECTOR], o["off"] + j)
            elif variant == "holes" and o["op"] == "W":  # whole but for its first sector, or for any one
                hole = rnd.choice([0, rnd.randrange(0, max(1, len(o["data"])), SECTOR)])
                n = len(o["data"][hole:hole + SECTOR])
                was = bytes(out[o["off"] + hole:o["off"] + hole + n]).ljust(n, b"\0")
                self.write(out, o, o["data"])
                self.write(out, o, was, o["off"] + hole)
        return bytes(out)


VARIANTS = ["kept", "lost", "names", "torn", "zeroed", "sectors", "files", "holes"]


def read_record(path):
    raw, at_, out = open(path, "rb").read(), 0, []
    while at_ < len(raw):
        op, a, b, n, off = struct.unpack_from("=IIIIQ", raw, at_)
        p = at_ + 24
        out.append({"op": chr(op), "path": raw[p:p + a].decode(), "path2": raw[p + a:p + a + b].decode(), "off": off, "data": raw[p + a + b:p + a + b + n]})
        at_ = p + a + b + n
    return out


def record_way(home, nosync):
    """The way under the recorder: the disk before, [(instant, step, op)], the index as each step found it."""
    fresh(home)
    disk, ops, indexes = Disk(home), [], []
    for step, (instant, verbs) in enumerate(WAY):
        at(instant)
        copy = work + "/index-%d" % step
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(home + "/archive/index", copy) if os.path.isdir(home + "/archive/index") else os.mkdir(copy)
        indexes.append(copy)
        rec = work + "/record"
        if os.path.exists(rec):
            os.unlink(rec)
        env = {"LD_PRELOAD": recorder, "RECORD_DIR": os.path.abspath(home), "RECORD_FILE": os.path.abspath(rec)}
        env.update({"RECORD_NOSYNC": "1"} if nosync else {})
        for v in verbs:
            code, _ = program(home, v, env)
            assert code == 0, "recorded %s: %d" % (v, code)
        ops += [(step, o) for o in read_record(rec)]
    return disk, ops, indexes


def receipts(home):
    done, out = home + "/spool/desk/done", {}
    for f in os.listdir(done) if os.path.isdir(done) else []:
        if f.endswith(".receipt.json"):
            out[f[:-len(".receipt.json")]] = json.load(open(done + "/" + f))["record"]
    return out


def check(home, acked, step, to_the_end):
    """None, or what is wrong; once something has a receipt an archive that does not open or list it is a loss."""
    at(WAY[step][0])
    code, out = program(home, ["run", "--once"])
    if code != 0:
        return "run --once: exit %d %s" % (code, out[-300:])
    code, out = program(home, ["list"])
    try:
        rows = json.loads(out)
    except ValueError:
        return "list: exit %d, no JSON" % code
    for n in NAMES:
        ids = [r["record"] for r in rows if r["name"] == n]
        if len(ids) != 1:
            return "%s is there %d times" % (n, len(ids))
        if n in acked and ids[0] != acked[n]:
            return "the record of %s is not what its receipt names" % n
        shutil.rmtree(work + "/got", ignore_errors=True)
        code, _ = program(home, ["get", ids[0], "-o", work + "/got", "--version", "0"])
        if code != 0 or open(work + "/got/" + n, "rb").read() != open(work + "/in/" + n, "rb").read():
            return "%s is not what was deposited (exit %d)" % (n, code)
    for verb in (["log", "verify"], ["scrub", "--full"]):
        code, out = program(home, verb)
        if code != 0:
            return "%s: exit %d %s" % (" ".join(verb), code, out[-200:])
    return go_on(home, step) if to_the_end else None


def go_on(home, step):
    extra = [("2026-01-0%dT12:00:00Z" % d, [["run", "--once"]]) for d in (4, 5, 6, 7)] if step < 3 else []
    for instant, verbs in WAY[step:3] + extra + WAY[3:] + [("2030-07-%02dT00:00:00Z" % d, [["run", "--once"]]) for d in (3, 5)]:
        at(instant)
        for v in verbs:
            code, out = program(home, v)
            if code != 0:
                return "%s at %s: exit %d %s" % (v, instant, code, out[-300:])
    rows = json.loads(program(home, ["list", "--judge"])[1])
    for r in rows:
        if r["name"].endswith(".xml") and (r["level"] != "XAdES-A" or r["archive_timestamps"] != 2 or r["indication"] != "TOTAL-PASSED"):
            return "at the end %s is %s %s %s" % (r["name"], r["level"], r["archive_timestamps"], r["indication"])
    return None


def states(nosync, limit):
    disk, ops, indexes = record_way(work + "/way", nosync)
    final, acked, seen, bad, lost, first = receipts(work + "/way"), {}, 0, 0, 0, None
    assert sorted(final) == sorted(NAMES), "receipts"
    picks = {}
    rnd = random.Random(7)
    for k in range(limit):  # one place of each stratum, any disk
        picks.setdefault((k * len(ops) + rnd.randrange(len(ops))) // limit, []).append(VARIANTS[k % len(VARIANTS)])
    for i, (step, o) in enumerate(ops):
        disk.play(o)
        if o["op"] in "RL" and o["path2"].endswith(".receipt.json"):
            n = os.path.basename(o["path2"])[:-len(".receipt.json")]
            acked[n] = final[n]
        for variant in picks.get(i, []):
            home = work + "/state"
            shutil.rmtree(home, ignore_errors=True)
            os.mkdir(home)
            disk.build(variant, random.Random(i), home)
            if seen % 2 == 0 and not nosync:  # the index lags; else it is gone
                shutil.copytree(indexes[step], home + "/archive/index", dirs_exist_ok=True)
            seen += 1
            why = check(home, acked, step, seen % 6 == 0 and not nosync)
            if why is None:
                continue
            bad += 1
            lost += bool(acked)
            if first is None or (acked and lost == 1):
                first = "after call %d of %d (%s %s), disk %s: %s" % (i, len(ops), o["op"], o["path"], variant, why)
                if os.environ.get("KEEP") and not nosync:
                    shutil.rmtree(work + "/bad", ignore_errors=True)
                    disk.build(variant, random.Random(i), work + "/bad") if os.makedirs(work + "/bad") is None else None
    print("  %d calls, %d syncs, %d disks, %d bad, %d with a loss: %s" % (len(ops), sum(o["op"] in "SF" for _, o in ops), seen, bad, lost, first))
    return bad, lost


def failing(limit):
    """ENOSPC and EIO at calls of each step: told, nothing lost, goes on when the disk is well."""
    bad, runs, hurt, first = 0, 0, 0, None
    fresh(work + "/base")
    for step, (instant, verbs) in enumerate(WAY):
        at(instant)
        for v in verbs:
            env = {"LD_PRELOAD": recorder, "RECORD_DIR": os.path.abspath(work + "/count"), "FAIL_AT": "10000000", "FAIL_COUNT": os.path.abspath(work + "/calls")}
            shutil.rmtree(work + "/count", ignore_errors=True)
            shutil.copytree(work + "/base", work + "/count", symlinks=True)
            assert program(work + "/count", v, env)[0] == 0, v
            calls = int(open(work + "/calls").read())
            share = max(4, limit // 6)
            for k in range(share):
                at(instant)
                n, errno = 1 + (k * calls) // share + (step * 7 + k) % max(1, calls // share), (28, 5)[k % 2]
                home = work + "/fail"
                shutil.rmtree(home, ignore_errors=True)
                shutil.copytree(work + "/base", home, symlinks=True)
                env = {"LD_PRELOAD": recorder, "RECORD_DIR": os.path.abspath(home), "FAIL_AT": str(n), "FAIL_ERRNO": str(errno)}
                code, _ = program(home, v, env)
                hurt += code != 0
                runs += 1
                why = check(home, receipts(home), step, k % 4 == 0) if code >= 0 else "killed by signal %d" % -code
                if why is not None:
                    bad += 1
                    first = first or "%s at %s, call %d of %d fails with %d (exit %d): %s" % (" ".join(v), instant, n, calls, errno, code, why)
            at(instant)
            assert program(work + "/base", v)[0] == 0, v
    print("  %d runs with a failing call, %d ended badly and said so, %d left something wrong: %s" % (runs, hurt, bad, first))
    return bad, hurt


if what == "states":
    sys.exit(0 if states(False, count)[0] == 0 else 1)
if what == "control":
    sys.exit(0 if states(True, count)[1] > 0 else 1)
bad, hurt = failing(count)
sys.exit(0 if bad == 0 and hurt > 0 else 1)
