#!/usr/bin/env python3
"""The kernel's rules for names of anonymous memory, against each place where memoir keeps names: the
answers are the kernel's, but for the differences that stand here and in docs/NAMES.md; no others.

    test_name_rules.py kernel|prctl|table|supervisor|auto|cost...

kernel: libmemoir-name, and the kernel keeps the names; prctl: the program's own calls, which is the kernel alone;
table: libmemoir-name's table; supervisor: the program's own calls below `memoir run`; auto: the same below `memoir run
--auto`, where what the program does not name has the program's name. cost: not rules, but how many
times what a name costs by the table it costs by prctl, where the kernel keeps names.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import memoir
import mkmem
from tap import Tap

BUILD = Path(os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build"))
PAGE = 4096
BY_CALLER = "mknames"
EINVAL, ENOMEM, EBADF = -22, -12, -9
# memoir run looks after what it did not see every second.
WAIT_S = 6
# In an emulated guest, where the median was 32 to 36: under load it is less for some processes.
CHEAPER = 12
RUNS = 5

# What the kernel answers: the calls' results, the letter of each page's name (. none, - not mapped; = the
# name that the rule gives in full), and how many VMAs that makes.
KERNEL = {
    "split": ([0, 0], "aabbaa", 3),
    "merge": ([0, 0], "aaaaaa", 1),
    "again": ([0, 0, 0], ".aaaa.", 3),
    "over-several": ([0, 0, 0, 0], "addddc", 3),
    "clear-part": ([0, 0], "aa..aa", 3),
    "clear-all": ([0, 0, 0], "......", 1),
    "clear-unnamed": ([0], "......", 1),
    "copied": ([0, 0], "aaaaaa", 1),
    "permissions": ([0, 0], "aaabba", 5),
    "dontneed": ([0], "aaaaaa", 1),
    "characters": ([EINVAL] * 9 + [0], "===...", 2),
    "length-of-name": ([0, EINVAL], "===...", 2),
    "empty-name": ([0, 0], "aa==aa", 3),
    "misaligned-start": ([EINVAL], "......", 1),
    "misaligned-length": ([0], "aa....", 2),
    "no-length": ([0], "......", 1),
    "wrap-around": ([EINVAL, EINVAL, EINVAL], "......", 1),
    "hole": ([ENOMEM], "aa--aa", 2),
    "not-mapped": ([ENOMEM], "------", 0),
    "file-private": ([EBADF], "......", 1),
    "file-shared": ([EBADF], "......", 1),
    "file-between": ([EBADF], "aa....", 3),
    "memfd": ([0], "aaaa..", 2),
    "shared-anonymous": ([0], ".aaa..", 3),
    "stack": ([0], ".a.", 3),
    "heap": ([0], ".aa...", 3),
    "munmap": ([0], "aa--aa", 2),
    "map-after-munmap": ([0], "aa..aa", 3),
    "map-after-own-unmap": ([0], "aa..aa", 3),
    "map-over": ([0], "aa..aa", 3),
    "move": ([0], ".aaa..", 3),
    "move-own": ([0], "aaaaaaa", 1),
    "grow": ([0], "aaaa--", 1),
    "fork": ([0, 0, 0], "aa.bb.", 4),
    "fork-parent": ([0], "aaaa..", 2),
    "fork-child": ([0], "aabbbb", 2),
    "exec": ([0], None, None),
    "in-vfork": ([0], "aaabb.", 3),
    "in-thread": ([0], ".aaa..", 3),
    "in-handler": ([0], ".aaa..", 3),
}
FULL = {"characters": "characters ~!\"#%&'()*+,-./:;<=>?@^_{|}", "length-of-name": "n" * 79,
        "empty-name": ""}
# Where a place answers otherwise: results, pages. The VMAs are as if nothing were named.
DIFFERENT = {
    "table": {
        # Any bytes: most of a page has the name, or not.
        "misaligned-start": ([0], "aa...."),
        "misaligned-length": ([0], "a....."),
        # Only the arguments are looked at.
        "hole": ([0], "aa--aa"),
        "not-mapped": ([0], "------"),
        "file-private": ([0], "......"),
        "file-shared": ([0], "......"),
        "file-between": ([0], "aa..aa"),
        "memfd": ([0], "......"),
        "shared-anonymous": ([0], "......"),
        # Names are left behind where the library does not see what is unmapped.
        "map-after-munmap": ([0], "aaaaaa"),
        "map-over": ([0], "aaaaaa"),
        "move": ([0], "......"),
        "grow": ([0], "aa..--"),
    },
    "auto": {
        "hole": ([0], "aa--aa"),
        "not-mapped": ([0], "------"),
        "file-private": ([0], "......"),
        "file-shared": ([0], "......"),
        "file-between": ([0], "aa..aa"),
        "memfd": ([0], "......"),
        "shared-anonymous": ([0], "......"),
    },
    "supervisor": {
        "memfd": ([EBADF], "......"),
        "shared-anonymous": ([0], "......"),
        "map-after-munmap": ([0], "aaaaaa"),
        "map-after-own-unmap": ([0], "aaaaaa"),
        "map-over": ([0], "aaaaaa"),
        "move": ([0], "......"),
        "move-own": ([0], "......."),
        "grow": ([0], "aa..--"),
    },
}
UNNAMED_VMAS = {"permissions": 3, "hole": 2, "not-mapped": 0, "file-between": 3, "munmap": 2,
                "move": 3, "exec": None}


class Place:
    """How the program is run, and what is expected of it."""

    def __init__(self, name):
        self.name = name
        self.by_kernel = name in ("kernel", "prctl")
        means = "library" if name in ("kernel", "table") else "prctl"
        self.argv = [BUILD / "tests/helpers/mknames", means]
        if name == "supervisor":
            self.argv = [memoir.program(), "run", *self.argv]
        if name == "auto":
            self.argv = [memoir.program(), "run", "--auto", *self.argv]
        self.env = {**os.environ, "MEMOIR_NAMES": "kernel" if self.by_kernel else "table"}
        self.source = {"kernel": "kernel", "prctl": "kernel", "auto": "table"}.get(name, name)

    def expected(self, rule):
        """(results, pages, VMAs)"""
        returned, pages, vmas = KERNEL[rule]
        if self.by_kernel:
            return returned, pages, vmas
        returned, pages = DIFFERENT[self.name].get(rule, (returned, pages))
        return returned, pages, UNNAMED_VMAS.get(rule, 1)


def letters(rule, spans, regions):
    """The names of the pages of a rule: from [(start, end, name or None)]."""
    shown = []
    for page in range(rule["pages"]):
        at = rule["base"] + page * PAGE
        # What has most of it: regions may end within pages where names do.
        found = [name for _, name in sorted(
            ((min(end, at + PAGE) - max(start, at), name) for start, end, name in regions
             if start < at + PAGE and end > at), key=lambda part: -part[0])]
        mapped = any(start <= at < end for start, end in spans)
        if not found:
            shown.append("." if mapped else "-")
        elif found[0] is None or found[0].startswith(BY_CALLER):
            shown.append(".")
        elif found[0] == FULL.get(rule["rule"]):
            shown.append("=")
        else:
            own, _, letter = found[0].rpartition(" ")
            shown.append(letter if own == rule["rule"] else f"<{found[0]}>")
    return "".join(shown)


def mappings(pid):
    """[(start, end, name)] as the kernel itself shows them."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.rstrip("\n").split(maxsplit=5)
            start, end = (int(part, 16) for part in words[0].split("-"))
            path = words[5] if len(words) > 5 else ""
            name = path.partition(":")[2][:-1] if path.startswith(("[anon:", "[anon_shmem:")) \
                else None
            found.append((start, end, name))
    return found


