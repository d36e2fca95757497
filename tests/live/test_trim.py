#!/usr/bin/env python3
"""What memoir trim plans is what moves, and nothing is lost; whatever the target does meanwhile, no hint hits
other memory unnoticed. It fills swap on zram, and nobody else's.

    test_trim.py [--storms CALLS | SCENE...]    only the storms, with so many calls each (a tenth with exec, and
                                                with a peer); or only these scenes
"""
import argparse
import os
import subprocess
import sys

import memoir
import mkmem
import trimming
import zram
from tap import Tap

SHARE = 0.01
STORM = 10000
STORM_OTHERS = 2000
OTHERS_SHARE = 10
STORM_TIMEOUT_S = 280
# (scene, further options)
TRUTHS = (
    ("plain", ()), ("plain", ("--freeze",)), ("plain", ("--race",)), ("plain", ("--no-pauses",)),
    ("half", ()), ("family", ()), ("thp", ()), ("swapped", ()), ("locked", ()), ("file", ()),
    ("memfd", ()), ("memfd-twice", ()),
)


def near(figure, truth):
    return figure is not None and abs(figure - truth) <= SHARE * max(truth, 1)


def differences(truth, row):
    bad = []
    if not near(row["planned_bytes"], truth["moves"]):
        bad.append(f"planned {row['planned_bytes']}, known {truth['moves']}")
    if not near(row["moved_bytes"], row["planned_bytes"]):
        bad.append(f"planned {row['planned_bytes']}, moved {row['moved_bytes']}")
    if truth["why"] and not near(trimming.skipped(row, truth["why"]), truth["stays"]):
        bad.append(f"{truth['why']}: {row['skipped']}, known {truth['stays']}")
    return bad


def test_truth(tap, scene, options):
    what = " ".join((scene, *options))
    try:
        with trimming.target(scene) as target:
            before = target.checksum() if scene not in ("swapped",) else None
            dry = trimming.trim(target.selector(), "--dry-run", *options)[0]["rows"][0]
            row = trimming.trim(target.selector(), *options)[0]["rows"][0]
            after = target.checksum()
            bad = differences(target.truth, row)
            if dry["planned_bytes"] != row["planned_bytes"] or dry["moved_bytes"] is not None:
                bad.append(f"dry run: {dry}")
            if before and after != before:
                bad.append("contents have changed")
            tap.check(not bad, f"{what}: what is planned is what moves, and nothing else", bad)
    except trimming.Refused as why:
        tap.skip(what, str(why))
    except (memoir.Failed, subprocess.TimeoutExpired) as error:
        tap.check(False, what, [str(error)])


def test_limits(tap):
    with trimming.target("plain") as target:
        row = trimming.trim(target.selector(), "--max", "5M")[0]["rows"][0]
        tap.check(row["planned_bytes"] == 5 << 20 and row["moved_bytes"] == 5 << 20 and
                  trimming.skipped(row, "limit") == 11 << 20,
                  "--max is kept to the byte", [str(row)])
        answer = trimming.trim(target.selector(), "--rate", "20M")[0]
        seconds = answer["wall_us"] / 1e6
        # It may take longer on a busy machine; without a limit it takes some hundredths of a second.
        tap.check(0.5 <= seconds <= 10 and near(answer["moved_bytes"], 11 << 20),
                  "--rate is kept", [f"{seconds} s, {answer['rows']}"])


def test_hints(tap):
    with trimming.target("plain") as target:
        row = trimming.trim(target.selector(), "--cold")[0]["rows"][0]
        tap.check(row["hinted_bytes"] == 16 << 20 and row["moved_bytes"] is None,
                  "--cold is given for all, and what it moved is not known", [str(row)])
        trimming.trim(target.selector())
        row = trimming.trim(target.selector(), "--willneed")[0]["rows"][0]
        tap.check(near(row["hinted_bytes"], 16 << 20), "--willneed is given for what is in swap", [str(row)])
    with trimming.target("small") as target:
        row = trimming.trim(target.selector(), "--collapse")[0]["rows"][0]
        tap.check(near(row["moved_bytes"], 16 << 20), "--collapse makes huge pages", [str(row)])


def storm(guard, calls, *more):
    done = subprocess.run([trimming.build() / "tests/live/storm", guard, str(calls), *more],
                          capture_output=True, text=True, timeout=STORM_TIMEOUT_S * max(1, calls // STORM),
                          check=False)
    words = done.stdout.split()
    if done.returncode or not words:
        raise memoir.Failed(f"storm {guard} {more}: {done.returncode} {done.stderr.strip()[-300:]}")
    return dict(zip(words[::2], map(int, words[1::2])))


def test_storm(tap, guard, calls, *more):
    what = " ".join((f"--{guard} in a storm", *more))
    try:
        seen = storm(guard, calls, *more)
    except (memoir.Failed, subprocess.TimeoutExpired) as error:
        tap.check(False, what, [str(error)])
        return
    text = ", ".join(f"{key} {value}" for key, value in seen.items())
    print(f"# {what}: {text}")
    if guard == "check":
        tap.check(seen["unreported"] == 0 and (seen["raced"] > 0 or bool(more)),
                  f"{what}: every call that hits other memory is reported as raced", [text])
    elif guard == "freeze":
        tap.check(seen["missed"] == 0 and seen["raced"] == 0,
                  f"{what}: no call hits other memory, and nothing changes meanwhile", [text])
    else:
        tap.check(seen["missed"] > 0, f"{what}: calls do hit other memory without a guard", [text])


def test_storms(tap, calls, others):
    for guard in ("check", "freeze", "race"):
        test_storm(tap, guard, calls)
        for how in ("exec", "peer"):
            test_storm(tap, guard, others, how)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storms", type=int, metavar="CALLS")
    parser.add_argument("scenes", nargs="*")
    args, tap = parser.parse_args(), Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("hints", "needs root: CAP_SYS_NICE")
        return tap.done()
    try:
        with zram.swap():
            if args.storms:
                test_storms(tap, args.storms, args.storms // OTHERS_SHARE)
                return tap.done()
            for scene, options in TRUTHS:
                if not args.scenes or scene in args.scenes:
                    test_truth(tap, scene, options)
            if not args.scenes:
                test_limits(tap)
                test_hints(tap)
                test_storms(tap, STORM, STORM_OTHERS)
    except zram.Unavailable as why:
        tap.skip("hints", str(why))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
