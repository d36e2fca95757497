#!/usr/bin/env python3
"""Runs the tests of known memory inside other kernels; it must not weaken what they demand.

    test_kernels.py [--kernel NAME]... [SCENARIO...]

What a kernel lacks is named here, so that a method or a scenario that silently stopped working is a
failure.
"""
import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(TREE / "tests/live")]

import kernels  # noqa: E402
from tap import Tap  # noqa: E402

# What each kernel has to be able to do. All methods run on this machine's own kernel (tests/live);
# here each runs where an older kernel could break it.
ENGINES = {
    "debian-6.1": ["auto", "text"],
    "debian-6.12": ["scan"],
    "anon-vma-name": ["auto"],
}
# What `auto` has to come to; on all of these, page tables.
AUTO = "tables"
# What a kernel is known to lack. Anything else that it skips is a failure.
LACKS = {
    "debian-6.1": {"guard", "uffd-wp"},
    "debian-6.12": {"guard"},
    "anon-vma-name": {"guard"},
}
# Who maps a page: by the reverse map, by the search of page tables, by its swap entry.
WHO = ["fork-mremap", "ksm", "thp-shmem", "sysv", "swap-copies"]
# Of many-vmas: still more than the kernel hands out at once, and a tenth of the time.
VMAS = 6000
SECONDS = 900


def build_path(name):
    return Path(os.environ.get("MEMOIR_BUILD", TREE / "build")) / name


def guest_script(engines, scenarios):
    live = TREE / "tests/live"
    memoir = build_path("memoir")
    lines = [f"export MEMOIR={memoir} MKMEM={build_path('tests/helpers/mkmem')} PYTHONDONTWRITEBYTECODE=1 "
             f"MKMEM_VMAS={VMAS}",
             f"echo ENGINE-USED $({memoir} ps --json | grep -o '\"engine\": *\"[a-z]*\"')"]
    for engine in engines:
        lines.append(f"echo ENGINE {engine}")
        lines.append(f"python3 {live}/test_exact.py --engine {engine} {' '.join(scenarios)}")
    lines += ["echo ENGINE who", f"python3 {live}/test_who.py {' '.join(WHO)}"]
    return "\n".join(lines)


def run_in(kernel, engines, scenarios):
    command = [sys.executable, str(HERE / "run.py"), "--kernel", kernel, "--mem", "3G",
               "--timeout", str(SECONDS), "--python", "--modules", "zram"]
    for added in (build_path("memoir"), build_path("tests/helpers/mkmem"), TREE / "tests/live",
                  "/lib/x86_64-linux-gnu/libgcc_s.so.1"):
        command += ["--add", str(added)]
    command += ["--", "sh", "-c", guest_script(engines, scenarios)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)


def repeat_points(tap, kernel, output):
    """The guest's points as ours; returns how many there were for each engine."""
    engine, points, diagnostics, pending = None, {}, [], None

    def flush():
        if pending:
            good, what, skip = pending
            if skip:
                tap.check(what.split()[0] in LACKS[kernel], f"{kernel} is known to lack {what}",
                          [skip])
            else:
                tap.check(good, f"{kernel} {what}", diagnostics)

    for line in output.splitlines():
        match = re.match(r"(not )?ok \d+ - (.*?)(?: # SKIP (.*))?$", line)
        if line.startswith("ENGINE "):
            flush()
            engine, pending = line.split()[1], None
            points[engine] = 0
        elif match and engine:
            flush()
            pending, diagnostics = (not match[1], match[2], match[3]), []
            points[engine] += 1
        elif line.startswith("#"):
            diagnostics.append(line)
    flush()
    return points


def test_kernel(tap, kernel, scenarios):
    engines = ENGINES[kernel]
    result = run_in(kernel, engines, scenarios)
    points = repeat_points(tap, kernel, result.stdout)
    tail = result.stdout.splitlines()[-12:]
    tap.check(f'"{AUTO}"' in next((line for line in result.stdout.splitlines()
                                   if line.startswith("ENGINE-USED")), ""),
              f"{kernel} takes the method {AUTO} by itself", tail)
    for engine in [*engines, "who"]:
        tap.check(points.get(engine, 0) >= 3, f"{kernel} ran the tests by {engine}", tail)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", action="append", choices=list(ENGINES))
    parser.add_argument("scenarios", nargs="*")
    args = parser.parse_args()
    tap = Tap()
    for kernel in args.kernel or ENGINES:
        try:
            kernels.find(kernel)
        except kernels.Unavailable as error:
            tap.skip(f"{kernel}", str(error))
            continue
        test_kernel(tap, kernel, args.scenarios)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
