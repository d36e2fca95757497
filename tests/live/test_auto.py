#!/usr/bin/env python3
"""memoir run --auto's library: names by caller are right when memory is mapped, moved, covered and given back,
by threads, children and signal handlers; and real programs do under it what they do without.
It must leave no process behind."""
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
             "signalled")
MALLOC_CASES = ("large", "in-heap", "new")
MARKS = {"libauto-one.so:map_memory": 1, "libauto-two.so:map_memory": 2}
LOOKS = 60
LIBRARIES = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu"


def mkauto(case):
    helpers = auto.build() / "tests/helpers"
    return [helpers / "mkauto", helpers, case]


def check_case(tap, case):
    count = 0
    with auto.running(mkauto(case), auto.environment()) as process:
        for count, said in enumerate(auto.steps(process), 1):
            bad = auto.differences(said["ranges"], auto.rows_of(said["pid"]))
            tap.check(not bad, f"{case}: {said['step']}", bad)
        errors = process.stderr.read().decode()
    tap.check(count and process.returncode == 0 and not errors,
              f"{case}: {count} steps, and the program ends well", [process.returncode, errors])


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
            os.kill(process.pid, signal.SIGSTOP)
            while mkmem.stat_of(process.pid)[0] not in "tT":
                time.sleep(0.001)
            found = look(process.pid)
            os.kill(process.pid, signal.SIGCONT)
            right, nameless = right + found[0], nameless + found[1]
            wrong += found[2]
            time.sleep(0.01)
    tap.check(not wrong and right > 100 * LOOKS,
              f"8 threads: {right} pages have the right name, none a wrong one", wrong[:20])
    tap.check(nameless < right // 50, f"and {nameless} have none, in the midst of a call")
    tap.check(process.returncode == 0, "8 threads end well", [process.stderr])


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
JAVA = """
public class Auto {
    public static void main(String[] a) throws Exception {
        byte[][] kept = new byte[50][];
        for (int i = 0; i < 50; i++) kept[i] = new byte[100000];
        System.out.println(kept.length);
        while (System.in.read() >= 0) { }
    }
}
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


def check_program(tap, what, arguments, names, expected, kinds=(), behind=(), **more):
    """It says the first line that it says without; what it maps goes by these names; kinds stay."""
    with auto.running(arguments, auto.environment(*behind, **more)) as process:
        said = process.stdout.readline().decode().strip()
        rows = auto.rows_of(process.pid) if process.poll() is None else []
        found = names_of(rows)
    errors = process.stderr
    missing = [f"{name}: {least} bytes" for name, least in names.items()
               if sum(b for n, b in found.items() if re.match(name, n)) < least]
    missing += [f"kind {kind}" for kind in kinds if kind not in kinds_of(rows)]
    tap.check(said == expected and process.returncode == 0 and not missing,
              f"{what}: runs as ever, and its memory has names",
              [f"says {said!r}, exit {process.returncode}", *missing, found, errors])


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
    for pattern, name in (("libjemalloc.so.2", r"libjemalloc\.so\.2"),
                          ("libmimalloc.so.2*", r"libmimalloc\.so"),
                          ("libtcmalloc_minimal.so.4", r"libtcmalloc_minimal\.so\.4")):
        if library := allocator(pattern):
            check_program(tap, f"python3 with {library.name}", [sys.executable, "-c", PYTHON],
                          {name: 4 << 20}, "19999900000", behind=[library])
        else:
            tap.skip(f"python3 with {pattern}", "it is not installed")


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("names by caller", "needs root: frame numbers are hidden")
        return tap.done()
    try:
        for case in (*MAP_CASES, *MALLOC_CASES):
            check_case(tap, case)
        check_threads(tap)
        check_programs(tap)
    except (mkmem.Broken, memoir.Failed, OSError, subprocess.SubprocessError) as error:
        tap.check(False, "names by caller can be looked at", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
