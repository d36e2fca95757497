#!/usr/bin/env python3
"""Runs the tests of names by caller inside a kernel that keeps names itself, in its own places for names; it must
not weaken what they demand.

    test_auto_vm.py KERNEL
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

SECONDS = 200
# The kernel names whole mappings only, and shared memory too: the others are about the table.
BY_KERNEL = ("unmapped", "covered", "moved", "unloaded", "forked", "signalled", "large")


def main():
    kernel = sys.argv[1]
    try:
        kernels.find(kernel)
    except kernels.Unavailable as error:
        tap = Tap()
        tap.skip(kernel, str(error))
        return tap.done()
    build = Path(os.environ.get("MEMOIR_BUILD", TREE / "build"))
    live = TREE / "tests/live"
    command = [sys.executable, str(HERE / "run.py"), "--kernel", kernel, "--mem", "1G",
               "--timeout", str(SECONDS), "--python", "--env", f"MEMOIR_BUILD={build}",
               "--env", f"MEMOIR={build / 'memoir'}"]
    helpers = build / "tests/helpers"
    for added in (build / "memoir", build / "src/libmemoir-auto.so", helpers / "mkauto", live,
                  *helpers.glob("libauto-*.so")):
        command += ["--add", str(added)]
    # The guest's TAP is ours.
    return subprocess.run([*command, "--", "python3", f"{live}/test_auto.py", "--names", "auto",
                           "--source", "kernel", *BY_KERNEL], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
