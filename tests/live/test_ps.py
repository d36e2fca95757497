#!/usr/bin/env python3
"""What ps shows of a stopped process is what a snapshot of all has of it, but for what others map of the same files
meanwhile: ps leaves out what it doesn't show (regions, sharing sets, names), takes what is a process's alone from the
kernel's counters, and no figure may depend on that.

    test_ps.py [--engine ENGINE] [SCENARIO...]
"""
import argparse
import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import memoir
import mkmem
import zram
from tap import Tap

SCENARIOS = ("fork-written", "fork-mremap", "thp-fork", "memfd-private", "file-private", "thp-parts", "ksm",
             "swap", "swap-copies", "many-vmas", "leader-exited", "clone-vm", "split-merge")
# What others begin or cease to map of the same files; each scene has more in what it is about.
SHARES, TOLERANCE = ("pss_bytes", "uss_bytes", "shared_bytes"), 64 << 10
# Only a snapshot with sharing sets tells all of them.
BY_SETS = ("freed_if_killed_bytes", "footprint_bytes")
TRIES = 5
# Few enough to stay in each CPU's own part of the kernel's counters, which the others know nothing of.
PAGES_OF_EACH_CPU = 20
SPREAD = f"""
import mmap, os, signal
kept = []
for cpu in os.sched_getaffinity(0):
    os.sched_setaffinity(0, [cpu])
    memory = mmap.mmap(-1, {PAGES_OF_EACH_CPU} * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range({PAGES_OF_EACH_CPU}):
        memory[page * mmap.PAGESIZE] = 1
    kept.append(memory)
os.kill(os.getpid(), signal.SIGSTOP)
"""
SHOWN = 10


def figures(rows, pids):
    """{pid: {figure: bytes}}"""
    return {row["pid"]: {key: value for key, value in row.items()
                         if key.endswith("_bytes") and key not in BY_SETS}
            for row in rows if row["pid"] in pids}


def equal(key, saved, live):
    if key in SHARES and None not in (saved, live):
        return abs(saved - live) <= TOLERANCE
    return saved == live


def differences(run, engine, select, path):
    path.unlink(missing_ok=True)
    code, _, err = memoir.run("capture", "-o", path, *engine)
    if code not in (0, 3):
        raise memoir.Failed(f"capture: exit code {code}: {err.strip()[-500:]}")
    asked = ["pid:" + ",".join(map(str, run.pids))] if select else []
    saved = figures(memoir.rows("ps", "--json", "--from", path, codes=(0, 3)), run.pids)
    live = figures(memoir.rows("ps", "--json", *engine, *asked, codes=(0, 3)), run.pids)
    if not saved or saved.keys() != live.keys():
        return [f"of {run.pids} saved {sorted(saved)}, live {sorted(live)}"]
    return [f"pid {pid}: {key}: saved {value}, live {live[pid].get(key)}"
            for pid in saved for key, value in saved[pid].items()
            if not equal(key, value, live[pid].get(key)) or (key == "rss_bytes" and not value)]


@contextlib.contextmanager
def spread():
    """A process that has touched pages on each CPU, and stands still."""
    process = subprocess.Popen([sys.executable, "-c", SPREAD])
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        yield types.SimpleNamespace(pids=[process.pid])
    finally:
        process.kill()
        process.wait()


def test_scenario(tap, name, begin, engine, folder):
    path = Path(folder) / "saved.db"
    try:
        with begin() as run:
            for select in (False, True):
                for _ in range(TRIES):
                    bad = differences(run, engine, select, path)
                    if not bad:
                        break
                what = f"{name} is the same in ps{' of it alone' if select else ''} and in a snapshot"
                tap.check(not bad, what, bad[:SHOWN])
    except mkmem.Skip as why:
        tap.skip(name, why)
    except (mkmem.Broken, memoir.Failed, OSError) as error:
        tap.check(False, f"{name} ran", [f"{type(error).__name__}: {error}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", help="how memoir is to capture")
    parser.add_argument("scenario", nargs="*")
    args, tap = parser.parse_args(), Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("ps and snapshots", "needs root: frame numbers are hidden")
        return tap.done()
    engine = [f"--engine={args.engine}"] if args.engine else []
    with zram.swap_if_any(), tempfile.TemporaryDirectory(prefix="memoir-live-") as folder:
        for name in args.scenario or SCENARIOS:
            test_scenario(tap, name, functools.partial(mkmem.running, name), engine, folder)
        if not args.scenario:
            test_scenario(tap, "what was touched on each CPU", spread, engine, folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
