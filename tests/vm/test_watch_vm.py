#!/usr/bin/env python3
"""Runs the tests of watching programs name memory inside another kernel; it must not weaken what they demand.

    test_watch_vm.py KERNEL WAY [--kernel-keeps]

WAY is what `memoir check` has to say: by fexit, or by the tracepoint.
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
    kernel, way, *arguments = sys.argv[1:]
    try:
        kernels.find(kernel)
    except kernels.Unavailable as error:
        tap = Tap()
        tap.skip(kernel, str(error))
        return tap.done()
    build = Path(os.environ.get("MEMOIR_BUILD", TREE / "build"))
    memoir, helper, live = build / "memoir", build / "tests/helpers/namer", TREE / "tests/live"
    command = [sys.executable, str(HERE / "run.py"), "--kernel", kernel, "--mem", "1G",
               "--timeout", str(SECONDS), "--python", "--env", f"MEMOIR={memoir}",
               "--env", f"NAMER={helper}"]
    for added in (memoir, helper, live, "/lib/x86_64-linux-gnu/libgcc_s.so.1"):
        command += ["--add", str(added)]
    # The guest's TAP is ours.
    return subprocess.run([*command, "--", "python3", f"{live}/test_watch.py", "--way", way,
                           *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
