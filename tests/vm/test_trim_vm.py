#!/usr/bin/env python3
"""Runs tests of memoir trim inside another kernel, where there is what this machine lacks: cgroups of version 2 with the
memory controller, or no cookie and no PROCMAP_QUERY. It must not weaken what they demand.

    test_trim_vm.py KERNEL TEST [ARGUMENT...]
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


def main():
    kernel, test, *arguments = sys.argv[1:]
    try:
        kernels.find(kernel)
    except kernels.Unavailable as error:
        tap = Tap()
        tap.skip(kernel, str(error))
        return tap.done()
    build, live = Path(os.environ.get("MEMOIR_BUILD", TREE / "build")), TREE / "tests/live"
    command = [sys.executable, str(HERE / "run.py"), "--kernel", kernel, "--mem", "1G",
               "--timeout", str(SECONDS), "--python", "--modules", "zram",
               "--env", f"MEMOIR_BUILD={build}", "--env", f"MEMOIR={build}/memoir"]
    for added in (build / "memoir", build / "tests/helpers/mktrim", live, "/usr/sbin/mkswap",
                  "/usr/sbin/swapon", "/usr/sbin/swapoff", "/lib/x86_64-linux-gnu/libgcc_s.so.1"):
        command += ["--add", str(added)]
    # The guest's TAP is ours.
    return subprocess.run([*command, "--", "python3", f"{live}/{test}", *arguments],
                          check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
