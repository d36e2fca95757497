#!/usr/bin/env python3
"""Memory of known state: memoir equals smaps to the kilobyte and mkmem's truth to the byte. It must
not excuse a difference in memory that only the scenario maps.

    test_exact.py [--engine NAME] [--truth-only] [SCENARIO...]
"""
import argparse
import os
import sys
import time

import memoir
import mkmem
import smaps
import truth
import zram
from tap import Tap

SHOWN = 12
# Files such as libc are mapped by processes that come and go meanwhile: only those are asked again,
# and have to be right once. Where no process stays the same that long, they are left out, and said.
ATTEMPTS = 8
PAUSE_S = 0.2
# Of all scenarios together: where it is never quiet that would take all day, under the thread sanitizer above all.
AGAIN_S = 90
SMAPS = ["--engine=smaps"]


class Look:
    """The kernel's view of all processes of a run."""

    def __init__(self, pids):
        self.regions = {pid: smaps.read(pid) for pid in pids}
        self.rollups = {pid: smaps.read_rollup(pid) for pid in pids}


def is_own(region, truths):
    """Whether only the scenario's processes can map it."""
    return not region.path.startswith(b"/") or any(
        region in truth.regions_of(line, [region]) for line in truths)


class Verdict:
    """hard: what is wrong for sure; soft: {what was asked: the difference or None}; proven: what of
    soft was wrong while no process did anything. quiet: no process came, went or was replaced."""

    def __init__(self):
        self.hard, self.soft, self.compared = [], {}, 0
        self.quiet, self.proven = False, set()

    def ask_again(self, later):
        """Takes another look: what was right once stays right."""
        self.hard = later.hard
        self.compared = max(self.compared, later.compared)
        self.quiet |= later.quiet
        self.proven |= later.proven
        for key, bad in later.soft.items():
            self.soft[key] = self.soft.get(key, bad) and bad

    def is_final(self):
        return bool(self.hard) or (self.quiet and not any(self.soft.values()))

    def differences(self):
        return self.hard + [text for key, bad in self.soft.items() if key in self.proven
                            for text in bad or ()]

    def left_out(self):
        """What could not be asked: files that others mapped and unmapped in every attempt."""
        return [key for key, bad in self.soft.items() if bad and key not in self.proven]


def compare_map(verdict, pid, before, after, mapped, truths):
    """The rows of map with smaps."""
    groups, strays = memoir.group(before, mapped)
    verdict.hard += [f"pid {pid}: a row in no region: {row['start']}-{row['end']}"
                     for row in strays]
    later = smaps.by_start(after)
    for region in before:
        own = is_own(region, truths)
        if later.get(region.start) != region:
            if own:
                verdict.hard.append(f"{region}: of a stopped process, and not as before")
            continue
        verdict.compared += 1
        bad = [f"pid {pid}: {text}" for text in
               memoir.region_differences(region, groups.get(region.start))]
        if own:
            verdict.hard += bad
        else:
            verdict.soft[pid, region.start] = bad


def compare_ps(verdict, run, before, after, rows):
    """The rows of ps with sums of smaps, which contain libc and the like."""
    for pid in run.pids:
        found = [row for row in rows if pid in memoir.peers(row)]
        if len(found) != 1:
            verdict.hard.append(f"ps has {len(found)} rows for pid {pid}")
            continue
        rollup = before.rollups[pid]
        if before.regions[pid] == after.regions[pid] and rollup and rollup == after.rollups[pid]:
            verdict.soft[pid] = memoir.process_differences(pid, before.regions[pid], rollup,
                                                           found[0])
        for line in run.truths:
            if line["pid"] == pid:
                verdict.hard += truth.process_differences(line, found[0])


def attempt(run, engine):
    """One look at a stopped run."""
    # The kernel's own sums are cut off, and count memoir where it maps what others map.
    unit = memoir.KB if engine == SMAPS else 1
    verdict = Verdict()
    present = mkmem.everybody()
    before = Look(run.pids)
    maps = {pid: memoir.rows("map", pid, "--json", *engine) for pid in run.pids}
    rows = memoir.rows("ps", "--json", *engine, "pid:" + ",".join(map(str, run.pids)))
    after = Look(run.pids)
    left = mkmem.everybody()
    verdict.quiet = mkmem.identities(present) == mkmem.identities(left)
    compare_ps(verdict, run, before, after, rows)
    for pid in run.pids:
        truths = [line for line in run.truths if line["pid"] == pid]
        compare_map(verdict, pid, before.regions[pid], after.regions[pid], maps[pid], truths)
        for line in truths:
            verdict.hard += truth.memoir_differences(line, maps[pid], unit)
    if engine == SMAPS:
        verdict.quiet = True
    if engine == SMAPS or not verdict.quiet:
        verdict.soft.clear()
    if present == left:
        verdict.proven = {key for key, bad in verdict.soft.items() if bad}
    return verdict


def truth_differences(run):
    looks = {pid: smaps.read(pid) for pid in run.pids}
    return [text for line in run.truths
            for text in truth.smaps_differences(line, looks[line["pid"]])]


class Patience:
    """What is left of AGAIN_S."""

    def __init__(self):
        self.left_s = AGAIN_S

    def ask_again(self, verdict, run, engine):
        began = time.monotonic()
        time.sleep(PAUSE_S)
        verdict.ask_again(attempt(run, engine))
        self.left_s -= time.monotonic() - began


def differences(run, engine, truth_only, patience):
    """(what differs, a sentence about what was compared)."""
    bad = truth_differences(run)
    if truth_only or bad:
        return bad, f"{len(run.truths)} truths, {len(run.pids)} processes"
    verdict = attempt(run, engine)
    for _ in range(ATTEMPTS - 1):
        if verdict.is_final() or patience.left_s < 0:
            break
        patience.ask_again(verdict, run, engine)
    about = f"{len(run.truths)} truths, {len(run.pids)} processes, {verdict.compared} regions"
    if not verdict.quiet or verdict.left_out():
        about += "; those of files that other processes map were left out: they come and go"
    return verdict.differences(), about


def test_scenario(tap, name, engine, truth_only, patience):
    what = f"{name} equals {'smaps' if truth_only else 'smaps and truth'}"
    what += f" ({engine[0][2:]})" if engine else ""
    try:
        with mkmem.running(name) as run:
            bad, about = differences(run, engine, truth_only, patience)
    except mkmem.Skip as why:
        tap.skip(what, why)
        return
    except (mkmem.Broken, memoir.Failed, OSError) as error:
        bad, about = [f"{type(error).__name__}: {error}"], "broken off"
    more = [f"and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
    tap.check(not bad, what, [about] + bad[:SHOWN] + more)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", help="how memoir is to capture")
    parser.add_argument("--truth-only", action="store_true", help="compare smaps with mkmem only")
    parser.add_argument("scenario", nargs="*")
    return parser.parse_args()


def main():
    args, tap = arguments(), Tap()
    mkmem.exit_on_signals()
    engine = [f"--engine={args.engine}"] if args.engine else []
    if os.geteuid() and not args.truth_only:
        tap.skip("memoir equals smaps and truth", "needs root: frame numbers are hidden")
        return tap.done()
    known = mkmem.scenarios()
    patience = Patience()
    names = args.scenario or [name for name, what in known.items() if not mkmem.is_mover(what)]
    for name in names:
        if not name.startswith("swap"):
            test_scenario(tap, name, engine, args.truth_only, patience)
    # Others wait for zram meanwhile, so that these come together.
    with zram.swap_if_any():
        for name in names:
            if name.startswith("swap"):
                test_scenario(tap, name, engine, args.truth_only, patience)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
