#!/usr/bin/env python3
"""Runs the ledger's live tests inside another kernel, whose frames have other flags; it must not
weaken what they demand.

    test_ledger_vm.py KERNEL
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

# The guest has no disk and no other user: the rest of the tests is for the live machine.
TESTS = ("test_sum", "test_anonymous", "test_huge", "test_lazy", "test_shmem", "test_page_tables",
         "test_hugetlb", "test_stacks", "test_zram")
PROGRAMS = ("mkswap", "swapon", "swapoff")
SECONDS = 300


def command(kernel, memoir):
    live = TREE / "tests/live"
    words = [sys.executable, str(HERE / "run.py"), "--kernel", kernel, "--mem", "1G",
             "--timeout", str(SECONDS), "--python", "--modules", "zram", "--add", memoir,
             "--add", str(live), "--env", f"MEMOIR={memoir}"]
    for program in PROGRAMS:
        words += ["--add", f"/sbin/{program}"]
    return [*words, "--", "python3", f"{live}/test_ledger.py", *TESTS]


def main():
    kernel = sys.argv[1]
    try:
        kernels.find(kernel)
    except kernels.Unavailable as error:
        tap = Tap()
        tap.skip(kernel, str(error))
        return tap.done()
    memoir = str(Path(os.environ.get("MEMOIR_BUILD", TREE / "build")) / "memoir")
    # The guest's TAP is ours.
    return subprocess.run(command(kernel, memoir), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
