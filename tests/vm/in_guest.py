#!/usr/bin/env python3
"""Runs one of the live tests inside another kernel, where there is what this machine lacks, or lacks what this one
has; the guest's TAP is ours, and nothing of what the test demands is weakened.

    in_guest.py KERNEL [--add FILE]... [--modules NAME,NAME...] TEST.py [ARGUMENT...]
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(TREE / "tests/live")]

import kernels  # noqa: E402
from tap import Tap  # noqa: E402

LIVE = TREE / "tests/live"
SECONDS = 300
# What python's threads look for only when the first of them ends.
LIBGCC = "/lib/x86_64-linux-gnu/libgcc_s.so.1"


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("kernel")
    parser.add_argument("--add", action="append", default=[], metavar="FILE",
                        help="beside memoir and the live tests: what the test runs")
    parser.add_argument("--modules", metavar="NAME[,NAME...]")
    parser.add_argument("test", metavar="TEST.py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args()


def command(args):
    build = Path(os.environ.get("MEMOIR_BUILD", TREE / "build")).resolve()
    words = [sys.executable, str(HERE / "run.py"), "--kernel", args.kernel, "--mem", "1G",
             "--timeout", str(SECONDS), "--python", "--env", f"MEMOIR_BUILD={build}",
             "--env", f"MEMOIR={build / 'memoir'}"]
    for added in (build / "memoir", LIVE, LIBGCC, *args.add):
        words += ["--add", str(added)]
    if args.modules:
        words += ["--modules", args.modules]
    return [*words, "--", "python3", str(LIVE / args.test), *args.arguments]


def main():
    args = parse()
    try:
        kernels.find(args.kernel)
    except kernels.Unavailable as error:
        tap = Tap()
        tap.skip(args.kernel, str(error))
        return tap.done()
    return subprocess.run(command(args), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
