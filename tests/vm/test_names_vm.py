#!/usr/bin/env python3
"""Runs the rules of names, and what a name costs, inside another kernel; it must not weaken what the
rules demand.

    test_names_vm.py KERNEL PLACE|cost...
"""
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(TREE / "tests/live")]

import kernels  # noqa: E402
from tap import Tap  # noqa: E402

SECONDS = 300


def build_path(name):
    return Path(os.environ.get("MEMOIR_BUILD", TREE / "build")).resolve() / name


def command(kernel, places):
    live = TREE / "tests/live"
    words = [sys.executable, str(HERE / "run.py"), "--kernel", kernel, "--mem", "1G",
             "--timeout", str(SECONDS), "--python", "--env", f"MEMOIR={build_path('memoir')}",
             "--env", f"MEMOIR_BUILD={build_path('')}"]
    for added in (build_path("memoir"), build_path("tests/helpers/mknames"),
                  build_path("bench/name-prctl"), live, "/lib/x86_64-linux-gnu/libgcc_s.so.1"):
        words += ["--add", str(added)]
    return [*words, "--", "python3", f"{live}/test_name_rules.py", *places]


def main():
    kernel, places = sys.argv[1], sys.argv[2:]
    try:
        kernels.find(kernel)
    except kernels.Unavailable as error:
        tap = Tap()
        tap.skip(kernel, str(error))
        return tap.done()
    # The guest's TAP is ours.
    return subprocess.run(command(kernel, places), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
