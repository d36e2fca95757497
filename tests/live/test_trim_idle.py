#!/usr/bin/env python3
"""memoir trim of what is idle, and what comes back then, against memory that is touched in a known way; pagemap
tells where the pages are. And that whatif trim says what trim plans.

    test_trim_idle.py     TAP
"""
import struct
import subprocess
import sys

import memoir
import mkmem
import trimming
import zram
from tap import Tap
from test_idle import PAGE, SECONDS, disturbed, target

# Pages that another CPU's batch held may stay, and what somebody else's DAMON does to them.
STAYS = 0.05


def words(it, region):
    with open(f"/proc/{it.pid}/pagemap", "rb") as file:
        file.seek(int(region["start"], 16) // PAGE * 8)
        return struct.unpack(f"{region['pages']}Q", file.read(region["pages"] * 8))


def trim(*arguments):
    done = subprocess.run([memoir.program(), "trim", *map(str, arguments), "--json"], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=memoir.TIMEOUT_S, check=False)
    return done.returncode, memoir.decode(done.stdout) if done.stdout else None, done.stderr.decode()


def in_ram(it, what, first, last):
    """How many of the region's pages [first, last) are mapped."""
    return sum(word >> 63 for word in words(it, it.regions[what])[first:last])


def test_only_idle_moves(tap, *more):
    how = " ".join(("--idle", *more))
    with target() as it:
        code, answer, err = trim(it.pid, "--idle", SECONDS, *more)
        # Where the target had touched an idle page meanwhile, that would be back.
        if not tap.check(code == 0, f"{how}: works", [code, err[-300:]]):
            return
        for what in ("plain", "alone", "memfd", "huge"):
            region = it.regions[what]
            touched, pages = region["written"] + region["read"], region["pages"]
            stayed, left = in_ram(it, what, 0, touched), in_ram(it, what, touched, pages)
            tap.check(left <= STAYS * pages, f"{how}: {what}: what was idle has moved",
                      [f"{left} of {pages - touched} are still in RAM"])
            # They might have come back: that costs faults, which would show.
            tap.check(stayed == touched, f"{how}: {what}: what is touched is in RAM",
                      [f"{stayed} of {touched}"])
        tap.check(in_ram(it, "inherited", 0, 400) == 400, f"{how}: what two processes map stays")
        rows = {row["start"]: row for row in answer["ranges"]}
        plain = it.regions["plain"]
        inside = [row for row in answer["ranges"] if
                  int(plain["start"], 16) <= int(row["start"], 16) < int(plain["end"], 16)]
        planned = sum(row["planned_bytes"] for row in inside) // PAGE
        slack = 0.02 * plain["pages"] if disturbed() else 0
        tap.check(abs(planned - 500) <= slack, f"{how}: the plan has exactly the idle pages of a region",
                  [planned, len(rows)])
        tap.check(answer["idle_ms"] >= SECONDS * 1000 and answer["idle_means"] == "accessed" and
                  answer["planned_bytes"] <= answer["idle_bytes"], f"{how}: says how long, and by which means",
                  [answer["idle_ms"], answer["idle_means"]])


def test_watch(tap):
    with target() as it:
        touched = 1500
        start, end = it.regions["plain"]["start"], it.regions["plain"]["end"]
        code, answer, err = trim(f"{it.pid}:{start}-{end}", "--watch", "1.2", "--no-pauses")
        if tap.check(code == 0, "--watch: works", [err[-300:]]):
            back = in_ram(it, "plain", 0, touched)
            row = answer["refaults"][0]
            # What was touched before the first look came back unseen, and was not swapped out then.
            tap.check(back == touched and row["swapped_bytes"] >= 450 * PAGE and
                      row["back_1s_bytes"] is not None and
                      row["swapped_bytes"] == row["back_bytes"] + row["out_bytes"] + row["gone_bytes"] and
                      row["out_bytes"] <= 500 * PAGE and answer["watched_ms"] >= 1200 and
                      answer["back_bytes"] == sum(r["back_bytes"] for r in answer["refaults"]),
                      "--watch: what is touched is back, the rest stays out",
                      [back, {k: row[k] for k in ("swapped_bytes", "back_1s_bytes", "out_bytes")}])


def test_whatif_is_the_plan(tap):
    """Of processes that stand still: the same bytes to swap, and the same back to files."""
    for scene in ("plain", "half", "family", "thp", "swapped", "locked", "file", "memfd", "memfd-twice"):
        try:
            with trimming.target(scene) as it:
                whatif = memoir.decode(memoir.run("whatif", "trim", it.pid, "--json")[1])
                _, plan, _ = trim(it.pid, "--dry-run")
        except trimming.Refused as why:
            tap.skip(f"whatif trim is what trim plans: {scene}", str(why))
            continue
        swap, back = plan["swap_needed_bytes"], plan["planned_bytes"] - plan["swap_needed_bytes"]
        locked = sum(skip["bytes"] or 0 for row in plan["rows"] for skip in row["skipped"]
                     if skip["why"] == "locked")
        # A page or two of the program's own libraries may become shared or not in between.
        tap.check(abs(whatif["freed_bytes"] - swap) <= 2 * PAGE and
                  abs(whatif["reclaimable_bytes"] - back) <= 16 * PAGE and
                  whatif["kept_bytes"] >= locked and (locked > 0) == (scene == "locked"),
                  f"whatif trim is what trim plans: {scene}",
                  [whatif["freed_bytes"], swap, whatif["reclaimable_bytes"], back, locked])


def test_usage(tap):
    for arguments, said in ((("1", "--idle", "x"), "--idle takes a time"),
                            (("1", "--idle", "1", "--willneed"), "for --pageout and --cold"),
                            (("1", "--means", "accessed"), "needs --idle"),
                            (("1", "--watch", "1", "--dry-run"), "really paged out")):
        code, _, err = trim(*arguments)
        tap.check(code == 2 and said in err, f"{' '.join(arguments)}: a sentence", [err])
    with target() as it:
        process = subprocess.Popen([memoir.program(), "trim", str(it.pid), "--idle", "60"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        mkmem.wait_until_waiting(process.pid)
        process.send_signal(2)
        _, err = process.communicate(timeout=memoir.TIMEOUT_S)
        tap.check(process.returncode == 1 and "before anything was done" in err and
                  in_ram(it, "alone", 0, 700) == 700, "interrupted while it waits, nothing is moved", [err])


def main():
    tap = Tap()
    try:
        with zram.swap():
            test_only_idle_moves(tap)
            test_only_idle_moves(tap, "--freeze")
            test_watch(tap)
            test_whatif_is_the_plan(tap)
            test_usage(tap)
    except zram.Unavailable as why:
        tap.skip("trim of what is idle", str(why))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
