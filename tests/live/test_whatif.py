#!/usr/bin/env python3
"""What `memoir whatif kill` predicts is what really comes back: processes of known memory are asked
about, killed, and MemFree with the per-CPU lists is compared. It must kill only what it started.

Other processes of the machine allocate and free meanwhile. So the drift of the moment before and of
the moment after is measured too: it is taken off, and where there is much of it, the try says
nothing.
Where a prediction and a measurement do not agree, the family is made again, at most TRIES times. A
prediction that is wrong differs every time: noise would have to make up for it to the megabyte.

    test_whatif.py [--measure-only] [WORD-OF-A-FAMILY...]
"""
import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import actors
import families
import freed
import memoir
import mkmem
import zram
from tap import Tap

TRIES = 3
LOUD_TRIES = 8  # more, that do not count
LOUD_PAUSE_S = 4
MIB = 1 << 20
SHARE = 0.02  # of what was predicted
LEAST = MIB
# Stack, library data and the program's own: what an actor has besides what it was told.
BESIDES = 0.1 * MIB
LITTLE = 24 << 10
QUIET = MIB // 4
QUIET_TRIES = 20


@dataclass
class Try:
    """One family asked about and killed. All in bytes."""

    predicted: dict = None
    came_back: freed.Reading = None
    with_file: int = 0
    drift: int = 0
    after: int = 0

    def is_loud(self):
        return max(abs(self.drift), abs(self.after)) > QUIET

    def ram(self):
        return self.came_back.ram() - (self.drift + self.after) // 2

    def about(self):
        said = {name: f"{value / MIB:.2f}" if value is not None else None
                for name, value in self.predicted.items()}
        return (f"came back {self.ram() / MIB:.2f} MiB, swap "
                f"{self.came_back.swap_free / MIB:.2f}, tables and stacks "
                f"{-self.came_back.tables / MIB:.2f}, with the file {self.with_file / MIB:.2f}; "
                f"drift {self.drift / MIB:.2f} and {self.after / MIB:.2f}; memoir: {said}")


def agrees(said, is_so):
    return said is not None and abs(said - is_so) <= max(LEAST, SHARE * abs(said))


def predict(pids):
    """The figures of whatif."""
    code, out, err = memoir.run("whatif", "kill", "--json", "pid:" + ",".join(map(str, pids)))
    if code not in (0, 3):
        raise memoir.Failed(f"whatif: exit code {code}: {err.strip()[-300:]}")
    answer = memoir.decode(out)
    names = ("freed_bytes", "freed_swap_bytes", "freed_kernel_bytes", "reclaimable_bytes",
             "kept_bytes")
    missing = [name for name in ("action", "selected", *names) if name not in answer]
    if missing or answer["action"] != "kill":
        raise memoir.Failed(f"whatif lacks {missing}, or its action is not kill")
    return {name: answer[name] for name in names}


def wait_for_quiet():
    """The drift of a moment, the first one that is small if there is any."""
    for _ in range(QUIET_TRIES):
        drift = freed.change().ram()
        if abs(drift) <= QUIET:
            break
    return drift


def drop_file(path):
    """Removes it; its pages have no user but the cache."""
    with contextlib.suppress(FileNotFoundError):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        os.unlink(path)


def attempt(family, question, path, ask):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with actors.acting() as who:
        family.make(who, path)
        one = Try(ask([who.pids[slot] for slot in question.victims]))
        one.drift = wait_for_quiet()
        one.came_back = freed.change(lambda: who.kill(question.victims))
        one.after = freed.change().ram()
        if question.with_file:
            one.with_file = freed.change(lambda: drop_file(path)).ram()
    return one


def known_differences(question, predicted):
    """What memoir says otherwise than what the family was given."""
    slack = LEAST + BESIDES * len(question.victims)
    bad = []
    for name, mib in (("freed_bytes", question.freed), ("freed_swap_bytes", question.swap),
                      ("reclaimable_bytes", question.reclaimable)):
        said = predicted[name]
        if mib is not None and (said is None or not -LEAST <= said - mib * MIB <= slack):
            bad.append(f"{name} is {said}, known are {mib} MiB")
    # Whatever else they share stays as well.
    if question.kept and (predicted["kept_bytes"] or 0) < question.kept * MIB:
        bad.append(f"kept_bytes is {predicted['kept_bytes']}, known are {question.kept} MiB")
    return bad


def measured_differences(question, one):
    """What really happened otherwise than memoir said."""
    bad = []
    really = {"freed_bytes": one.ram() - question.swap_cache * MIB,
              "freed_swap_bytes": one.came_back.swap_free}
    if question.kernel_known and "freed_kernel_bytes" in one.predicted:
        really["freed_kernel_bytes"] = -one.came_back.tables
    for name, is_so in really.items():
        if not agrees(one.predicted[name], is_so):
            bad.append(f"{name} is {one.predicted[name]}, came back {is_so}")
    if question.with_file and not agrees(question.with_file * MIB, one.with_file):
        bad.append(f"with the file came back {one.with_file}")
    return bad


def known_prediction(question):
    """For the test of the test: predicts what the family was given, and a little for each
    process."""
    return {"freed_bytes": question.freed * MIB + LITTLE * len(question.victims),
            "freed_swap_bytes": question.swap * MIB,
            "reclaimable_bytes": (question.reclaimable or 0) * MIB,
            "kept_bytes": (question.kept or 0) * MIB}


def ask_family(tap, family, question, path, measure_only):
    what = f"{family.name}: kill of {question.what}"
    ask = (lambda pids: known_prediction(question)) if measure_only else predict
    known, measured, tried, loud = [], [], [], 0
    while len(tried) < TRIES + loud and loud < LOUD_TRIES:
        one = attempt(family, question, path, ask)
        tried.append(one.about())
        loud += one.is_loud()
        # What is loud for a while, such as what was written to files just before, is waited for longer and longer.
        time.sleep(min(loud, LOUD_PAUSE_S) if one.is_loud() else 0)
        known = known_differences(question, one.predicted)
        measured = measured_differences(question, one)
        if not measured and not one.is_loud():
            break
    if loud == LOUD_TRIES:
        measured.append("the machine is never quiet, so nothing can be measured")
    tap.check(not known, f"{what} predicts what the family has", known + tried[-1:])
    tap.check(not measured, f"{what} is predicted as it comes back", measured + tried)


def disk():
    """A directory whose files are on a disk."""
    return os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build")


def test_family(tap, family, measure_only):
    where = disk() if family.on_disk else "/dev/shm"
    with tempfile.TemporaryDirectory(prefix="memoir-live-", dir=where) as directory:
        for question in family.questions:
            try:
                ask_family(tap, family, question, Path(directory) / families.FILE, measure_only)
            except families.Unavailable as why:
                tap.skip(f"{family.name}: kill of {question.what}", str(why))
            except (actors.Refused, memoir.Failed, OSError, subprocess.TimeoutExpired) as error:
                tap.check(False, f"{family.name}: kill of {question.what}",
                          [f"{type(error).__name__}: {error}"])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure-only", action="store_true",
                        help="compare what comes back with what each family was given")
    parser.add_argument("words", nargs="*")
    return parser.parse_args()


def main():
    args, tap = arguments(), Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("what-if against what comes back", "needs root: frame numbers are hidden")
        return tap.done()
    wanted = [family for family in families.FAMILIES
              if not args.words or any(word in family.name for word in args.words)]
    for family in wanted:
        if not family.needs_swap:
            test_family(tap, family, args.measure_only)
    with zram.swap_if_any():
        for family in wanted:
            if family.needs_swap:
                test_family(tap, family, args.measure_only)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