def rows_of(pid):
    return memoir.rows("map", pid, "--json", codes=(0, 3))


def differences(place, rule, rows, maps):
    """What is shown otherwise than expected, as sentences."""
    returned, pages, vmas = place.expected(rule["rule"])
    regions = [(*memoir.span(row), row["name"]) for row in rows]
    bad = []
    if rule["returned"] != returned:
        bad.append(f"returned {rule['returned']}, not {returned}")
    bad += [f"the name of {row['start']} is of {row['name_source']}" for row in rows
            if row["name"] is not None and row["name_source"] != place.source]
    if pages is None:
        return bad + [f"there is a name: {name}" for _, _, name in regions if name is not None]
    spans = [(start, end) for start, end, _ in maps]
    shown = letters(rule, spans, regions)
    if shown != pages:
        bad.append(f"memoir shows {shown}, not {pages}")
    # [heap] and the part of the stack that the program began with keep what the kernel calls them.
    if place.by_kernel and rule["rule"] != "heap" and \
            (kernel := letters(rule, spans, maps)) != pages:
        bad.append(f"the kernel shows {kernel}, not {pages}")
    end = rule["base"] + rule["pages"] * PAGE
    is_count = sum(1 for start, stop in spans if start < end and stop > rule["base"])
    if is_count != vmas:
        bad.append(f"{is_count} VMAs, not {vmas}")
    return bad


