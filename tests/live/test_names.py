#!/usr/bin/env python3
"""Names of name tables, as memoir shows them: by libmemoir-name and by a writer that knows only the
document; the figures of named parts against smaps. It must leave no process behind."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
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
END_S = 60  # to end, on a very busy machine
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
            process.wait(timeout=END_S)


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
            mkmem.stop([process.pid, truth["child"], truth["other"]])
            for engine in ENGINES:
                rows = map_of(process.pid, engine)
                tap.check(not (bad := differences(truth["named"], rows)),
                          f"names are shown where they are ({engine})", bad)
                tap.check(not (bad := figures_differ(process.pid, rows)),
                          f"parts of regions add up to smaps ({engine})", bad)
                tap.check(not (bad := differences(truth["named"], map_of(truth["child"], engine))),
                          f"a child has the same names ({engine})", bad)
                check_bytes(tap, engine, truth["memory"], rows)
                check_sums(tap, engine, (process.pid, truth["child"], truth["other"]))
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


def check_sums(tap, engine, pids):
    """Three of the ten pages were written to by one of two children."""
    rows = memoir.rows("names", "name:first ten", "pid:" + ",".join(map(str, pids)), "--json",
                       f"--engine={engine}", codes=(0, 3))
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
        mkmem.stop([process.pid])
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
        check_order(tap, process.pid, ticks, memory)
        process.stdin.close()


def sources_of(pid):
    rows = memoir.rows("names", f"pid:{pid}", "--json", codes=(0, 3))
    return {row["name_source"] for row in rows if row["name"] == "turn 0"}


def check_order(tap, pid, ticks, memory):
    """Names that it was refused, and such that it was given: begun in either order."""
    with running("name_writer.py", "--tried", pid, ticks, memory):
        tap.check(sources_of(pid) == {"prctl"}, "a table says that its names were refused")
        with running("name_writer.py", "--about", pid, ticks, memory), \
                running("name_writer.py", "--tried", pid, ticks, memory):
            tap.check(sources_of(pid) == {"supervisor"},
                      "names that were given come before such that were refused")


def check_freed(tap):
    """Seven of the first ten pages are shared by both processes, and each has the other three. Only these are
    asked for: by text all processes take seconds, and others may use such names."""
    with running("name_user.py") as (process, truth, _):
        family = f"pid:{process.pid},{truth['child']},{truth['other']}"
        for engine in ENGINES:
            freed = []
            for which in (family, f"pid:{truth['child']}"):
                rows = memoir.rows("names", "name:first ten", which, "--json",
                                   f"--engine={engine}", codes=(0, 3))
                freed += [row["freed_bytes"] for row in rows]
            tap.check(freed == [13 * 4096, 3 * 4096],
                      f"a name frees what nothing else maps ({engine})", [str(freed)])


# All of a mapping has one name, so that also a user without frame numbers sees it.
WHOLE = """
import ctypes, os, sys
libc, names = ctypes.CDLL(None), ctypes.CDLL(os.environ["MEMOIR_BUILD"] + "/src/libmemoir-name.so")
libc.mmap.restype = ctypes.c_void_p
libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
names.memoir_name.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
at = libc.mmap(None, ctypes.c_size_t(12288), 0, 34, -1, 0)
libc.mprotect(at + 4096, 4096, 3)
ctypes.memset(at + 4096, 1, 4096)
assert names.memoir_name(at + 4096, 4096, sys.argv[1].encode()) == 0
print("ready", flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def named_whole(name, **user):
    with subprocess.Popen([sys.executable, "-c", WHOLE, name], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env={**os.environ, "MEMOIR_NAMES": "table"},
                          **user) as process:
        process.stdout.readline()
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(timeout=END_S)


def registry_rows(*arguments):
    return {row["name"]: row for row in memoir.rows("names", *arguments, "--json", codes=(0, 3))}


def check_registry(tap):
    name = f"registry/test: {os.getpid()}"
    with named_whole(name):
        row = memoir.rows("names", f"name:{name}", "--json", codes=(0, 3))[0]
        link = Path("/run/memoir/names") / row["id"]
        tap.check(os.readlink(link) == name, "memoir names makes a link of the id")
        known = registry_rows("--registry").get(name, {})
        tap.check((known.get("processes"), known.get("linked"), known.get("id")) ==
                  (1, True, row["id"]), "--registry says who uses the name", [str(known)])
        memoir.run("names", "--gc")
        tap.check(link.is_symlink(), "--gc keeps what is used")
    known = registry_rows("--registry").get(name, {})
    tap.check((known.get("processes"), known.get("linked")) == (0, True),
              "--registry knows the name of a process that is gone", [str(known)])
    dropped = registry_rows("--gc").get(name, {})
    tap.check(dropped.get("linked") is False and not link.is_symlink(),
              "--gc drops what nobody uses", [str(dropped)])
    check_full_registry(tap)
    check_users_registry(tap)


# More names than there can be links, a page each.
MANY = """
import ctypes, os, sys
libc, names = ctypes.CDLL(None), ctypes.CDLL(os.environ["MEMOIR_BUILD"] + "/src/libmemoir-name.so")
libc.mmap.restype = ctypes.c_void_p
names.memoir_name.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
at = libc.mmap(None, ctypes.c_size_t(9000 << 12), 3, 34, -1, 0)
for i in range(9000):
    names.memoir_name(at + (i << 12), 4096, b"many %d" % i)
print("ready", flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def own_registry():
    """A function that runs a command where /run/memoir is an empty tmpfs of its own."""
    with subprocess.Popen(["unshare", "-m", "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as shell:
        def run(command):
            shell.stdin.write(f"{command}\necho END\n")
            shell.stdin.flush()
            return "".join(iter(shell.stdout.readline, "END\n")).strip()
        run("mkdir -p /run/memoir && mount -t tmpfs -o mode=755 tmpfs /run/memoir")
        yield run
        shell.stdin.close()


def check_full_registry(tap):
    names, count = f"{memoir.program()} names -o name", "ls /run/memoir/names | wc -l"
    with own_registry() as run:
        with subprocess.Popen([sys.executable, "-c", MANY], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env={**os.environ, "MEMOIR_NAMES": "table"}
                              ) as process:
            process.stdout.readline()
            run(f"{names} >/dev/null 2>&1")
            full = run(count)
            known = [row for row in memoir.decode(run(f"{memoir.program()} names --registry --json "
                                                      "2>/dev/null").encode())["rows"]
                     if row["name"].startswith("many ")]
            links = int(run("readlink /run/memoir/names/* | grep -c '^many '"))
            process.communicate()
        tap.check(len(known) == len({row["name"] for row in known}) == 9000 and
                  sum(row["linked"] for row in known) == links and
                  all(row["processes"] == 1 for row in known),
                  "--registry has each name once", [str(len(known)), str(links), str(known[:2])])
        tap.check(full == "8192", "there are as many links as there may be", [full])
        name = f"after many: {os.getpid()}"
        with named_whole(name):
            run(f"{names} 'name:{name}' >/dev/null 2>&1")
            listed = "readlink /run/memoir/names/* | grep -cx"
            tap.check(run(f"{listed} '{name}'") == "0", "and then no more")
            run(f"{names} >/dev/null 2>&1")
            left = run(count)
            tap.check(run(f"{listed} '{name}'") == "1" and int(left) < 1000,
                      "until those of names that nobody uses have made room", [left])


def check_users_registry(tap):
    """In the user's own directory, and nowhere if that is not his alone."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    with tempfile.TemporaryDirectory() as runtime, named_whole("a user's", **user):
        os.chmod(runtime, 0o700)
        os.chown(runtime, NOBODY, NOBODY)
        names = Path(runtime) / "memoir/names"

        def run(**environment):
            env = {key: value for key, value in os.environ.items() if key != "XDG_RUNTIME_DIR"}
            done = subprocess.run([memoir.program(), "names", "name:a user's", "--json"],
                                  env={**env, **environment}, capture_output=True, check=False,
                                  timeout=60, **user)
            return done.returncode in (0, 3) and memoir.decode(done.stdout)["rows"]

        rows = run(XDG_RUNTIME_DIR=runtime)
        tap.check(len(rows) == 1 and os.readlink(names / rows[0]["id"]) == "a user's",
                  "a user's links are in his own directory", [str(rows)])
        for link in names.iterdir():
            link.unlink()
        os.chmod(names, 0o777)
        tap.check(run(XDG_RUNTIME_DIR=runtime) and not list(names.iterdir()),
                  "no link is made where others may write")
        os.chmod(names, 0o755)
        tap.check(run() and run(XDG_RUNTIME_DIR="relative") and not list(names.iterdir()),
                  "nor without a directory, and names are shown all the same")


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
        check_freed(tap)
        check_registry(tap)
    except (mkmem.Broken, memoir.Failed, OSError, subprocess.SubprocessError) as error:
        tap.check(False, "names can be looked at", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
