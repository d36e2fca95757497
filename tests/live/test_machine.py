#!/usr/bin/env python3
"""A whole machine captured at once: of the stopped processes, memoir's regions equal smaps. It must
look at 100 processes or fail.

    test_machine.py [--engine NAME]
"""
import argparse
import os
import sys
import tempfile
from pathlib import Path

import load
import memoir
import mkmem
import smaps
import zram
from tap import Tap

PROCESSES_MIN = 100
SHARE_MIN = 0.95
# Programs that begin or end meanwhile map libc and Python, and change the Pss of a part of all regions.
ATTEMPTS = 4
SHOWN = 12


class Count:
    """Regions that held still, those that equal, and what the others differ in."""

    def __init__(self):
        self.regions = self.equal = self.moved = 0
        self.differences = []

    def add(self, pid, region, bad):
        self.regions += 1
        self.equal += not bad
        if bad:
            self.differences.append(f"pid {pid}: {bad[0]}")

    def share(self):
        return self.equal / self.regions if self.regions else 0

    def about(self):
        more = len(self.differences) - SHOWN
        return [f"{self.equal} of {self.regions} regions equal ({self.share():.2%}), "
                f"{self.moved} moved meanwhile", *self.differences[:SHOWN],
                *([f"and {more} more"] if more > 0 else [])]


def captured(pids, engine):
    """{pid: rows} of one snapshot file."""
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory:
        file = Path(directory) / "machine.db"
        code, _, err = memoir.run("capture", "-o", file, *engine)
        if code not in (0, 3):
            raise memoir.Failed(f"capture: exit code {code}: {err.strip()[-500:]}")
        return {pid: memoir.rows("map", pid, "--json", "--from", file, codes=(0, 3))
                for pid in pids}


def compare(pids, engine):
    """(all regions, those of no file: nothing outside of the load can map them)."""
    before = {pid: smaps.read(pid) for pid in pids}
    maps = captured(pids, engine)
    after = {pid: smaps.by_start(smaps.read(pid)) for pid in pids}
    every, anonymous = Count(), Count()
    for pid in pids:
        groups, strays = memoir.group(before[pid], maps[pid])
        for row in strays:
            every.differences.append(f"pid {pid}: in no region: {row['start']}-{row['end']}")
        for region in before[pid]:
            if after[pid].get(region.start) != region:
                every.moved += 1
                continue
            bad = memoir.region_differences(region, groups.get(region.start))
            every.add(pid, region, bad)
            if not region.path.startswith(b"/"):
                anonymous.add(pid, region, bad)
    return every, anonymous


def check(tap, engine):
    with load.stopped() as (pids, skipped):
        about = [f"{len(pids)} processes", *(f"not in the load: {why}" for why in skipped)]
        tap.check(len(pids) >= PROCESSES_MIN, f"at least {PROCESSES_MIN} processes stand still",
                  about)
        for _ in range(ATTEMPTS):
            every, anonymous = compare(pids, engine)
            if every.share() >= SHARE_MIN or anonymous.share() < 1:
                break
    name = f" ({engine[0][2:]})" if engine else ""
    tap.check(every.share() >= SHARE_MIN, f"{SHARE_MIN:.0%} of regions equal smaps{name}",
              every.about())
    tap.check(anonymous.share() == 1,
              f"all regions of anonymous memory equal smaps{name}", anonymous.about())


def check_walk(tap):
    """Refused, these would cost time only, and nobody would know."""
    there = {row["feature"]: row["available"] for row in memoir.rows("check", "--json")}
    release = tuple(map(int, os.uname().release.split(".")[:2]))
    for feature, since in (("casts in BPF", (6, 2)), ("lockless walk by BPF", (6, 14))):
        tap.check(there[feature] == (there["BPF iterators"] and release >= since),
                  f"{feature}: where the kernel has what it takes", [there])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", help="how memoir is to capture")
    args, tap = parser.parse_args(), Tap()
    engine = [f"--engine={args.engine}"] if args.engine else []
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("a whole machine equals smaps", "needs root: frame numbers are hidden")
        return tap.done()
    try:
        check_walk(tap)
        with zram.swap_if_any():
            check(tap, engine)
    except (mkmem.Broken, memoir.Failed, OSError) as error:
        tap.check(False, "the machine can be compared", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
