#!/usr/bin/env python3
"""memoir trim --shared moves what several processes of a cgroup map, which no hint does, and leaves cgroups
alone in which there are others. Needs cgroups of version 2 with the memory controller: it is run in a
guest. It must not touch cgroups that it did not make.
"""
import contextlib
import os
import subprocess
import sys
import time

import memoir
import mkmem
import trimming
import zram
from tap import Tap

ROOT = "/sys/fs/cgroup"
MIB = 1 << 20
SWAP = 256 * MIB


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def has_controller():
    with contextlib.suppress(OSError):
        if not os.path.exists(f"{ROOT}/cgroup.controllers"):
            subprocess.run(["mount", "-t", "cgroup2", "none", ROOT], check=True)
        write(f"{ROOT}/cgroup.subtree_control", "+memory")
        return True
    return False


@contextlib.contextmanager
def cgroup(name):
    path = f"{ROOT}/{name}"
    os.mkdir(path)
    try:
        yield path
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                os.rmdir(path)
                break
            time.sleep(0.05)


def within(path):
    return ("sh", "-c", f'echo $$ > {path}/cgroup.procs && exec "$@"', "sh")


def row_of(answer, pid):
    return next(row for row in answer["rows"] if row["pid"] == pid)


def test_whole(tap, path, target):
    before = target.checksum()
    alone = row_of(trimming.trim("cgroup:/memoir-shared", "--dry-run")[0], target.pid)
    tap.check(alone["planned_bytes"] < MIB and trimming.skipped(alone, "shared") >= 16 * MIB,
              "hints would move nothing of a fork family", [str(alone)])
    answer = trimming.trim("cgroup:/memoir-shared", "--shared")[0]
    row, group = row_of(answer, target.pid), answer["cgroups"][0]
    tap.check(group["cgroup"] == "/memoir-shared" and group["whole"] and
              group["before_bytes"] - group["after_bytes"] >= 15 * MIB,
              "a whole cgroup is reclaimed", [str(group)])
    tap.check(row["planned_bytes"] >= 16 * MIB and row["moved_bytes"] >= 15 * MIB,
              "and what all of the family map has moved", [str(row)])
    tap.check(target.checksum() == before, "contents have not changed")
    answer = trimming.trim("cgroup:/memoir-shared", "--shared", "--max", "4M")[0]
    group = answer["cgroups"][0]
    gone = group["before_bytes"] - group["after_bytes"]
    tap.check(3 * MIB <= gone <= 9 * MIB, "--max is kept, nearly", [str(group)])
    answer, code, _ = trimming.trim(target.pid, "--shared", codes=(3,))
    tap.check(not answer["cgroups"][0]["whole"] and
              answer["cgroups"][0]["before_bytes"] - answer["cgroups"][0]["after_bytes"] < MIB,
              "a cgroup of which others are not selected is left alone", [str(answer["cgroups"])])
    del path, code


def test_usage(tap):
    for options in (("kind:heap", "--shared"), ("1", "--shared", "--cold"), ("1", "--shared", "--freeze")):
        done = subprocess.run([memoir.program(), "trim", *options], capture_output=True, text=True,
                              check=False)
        tap.check(done.returncode in (1, 2) and ("--shared" in done.stderr or "whole cgroups" in done.stderr),
                  f"{' '.join(options)} is refused", [done.stderr])


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    test_usage(tap)
    if os.geteuid() or not has_controller():
        tap.skip("whole cgroups", "needs root, and the memory controller of version 2")
        return tap.done()
    try:
        with zram.swap(SWAP), cgroup("memoir-shared") as path, \
                trimming.target("family", within(path)) as target:
            test_whole(tap, path, target)
    except zram.Unavailable as why:
        tap.check(False, "there is swap", [str(why)])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
