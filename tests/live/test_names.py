#!/usr/bin/env python3
"""Names of name tables, as memoir shows them: by libmemoir-name and by a writer that knows only the
document; the figures of named parts against smaps. It must leave no process behind."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import memoir
import mkmem
import smaps
from tap import Tap

HERE = Path(__file__).parent
ENGINES = ("tables", "scan", "text")
NOBODY = 65534
PAGE = 4096
FIGURES = ("rss_bytes", "pss_bytes", "uss_bytes")


@contextlib.contextmanager
def running(script, *arguments):
    """(process, what it says, a function that makes it go on); MEMOIR_NAMES is table."""
    env = {**os.environ, "MEMOIR_NAMES": "table"}
    with subprocess.Popen([sys.executable, "-B", HERE / script, *map(str, arguments)], env=env,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        def step():
            process.stdin.write(b"\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())
        try:
            yield process, json.loads(process.stdout.readline()), step
        finally:
            process.send_signal(signal.SIGCONT)
            process.stdin.close()
            process.wait(timeout=10)


def stop(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while any(mkmem.stat_of(pid)[0] not in mkmem.STILL for pid in pids):
        if time.monotonic() > deadline:
            raise mkmem.Broken("a process does not stop")


def named_rows(rows, source):
    """[(start, end, name)], neighbours of one name joined; and rows of another source."""
    found, strays = [], []
    for row in sorted(rows, key=memoir.span):
        if row["name"] is None:
            continue
        start, end = memoir.span(row)
        if row["name_source"] != source:
            strays.append(row)
        elif found and found[-1][1] == start and found[-1][2] == row["name"]:
            found[-1] = (found[-1][0], end, row["name"])
        else:
            found.append((start, end, row["name"]))
    return found, strays


def differences(expected, rows, source="table"):
    found, strays = named_rows(rows, source)
    wanted = [tuple(name) for name in expected]
    return [f"missing: {n}" for n in wanted if n not in found] + \
           [f"too much: {n}" for n in found if n not in wanted] + [f"source: {r}" for r in strays]


def map_of(pid, engine):
    return memoir.rows("map", pid, "--json", f"--engine={engine}", codes=(0, 3))


def figures_differ(pid, rows):
    regions = smaps.read(pid)
    groups, strays = memoir.group(regions, rows)
    bad = [f"in no region: {row['start']}" for row in strays]
    for region in regions:
        # Python's own libraries are memoir's as well, which leaves itself out.
        if not region.path.startswith(b"/"):
            bad += memoir.region_differences(region, groups.get(region.start))
    return bad


def check_library(tap):
    with running("name_user.py") as (process, truth, _):
        try:
            stop(process.pid, truth["child"], truth["other"])
            for engine in ENGINES:
                rows = map_of(process.pid, engine)
                tap.check(not (bad := differences(truth["named"], rows)),
                          f"names are shown where they are ({engine})", bad)
                tap.check(not (bad := figures_differ(process.pid, rows)),
                          f"parts of regions add up to smaps ({engine})", bad)
                tap.check(not (bad := differences(truth["named"], map_of(truth["child"], engine))),
                          f"a child has the same names ({engine})", bad)
                check_bytes(tap, engine, truth["memory"], rows)
                check_sums(tap, engine)
        finally:
            for child in (truth["child"], truth["other"]):
                os.kill(child, signal.SIGCONT)


def check_bytes(tap, engine, memory, rows):
    """Names share pages by bytes. All these pages are mapped by three: a third of each is ours."""
    got = {row["name"]: [row[key] for key in ("rss_bytes", "uss_bytes", "anon_bytes", "pss_bytes")]
           for row in rows if row["name"]}
    sizes = {"most of a page": 3000, "little of a page": 1000, "less": 1500, "more": 2000,
             "from page to page": 2 * PAGE, "three bytes that are not there": 0}
    bad = [f"{name}: {got.get(name)}" for name, size in sizes.items() if name not in got or
           got[name][:3] != [size, 0, size] or abs(got[name][3] - size / 3) > 2]
    tap.check(not bad, f"names of parts of pages have their bytes of them ({engine})", bad)
    parts = [row for row in rows if memory <= memoir.span(row)[0] < memory + 64 * PAGE]
    sums = [sum(row[key] for row in parts) for key in ("rss_bytes", "uss_bytes", "pss_bytes")]
    # Pages are cut by 1/4096 byte each, as smaps does; three pages are mapped by two.
    fixed = 3 * (PAGE // 2 << 12) + 47 * ((PAGE << 12) // 3)
    tap.check(sums == [50 * PAGE, 0, fixed >> 12],
              f"parts add up to their region to the byte ({engine})", [sums, fixed >> 12])


def check_sums(tap, engine):
    """Three of the ten pages were written to by one of two children."""
    rows = memoir.rows("names", "name:first ten", "--json", f"--engine={engine}", codes=(0, 3))
    row = rows[0] if rows else {}
    got = [row.get(key) for key in ("processes", "regions", "rss_bytes", "uss_bytes")]
    tap.check(len(rows) == 1 and got == [3, 3, 30 * PAGE, 3 * PAGE] and
              abs(row["pss_bytes"] - 13 * PAGE) <= 3,
              f"names are summed over processes ({engine})", [str(rows)])


def check_alone(tap):
    """Pages that nobody shares: by page tables they are known from the walk, and not read again."""
    wanted = {"first ten": 9 * PAGE, "four": 3 * PAGE, "half of it there": 4 * PAGE, "less": 1500,
              "most of a page": 3000, "from page to page": 2 * PAGE, "little of a page": 1000,
              "more": 2000, "half a huge page": 256 * PAGE, "three bytes that are not there": 0}
    with running("name_user.py", "alone") as (process, truth, _):
        stop(process.pid)
        for engine in ENGINES:
            rows = map_of(process.pid, engine)
            got = {row["name"]: row for row in rows if row["name"]}
            bad = [f"{name}: {got.get(name)}" for name, size in wanted.items() if name not in got or
                   [got[name][key] for key in FIGURES] != [size] * 3]
            tap.check(not bad and len(got) == len(wanted),
                      f"names have what is there of their memory ({engine})", bad)
            tap.check(not (bad := figures_differ(process.pid, rows)),
                      f"parts of memory with holes add up to smaps ({engine})", bad)
            parts = [row["rss_bytes"] for row in rows
                     if truth["memory"] <= memoir.span(row)[0] < truth["memory"] + 64 * PAGE]
            tap.check(sum(parts) == 47 * PAGE and len(parts) == 17,
                      f"neighbours of one name are one part ({engine})", parts)


def valid(ranges):
    return [name for name in ranges if name[2] != "nowhere" and "\x1b" not in name[2]]


def joined(ranges):
    found = []
    for start, end, name in valid(ranges):
        if found and found[-1][1] == start and found[-1][2] == name:
            found[-1] = (found[-1][0], end, name)
        else:
            found.append((start, end, name))
    return sorted(found)


def check_writer(tap):
    with running("name_writer.py") as (process, ranges, step):
        for engine in ENGINES:
            tap.check(not (bad := differences(joined(ranges), map_of(process.pid, engine))),
                      f"a table written by the document is read ({engine})", bad)
            ranges = step()
        tap.check(not (bad := differences(joined(ranges), map_of(process.pid, "tables"))),
                  "what has changed is seen", bad)


def plain_process():
    """Has anonymous memory at an address that it says, and no names."""
    code = ("import ctypes,mmap,sys\nlibc=ctypes.CDLL(None)\nlibc.mmap.restype=ctypes.c_void_p\n"
            "at=libc.mmap(None,262144,3,34,-1,0)\nctypes.memset(at,1,262144)\n"
            "print(at,flush=True)\nsys.stdin.readline()")
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)


def check_about(tap):
    """Tables about another process: by root, with a wrong start time, and by a stranger."""
    with plain_process() as process:
        memory = int(process.stdout.readline())
        ticks = mkmem.stat_of(process.pid)[2]
        for what, start, believed, user in (
                ("root's table about another process is believed", ticks, True, ()),
                ("not if that process is not the one meant", ticks + 1, False, ()),
                ("nor if a stranger writes it", ticks, False, (NOBODY,))):
            with running("name_writer.py", "--about", process.pid, start, memory,
                         *user) as (_, ranges, _):
                # All processes, and that one only: the table is another one's.
                for which in ((), (f"pid:{process.pid}",)):
                    rows = memoir.rows("names", "--json", *which, codes=(0, 3))
                    mine = [row for row in rows if row["name_source"] == "supervisor" and
                            row["name"] == "turn 0"]
                    good = len(mine) == 1 and mine[0]["rss_bytes"] == 10 * 4096 if believed \
                        else not mine
                    tap.check(good, what + (" (asked for alone)" if which else ""),
                              [str(mine), str(ranges[:1])])
        process.stdin.close()


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("names of other processes", "needs root: frame numbers are hidden")
        return tap.done()
    try:
        check_library(tap)
        check_alone(tap)
        check_writer(tap)
        check_about(tap)
    except (mkmem.Broken, memoir.Failed, OSError, subprocess.SubprocessError) as error:
        tap.check(False, "names can be looked at", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
