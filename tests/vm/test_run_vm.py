#!/usr/bin/env python3
"""Runs the live tests of memoir run inside another kernel; it must not weaken what they demand.

    test_run_vm.py KERNEL [TEST...]
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

# What depends on the kernel: who answers and how, and what can be seen of forks and exec.
TESTS = ("shown", "rules", "static", "forks", "exec", "vfork", "unmapped", "supervisor_killed", "nobody",
         "yama", "undumpable", "listener_there")
# Where the kernel keeps names, programs just run.
KERNELS_OWN = ("kernel_keeps_names",)
SECONDS = 300


def command(kernel, tests):
    build = Path(os.environ.get("MEMOIR_BUILD", TREE / "build"))
    live = TREE / "tests/live"
    words = [sys.executable, str(HERE / "run.py"), "--kernel", kernel, "--mem", "1G",
             "--timeout", str(SECONDS), "--python", "--env", f"MEMOIR={build / 'memoir'}",
             "--env", f"MEMOIR_BUILD={build}"]
    for added in (build / "memoir", build / "tests/helpers/mknamed",
                  build / "tests/helpers/rawname", live, "/usr/bin/setpriv", "/usr/bin/setarch",
                  "/lib/x86_64-linux-gnu/libgcc_s.so.1"):
        words += ["--add", str(added)]
    return [*words, "--", "python3", f"{live}/test_run.py", *tests]


def main():
    kernel, *tests = sys.argv[1:]
    try:
        kernels.find(kernel)
    except kernels.Unavailable as error:
        tap = Tap()
        tap.skip(kernel, str(error))
        return tap.done()
    if not tests:
        tests = KERNELS_OWN if kernel == "anon-vma-name" else TESTS
    # The guest's TAP is ours.
    return subprocess.run(command(kernel, tests), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