def check_rule(tap, place, rule, seen):
    deadline = time.monotonic() + (WAIT_S if place.name == "supervisor" else 0)
    while True:
        pid = rule["pid"]
        if pid not in seen:
            seen[pid] = rows_of(pid), mappings(pid)
        bad = differences(place, rule, *seen[pid])
        if not bad or time.monotonic() >= deadline:
            break
        time.sleep(0.3)
        seen.pop(pid)
    different = not place.by_kernel and rule["rule"] in DIFFERENT[place.name]
    tap.check(not bad, f"{place.name}: {rule['rule']} {'is as it says' if different else 'is as in the kernel'}",
              bad)


def check_place(tap, place):
    with subprocess.Popen(place.argv, env=place.env, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        try:
            rules = json.loads(process.stdout.readline() or b"[]")
            tap.check([rule["rule"] for rule in rules] == list(KERNEL),
                      f"{place.name}: all rules were carried out")
            seen = {}
            for rule in rules:
                check_rule(tap, place, rule, seen)
        finally:
            process.stdin.close()
            process.wait(timeout=60)


def check_cost(tap):
    """The median of some processes: by chance addresses of one may lie badly."""
    runs = []
    for _ in range(RUNS):
        done = subprocess.run([BUILD / "bench/name-prctl"], stdout=subprocess.PIPE, text=True,
                              check=True)
        runs.append(dict(line.split() for line in done.stdout.splitlines()))
    for what, vmas in (("alternating", "1"), ("ranges", "200"), ("unchanged", "200")):
        runs.sort(key=lambda run: float(run[f"{what}_times"]))
        said = runs[RUNS // 2]
        tap.check(float(said[f"{what}_times"]) >= CHEAPER,
                  f"a name by the table costs little against prctl ({what})",
                  [f"{key} {value}" for key, value in said.items() if key.startswith(what)]
                  + [f"all runs: {' '.join(run[f'{what}_times'] for run in runs)}"])
        tap.check({(run[f"{what}_table_vmas"], run[f"{what}_prctl_vmas"]) for run in runs}
                  == {("1", vmas)}, f"the table leaves VMAs as they are ({what})")


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("rules of names", "needs root: name tables of other processes")
        return tap.done()
    for name in sys.argv[1:]:
        try:
            if name == "cost":
                check_cost(tap)
            else:
                check_place(tap, Place(name))
        except (memoir.Failed, OSError, ValueError, subprocess.SubprocessError) as error:
            tap.check(False, f"{name} can be looked at", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
