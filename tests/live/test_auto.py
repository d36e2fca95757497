#!/usr/bin/env python3
"""memoir run --auto's library: names by caller are right when memory is mapped, moved, covered and given back,
by threads, children and signal handlers; and real programs do under it what they do without.
It must leave no process behind.

    test_auto.py [--names MODE] [--source SOURCE] [CASE...]

Only these cases; MODE as MEMOIR_NAMES has it; SOURCE is where memoir says that names are from.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import auto
import memoir
import mkmem
from tap import Tap

MAP_CASES = ("made", "unmapped", "covered", "moved", "heap", "named", "unloaded", "forked",
             "signalled", "forks")
MALLOC_CASES = ("large", "in-heap", "in-arena", "new")
# What such memory is stays to be seen, also where only parts of it have names.
KINDS = {"heap": "heap", "in-heap": "heap", "in-arena": "arena:glibc"}
MARKS = {"libauto-one.so:map_memory": 1, "libauto-two.so:map_memory": 2}
LOOKS = 60
PROGRAM_S = 60  # until a program has mapped what is looked for, on a very busy machine
NOBODY = 65534
LIBRARIES = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu"


def mkauto(case):
    helpers = auto.build() / "tests/helpers"
    return [helpers / "mkauto", helpers, case]


def other_kinds(case, ranges, rows):
    starts = [start for start, _, name in ranges if name and case in KINDS]
    kinds = {row["kind"] for row in rows for start in starts
             if memoir.span(row)[0] <= start < memoir.span(row)[1]}
    return [f"kind {kind}" for kind in kinds - {KINDS.get(case)}]


def check_case(tap, case, before=(), *, env, source="table"):
    """before: a command that runs what follows."""
    count = 0
    with auto.running([*before, *mkauto(case)], env) as process:
        for count, said in enumerate(auto.steps(process), 1):
            rows = auto.rows_of(said["pid"])
            bad = auto.differences(said["ranges"], rows) + other_kinds(case, said["ranges"], rows)
            bad += [f"from {row['name_source']}: {row['name']}" for row in rows if row["name"] and
                    row["name"].startswith("libauto") and row["name_source"] != source]
            tap.check(not bad, f"{case}: {said['step']}", bad)
        errors = process.stderr.read().decode()
    tap.check(count and process.returncode == 0 and not errors,
              f"{case}: {count} steps, and the program ends well",
              [f"exit {process.returncode}", errors])


# ---- threads -----------------------------------------------------------------------------------

def marks_of(memory, start, end):
    """[(address, mark)] of the pages that a thread has marked as its own."""
    memory.seek(start)
    text = memory.read(end - start)
    return [(start + at, text[at]) for at in range(0, len(text), 4096) if text[at]]


def look(pid):
    """(pages with the right name, pages with none, what is wrong) of a process that stands still."""
    right, nameless, wrong = 0, 0, []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for row in auto.rows_of(pid):
            if row["perms"] != "rw-p" or row["path"] or row["kind"] not in ("anon",):
                continue
            wanted = MARKS.get(row["name"])
            for address, mark in marks_of(memory, *memoir.span(row)):
                if wanted == mark:
                    right += 1
                elif wanted is not None:
                    wrong.append(f"{address:x}: mark {mark}, name {row['name']}")
                elif mark in MARKS.values() and row["name"] is None:
                    nameless += 1
    return right, nameless, wrong


def check_threads(tap):
    """A thread may have been stopped between unnaming and unmapping: such memory has no name, never another's."""
    right, nameless, wrong = 0, 0, []
    with auto.running(mkauto("threads"), auto.environment()) as process:
        process.stdout.readline()
        for _ in range(LOOKS):
            mkmem.stop([process.pid])
            found = look(process.pid)
            os.kill(process.pid, signal.SIGCONT)
            right, nameless = right + found[0], nameless + found[1]
            wrong += found[2]
            time.sleep(0.01)
    tap.check(not wrong and right > 100 * LOOKS,
              f"8 threads: {right} pages have the right name, none a wrong one", wrong[:20])
    tap.check(nameless < right // 10, f"and {nameless} have none, in the midst of a call")
    tap.check(process.returncode == 0, "8 threads end well")


# ---- real programs -----------------------------------------------------------------------------

PYTHON = """
import mmap, sys, threading
block = bytearray(5 << 20)
area = mmap.mmap(-1, 3 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
area.write(b'x' * (3 << 20))
threads = [threading.Thread(target=lambda: sum(bytearray(1 << 20))) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
objects = [(i,) for i in range(200000)]
print(sum(o[0] for o in objects), flush=True)
sys.stdin.read()
"""
NODE = """
const kept = [];
for (let i = 0; i < 200000; i++) kept.push({i, text: 'x' + i});
const big = Buffer.alloc(20 << 20, 1);
console.log(kept.length + big.length);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
"""


def names_of(rows):
    """{name: bytes}"""
    found = {}
    for row in rows:
        if row["name_source"] == "table":
            start, end = memoir.span(row)
            found[row["name"]] = found.get(row["name"], 0) + end - start
    return found


def kinds_of(rows):
    return {row["kind"] for row in rows}


def missing_in(rows, names, kinds):
    found = names_of(rows)
    return [f"{name}: {least} bytes" for name, least in names.items()
            if sum(b for n, b in found.items() if re.match(name, n)) < least] + \
           [f"kind {kind}" for kind in kinds if kind not in kinds_of(rows)]


def check_program(tap, what, arguments, names, expected, kinds=(), behind=()):
    """Its first line and exit code are as without; what it maps goes by these names; kinds stay."""
    rows, missing = [], ["it ended"]
    with auto.running(arguments, auto.environment(*behind)) as process:
        said = process.stdout.readline().decode().strip()
        until = time.monotonic() + PROGRAM_S
        while missing and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
            rows = auto.rows_of(process.pid)
            missing = missing_in(rows, names, kinds)
    tap.check(re.search(expected, said) and process.returncode == 0 and not missing,
              f"{what}: runs as ever, and its memory has names",
              [f"says {said!r}, exit {process.returncode}", *missing, names_of(rows)])


def allocator(name):
    found = sorted(LIBRARIES.glob(name))
    return found[0] if found else None


def check_programs(tap):
    check_program(tap, "python3", [sys.executable, "-c", PYTHON],
                  {r"(lib)?python3": 1 << 20, r"mmap\.cpython|python3": 3 << 20}, "19999900000",
                  kinds=["arena:python"])
    if node := shutil.which("node"):
        check_program(tap, "node", [node, "-e", NODE], {r"(lib)?node": 20 << 20}, "21171520",
                      kinds=["heap:v8"])
    else:
        tap.skip("node", "nodejs is not installed")
    if keytool := shutil.which("keytool"):
        # It asks for a password, and gives up when there is none.
        arguments = [keytool, "-J-Xmx128m", "-J-Xlog:gc+heap+coops=debug", "-genkeypair",
                     "-alias", "a", "-keyalg", "RSA", "-keystore", "/nonexistent/keys"]
        check_program(tap, "Java", arguments, {r"libjvm\.so": 64 << 20}, "Heap address",
                      kinds=["heap:java", "code:java"])
    else:
        tap.skip("Java", "keytool is not installed")
    for pattern, name in (("libjemalloc.so.2", r"libjemalloc\.so\.2"),
                          ("libmimalloc.so.2*", r"libmimalloc\.so"),
                          ("libtcmalloc_minimal.so.4", r"libtcmalloc_minimal\.so\.4")):
        if library := allocator(pattern):
            check_program(tap, f"python3 with {library.name}", [sys.executable, "-c", PYTHON],
                          {name: 4 << 20}, "19999900000", behind=[library])
        else:
            tap.skip(f"python3 with {pattern}", "it is not installed")


# ---- memoir run --------------------------------------------------------------------------------

def check_run(tap):
    """By the command itself, and what it says of programs that it does not reach."""
    env = {key: value for key, value in os.environ.items() if key != "MEMOIR_NAMES"}
    by_run = [memoir.program(), "run", "--auto", "--"]
    check_case(tap, "made", by_run, env=env)
    check_case(tap, "named", by_run, env=env)
    env["LD_PRELOAD"] = "/nonexistent.so"
    done = subprocess.run([*by_run, "sh", "-c", "echo $LD_PRELOAD"], env=env, check=False,
                          capture_output=True, text=True, timeout=auto.TIMEOUT_S)
    tap.check(done.stdout == f"{auto.library()}:/nonexistent.so\n",
              "what was to be preloaded is preloaded too, behind ours", [done.stdout, done.stderr])
    done = subprocess.run([*by_run, "busybox", "true"], stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, text=True, timeout=auto.TIMEOUT_S)
    tap.check("linked statically" in done.stderr and done.returncode == 0,
              "a static program is out of reach, which is said", [done.stderr])
    del env["LD_PRELOAD"]
    done = subprocess.run([*by_run, "ls", "/"], env=env, check=False, user=NOBODY,
                          capture_output=True, text=True, timeout=auto.TIMEOUT_S)
    tap.check(done.returncode == 0 and not done.stderr, "it needs no privileges", [done.stderr])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--names", default="table")
    parser.add_argument("--source", default="table")
    parser.add_argument("case", nargs="*")
    arguments = parser.parse_args()
    tap = Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("names by caller", "needs root: frame numbers are hidden")
        return tap.done()
    try:
        for case in arguments.case or (*MAP_CASES, *MALLOC_CASES):
            check_case(tap, case, env=auto.environment(MEMOIR_NAMES=arguments.names),
                       source=arguments.source)
        if not arguments.case:
            check_threads(tap)
            check_programs(tap)
            check_run(tap)
    except (mkmem.Broken, memoir.Failed, OSError, subprocess.SubprocessError) as error:
        tap.check(False, "names by caller can be looked at", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
