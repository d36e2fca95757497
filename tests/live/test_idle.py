#!/usr/bin/env python3
"""memoir idle against memory that is touched in a known way; it knows nothing of how memoir tells.

    test_idle.py [MEANS]...     TAP; without any, all that work on this machine
"""
import contextlib
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import memoir
import mkmem
from tap import Tap

PAGE = 4096
HUGE = 512 * PAGE
# Long enough for everything to be touched some times over, also where a CPU is emulated.
SECONDS = 1.5
ALL = ["accessed", "referenced", "written", "passive", "damon"]
# Without any means given: where the kernel lacks what these need, that is said and not skipped.
LACKING = {"written": "soft-dirty", "damon": "DAMON"}


def helper():
    build = os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build")
    return os.environ.get("MKIDLE", str(Path(build) / "tests/helpers/mkidle"))


class Target:
    """mkidle: regions by what they are."""

    def __init__(self, **popen):
        self.process = subprocess.Popen([helper()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, **popen)
        self.pid = self.process.pid
        self.regions = {}
        for line in self.process.stdout:
            if line == "READY\n":
                return
            self._take(line)
        raise RuntimeError("mkidle did not come up")

    def _take(self, line):
        region = json.loads(line)
        self.regions[region["what"]] = region

    def map_more(self):
        self.process.stdin.write("m")
        self.process.stdin.flush()
        self._take(self.process.stdout.readline())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def target(**popen):
    it = Target(**popen)
    try:
        yield it
    finally:
        it.end()


def start(*arguments, **popen):
    return subprocess.Popen([memoir.program(), "idle", *map(str, arguments)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)


def finish(process):
    """(exit code, JSON or None, standard error)"""
    out, err = process.communicate(timeout=memoir.TIMEOUT_S)
    return process.returncode, memoir.decode(out) if out else None, err.decode()


def idle(*arguments, **popen):
    return finish(start(*arguments, "--json", **popen))


def huge_works(it):
    """Whether the region of which a byte is touched is a huge page here: by what smaps says."""
    region, inside = it.regions["huge byte"], False
    with open(f"/proc/{it.pid}/smaps", encoding="utf-8") as file:
        for line in file:
            if line[0] not in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
                inside = line.startswith(region["start"] + "-")
            elif inside and line.startswith("AnonHugePages:"):
                return int(line.split()[1]) * 1024 == region["pages"] * PAGE
    return False


def truth(means, region):
    """(idle, touched, unknown) pages of a region."""
    pages, written, read = region["pages"], region["written"], region["read"]
    if means == "written":
        return pages - written, written, 0
    if means == "passive":
        return pages - written - read, 0, written + read
    return pages - written - read, written + read, 0


def figures(row):
    return tuple(row[name] // PAGE for name in ("idle_bytes", "touched_bytes", "unknown_bytes"))


def row_of(rows, region):
    found = [row for row in rows if row["pid"] == region["pid"] and row["start"] == region["start"]]
    return found[0] if len(found) == 1 else None


# Where somebody else's DAMON clears accessed bits, and tries to reclaim, some touched pages look idle, and the
# other way round.
DISTURBED = 0.02
# Estimates: a region of DAMON's is at least a page, and its borders are found step by step.
LOOSE = 0.35


def disturbed():
    with contextlib.suppress(FileNotFoundError):
        for state in Path("/sys/kernel/mm/damon/admin/kdamonds").glob("*/state"):
            if state.read_text(encoding="ascii").strip() == "on":
                return True
    return False


def close(means, got, want, pages):
    if means != "damon":
        slack = DISTURBED * pages if means != "written" and disturbed() else 0
        return sum(got) == pages and all(abs(a - b) <= slack for a, b in zip(got, want))
    # Where used and unused memory meet in one of its regions, that counts as used.
    low = (1 - LOOSE) * pages if want[0] == pages else 0
    return sum(got) == sum(want) == pages and low <= got[0] <= want[0] + LOOSE * pages


def check_region(tap, means, rows, region):
    row, want = row_of(rows, region), truth(means, region)
    what = f"{means}: {region['what']}: idle, touched and unknown pages are as they were touched"
    got = figures(row) if row else None
    tap.check(row and close(means, got, want, region["pages"]) and
              row["rss_bytes"] == region["pages"] * PAGE, what, [f"{got}, truth {want}"])


def began_at(answer):
    """When it began to watch, in seconds since 1970: it captures right after reading."""
    taken = datetime.datetime.fromisoformat(answer["taken"].replace("Z", "+00:00"))
    return taken.timestamp() - answer["interval_ms"] / 1000


def test_regions(tap, means, it):
    """Each region's figures, while somebody maps and unmaps beside them."""
    if means == "passive":
        with open(f"/proc/{it.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("1")
        time.sleep(0.3)
    seconds = SECONDS * (4 if means == "damon" else 1)
    process = start(it.pid, "-t", seconds, "--means", means, "--json")
    time.sleep(0.75 * seconds)  # it has begun by then, and not yet ended
    mapped_at = time.time()
    it.map_more()
    code, answer, err = finish(process)
    if not tap.check(code == 0, f"{means}: works", [err]):
        return
    tap.check(answer["means"] == means and answer["interval_ms"] >= seconds * 1000 and
              answer["cannot_tell"], f"{means}: says by which means, how long, and what it can't tell",
              [answer["means"], answer["interval_ms"]])
    for what, region in it.regions.items():
        if what in ("zero", "child") or (what == "huge byte" and not huge_works(it)):
            continue
        if what == "late":
            # On a very busy machine memoir may not have begun by then.
            if mapped_at < began_at(answer) + 0.1:
                continue
            row = row_of(answer["rows"], region)
            tap.check(row and close(means, figures(row), (0, region["pages"], 0), region["pages"]),
                      f"{means}: what was mapped meanwhile counts as touched", [row])
        elif means != "damon" or what in ("plain", "alone"):
            check_region(tap, means, answer["rows"], region)
    tap.check(row_of(answer["rows"], it.regions["zero"]) is None,
              f"{means}: the zero page is nobody's", [row_of(answer["rows"], it.regions["zero"])])
    rows = answer["rows"]
    tap.check(all(sum(row[name] for row in rows) == answer["totals"][name] for name in
                  ("rss_bytes", "idle_bytes", "touched_bytes", "unknown_bytes")) and
              all(row["idle_bytes"] + row["touched_bytes"] + row["unknown_bytes"] == row["rss_bytes"]
                  for row in rows), f"{means}: rows add up")


def works(means):
    """None, or why the means can't be had here."""
    with target() as it:
        code, _, err = idle(it.pid, "-t", "0.05", "--means", means)
    return None if code == 0 else err.strip()


def test_means(tap, means):
    with target() as it:
        test_regions(tap, means, it)
    if means in ("accessed", "referenced", "written"):
        with target() as it:
            child = it.regions["child"]
            _, answer, _ = idle(child["pid"], "-t", SECONDS, "--means", means)
            check_region(tap, means, answer["rows"] if answer else [], child)


def test_by(tap):
    """The same memory divided in three ways."""
    with target() as it:
        mkmem.stop([it.pid])
        answers = [idle(it.pid, "-t", "0.2", "--by", by) for by in ("region", "name", "process")]
    totals = [answer["totals"]["idle_bytes"] for _, answer, _ in answers]
    tap.check(len(set(totals)) == 1 and totals[0] == answers[0][1]["totals"]["rss_bytes"],
              "a stopped process is idle altogether, by region, name and process alike", totals)
    names = {row["name"]: row for row in answers[1][1]["rows"]}
    tap.check(names.get("/memfd:mkidle (deleted)", {}).get("rss_bytes") == 1000 * PAGE,
              "by name: a memfd goes by its name", sorted(names)[:8])
    tap.check([row["pid"] for row in answers[2][1]["rows"]] == [it.pid], "by process: one row")
    with target() as one, target() as other:
        _, answer, _ = idle(f"pid:{one.pid},{other.pid}", "-t", "0.2", "--by", "name")
        names = {row["name"]: row for row in answer["rows"]}
        counts = {name: (names[name]["processes"], names[name]["regions"])
                  for name in ("/memfd:mkidle (deleted)", "[heap]", "[stack]")}
        libc = [(row["processes"], row["regions"] > 2) for name, row in names.items()
                if name.endswith("/libc.so.6")]
        tap.check(set(counts.values()) == {(2, 2)} and libc == [(2, True)],
                  "by name: two processes count as two, however many regions they have", [counts, libc])
    tap.check(answers[0][1]["rows"] == sorted(answers[0][1]["rows"], key=lambda row: -row["idle_bytes"]),
              "what is idle most comes first")


def test_selectors(tap):
    with target() as it:
        plain, memfd = it.regions["plain"], it.regions["memfd"]
        _, answer, _ = idle(f"{it.pid}:{plain['start']}-{plain['end']}", "-t", "0.3")
        tap.check([row["start"] for row in answer["rows"]] == [plain["start"]],
                  "a range leaves the regions in it", answer["rows"])
        code, answer, _ = idle("kind:memfd", it.pid, "-t", "0.3")
        tap.check(code == 0 and [row["start"] for row in answer["rows"]] == [memfd["start"]],
                  "further selectors leave the regions that match")
        # Where a policy hides a process even from root, that makes it partial.
        code, answer, _ = idle("name:nobody-has-this-name", "-t", "0.2")
        tap.check(code in (0, 3) and not answer["rows"] and answer["stall_us"] == 0,
                  "where no region matches nothing is cleared", [code])


def test_ends(tap):
    with target() as it:
        process = start(it.pid, "-t", "2", "--json")
        mkmem.wait_until_waiting(process.pid)
        it.kill()
        code, answer, err = finish(process)
        tap.check(code == 0 and not answer["rows"] and answer["ended"] == 1,
                  "a process that ended meanwhile has no rows, and is counted", [code, err])
    with subprocess.Popen(["sh", "-c", "read go; exec sleep 60"], stdin=subprocess.PIPE) as shell:
        process = start(shell.pid, "-t", "2", "--json")
        mkmem.wait_until_waiting(process.pid)
        shell.stdin.write(b"\n")
        shell.stdin.flush()
        code, answer, err = finish(process)
        shell.kill()
        tap.check(code == 0 and not answer["rows"] and answer["ended"] == 1,
                  "so is one that became another program", [code, err, answer])
    with target() as it:
        process = start(it.pid, "-t", "60", "--json")
        mkmem.wait_until_waiting(process.pid)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        code, answer, err = finish(process)
        tap.check(code == 3 and answer["partial"] and 300 < answer["interval_ms"] < 30000 and
                  "interrupted" in " ".join(answer["notes"]) and
                  row_of(answer["rows"], it.regions["alone"])["idle_bytes"] == 700 * PAGE,
                  "interrupted, it tells what it saw until then", [code, err])


def test_rights(tap):
    if os.getuid() != 0:
        tap.skip("rights", "needs root to be somebody else")
        return
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    with target() as it:
        code, answer, err = idle(it.pid, "-t", "0.2", **nobody)
        tap.check(code == 1 and answer is None and f"process {it.pid} can't be watched" in err and
                  "CAP_DAC_OVERRIDE" in err, "another user's process: says which right is missing",
                  [code, err])
    with target(**nobody) as it:
        code, answer, err = idle(it.pid, "-t", SECONDS, **nobody)
        tap.check(code == 0 and answer["means"] == "referenced",
                  "one's own process needs no rights: by referenced", [code, err])
        if answer:
            check_region(tap, "referenced", answer["rows"], it.regions["plain"])
    for arguments, said in ((("-t", "0"), "takes a time"), (("--means", "magic"), "no means 'magic'"),
                            (("--by", "page"), "region, name or process"), ((), "say which process")):
        code, _, err = idle(*arguments, *(["1"] if arguments else []))
        tap.check(code == 2 and said in err, f"{' '.join(arguments) or 'no selector'}: a sentence",
                  [code, err])
    code, _, err = idle("2", "-t", "0.1")
    tap.check(code == 1 and "no process 2" in err, "a kernel thread: a sentence", [code, err])


def main():
    tap = Tap()
    asked = sys.argv[1:]
    for means in asked or ALL:
        why = works(means)
        if why and not asked:
            tap.check(means in LACKING and LACKING[means] in why,
                      f"{means}: not here, and it says why", [why])
        else:
            test_means(tap, means)
    if not asked:
        test_by(tap)
        test_selectors(tap)
        test_ends(tap)
        test_rights(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
