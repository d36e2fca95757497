#!/usr/bin/env python3
"""What memory is that the kernel gives no name, against real programs that say where they put things,
and against memory that only looks like theirs. It must not ask memoir what is true.

    test_identify.py [--engine NAME]
"""
import argparse
import bisect
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import memoir
import mkmem
import zram
from tap import Tap

EXIT_SKIP = 77
LIBRARIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
LIKENESS_FILES = ["libjvm.so", "node", "python3.11", "libpython3.11.so.1.0", "libjemalloc.so.2",
                  "libmimalloc.so.2.0"]
RECOGNISED = ("thread-stack", "arena:", "heap:", "metaspace:", "code:", "jit", "io-uring", "perf")
MIB = 1 << 20

PYTHON = """
import ctypes, json, sys, time
objects = [(i,) for i in range(300000)]
large = [bytearray(5 << 20) for _ in range(2)]
for block in large:
    block[0] = 1
where = lambda block: ctypes.addressof(ctypes.c_char.from_buffer(block))
print(json.dumps({"small": [id(o) for o in objects[::100]],
                  "large": [where(block) for block in large]}), flush=True)
sys.stdin.read()
"""
NODE = """
const kept = [];
for (let i = 0; i < 600000; i++) kept.push({i, text: 'x' + i});
const collected = () => { global.gc(); console.log(JSON.stringify(process.memoryUsage())); };
collected();
process.stdin.on('data', collected);
process.stdin.on('end', () => process.exit(kept.length ? 0 : 1));
"""


class Map:
    """The regions of one process, as memoir map has them."""

    def __init__(self, pid, engine):
        self.rows = sorted(memoir.rows("map", "--json", "--engine", engine, pid, codes=(0, 3)),
                           key=memoir.span)
        self.starts = [memoir.span(row)[0] for row in self.rows]

    def at(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        row = self.rows[at] if at >= 0 else None
        return row if row and memoir.span(row)[1] > address else None

    def kind(self, address):
        row = self.at(address)
        return row["kind"] if row else "nothing"

    def of(self, kind):
        return [row for row in self.rows if row["kind"] == kind]

    def recognised(self):
        return sorted({row["kind"] for row in self.rows if row["kind"].startswith(RECOGNISED)})


def helper(name):
    build = os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build")
    return str(Path(build) / "tests/helpers" / name)


def in_memory(pid):
    """What smaps says that nobody else changes: Pss goes by who else maps a library."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        return [line for line in file if line.startswith(("Size:", "Rss:", "Anonymous:", "Swap:"))]


@contextlib.contextmanager
def running(*command, until=b"READY\n", **options):
    """(process, what it printed until it was ready), stopped; ended at the end."""
    with tempfile.TemporaryFile() as errors:
        options = {"stderr": errors, **options}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              **options) as process:
            try:
                said = b""
                while not said.endswith(until):
                    byte = process.stdout.read(1)
                    if not byte:
                        errors.seek(0)
                        why = errors.read().decode(errors="replace").strip()
                        if process.wait() == EXIT_SKIP:
                            raise mkmem.Skip(why)
                        raise mkmem.Broken(f"{command[0]}: {process.returncode} {why[-300:]}")
                    said += byte
                mkmem.stop([process.pid])
                yield process, said.removesuffix(b"READY\n").decode()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()


def library(name):
    for directory in LIBRARIES:
        for path in sorted(Path(directory).glob(name)):
            return str(path)
    raise mkmem.Skip(f"{name} is not installed")


def program(*names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise mkmem.Skip(f"{names[0]} is not installed")


# ---- memory of our own ----------------------------------------------------------------------------


def mkkinds(case, engine, *files, **options):
    """(Map, [(address, kind)])."""
    with running(helper("mkkinds"), case, *files, **options) as (process, said):
        truths = [(int(words[0], 16), words[1]) for words in map(str.split, said.splitlines())]
        return Map(process.pid, engine), truths


def check_case(tap, engine, case, what, *files):
    seen, truths = mkkinds(case, engine, *files)
    wrong = [f"{address:x}: {seen.kind(address)}, not {kind}" for address, kind in truths
             if seen.kind(address) != kind]
    meant = {kind for _, kind in truths}
    strays = [f"{row['start']}-{row['end']}: {row['kind']}" for row in seen.rows
              if row["kind"].startswith(RECOGNISED) and row["kind"] not in meant]
    # What else is there of a meant kind has to be one of those that are meant; arenas hold many.
    known = {seen.at(address)["start"] for address, kind in truths if seen.at(address)}
    strays += [f"{row['start']}-{row['end']}: {row['kind']}, and nobody made it" for row in seen.rows
               if row["kind"] in meant - {"anon"} and row["start"] not in known]
    if case in ("stacks", "stack-likeness", "arenas"):  # threads have both
        strays = [stray for stray in strays if not stray.endswith("thread-stack") and
                  "arena:glibc" not in stray]
    tap.check(truths and not wrong and not strays, what, (wrong + strays)[:10])


def check_likeness(tap, engine):
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as scratch:
        files = [str(Path(scratch) / name) for name in LIKENESS_FILES]
        for file in files:
            shutil.copy(helper("mkkinds"), file)
        check_case(tap, engine, "likeness", "files of runtimes alone, and their layouts filled with "
                   "other things, tell nothing", *files)


def check_own(tap, engine):
    check_case(tap, engine, "stacks", "the stacks of threads, of any size")
    check_case(tap, engine, "stack-likeness", "a guard with memory above it is no stack, nor is a copy")
    check_case(tap, engine, "arenas", "glibc's arenas, of one heap and of several")
    check_case(tap, engine, "arena-likeness", "memory aligned and headed like an arena's is none")
    check_case(tap, engine, "code", "anonymous memory that is executable is code made at run time")
    check_case(tap, engine, "code-in-file", "text moved out of its file is not")
    check_case(tap, engine, "all-executable", "where all memory is executable, none is told to be code")
    check_likeness(tap, engine)
    for case in ("io-uring", "perf"):
        try:
            check_case(tap, engine, case, f"the kernel's rings: {case}")
        except mkmem.Skip as why:
            tap.skip(f"the kernel's rings: {case}", why)


# ---- allocators -----------------------------------------------------------------------------------


def check_malloc(tap, engine, name, kind, large, **variables):
    """What malloc returned lies in memory of the kind, and `large` blocks in that of theirs."""
    what = f"what malloc gives is {kind} with {name or 'glibc'}{' '.join([''] + sorted(variables))}"
    try:
        preload = {"LD_PRELOAD": library(name)} if name else {}
    except mkmem.Skip as why:
        tap.skip(what, why)
        return
    seen, truths = mkkinds("malloc", engine, env={**os.environ, **preload, **variables})
    meant = {"malloc": kind.split("|"), "malloc-large": [large]}
    wrong = [f"{address:x}: {seen.kind(address)}, not {meant[of]}" for address, of in truths
             if seen.kind(address) not in meant[of]]
    others = [found for found in seen.recognised() if found not in (kind, large)]
    held = {seen.at(address)["start"] for address, _ in truths if seen.at(address)}
    empty = [row["start"] for row in seen.of(kind) if row["start"] not in held and
             row["rss_bytes"] > 16 * MIB]
    tap.check(truths and not wrong and not others and not empty, what, (wrong + others + empty)[:10])


def check_allocators(tap, engine):
    check_malloc(tap, engine, None, "heap", "anon")
    check_malloc(tap, engine, "libjemalloc.so.2", "heap:jemalloc", "heap:jemalloc")
    check_malloc(tap, engine, "libmimalloc.so.2.0", "heap:mimalloc", "heap:mimalloc")
    check_malloc(tap, engine, "libtcmalloc_minimal.so.4", "heap", "heap")
    # Nothing in memory tells it: better none than a guess.
    check_malloc(tap, engine, "libtcmalloc_minimal.so.4", "heap|anon", "anon", TCMALLOC_SKIP_SBRK="true")


# ---- runtimes -------------------------------------------------------------------------------------


def check_python(tap, engine):
    with running("/usr/bin/python3", "-c", PYTHON, until=b"\n") as (process, said):
        truth = json.loads(said)
        seen = Map(process.pid, engine)
    kinds = [seen.kind(address) for address in truth["small"]]
    share = kinds.count("arena:python") / len(kinds)
    held = {seen.at(address)["start"] for address in truth["small"]}
    strays = [row["start"] for row in seen.of("arena:python") if row["start"] not in held]
    tap.check(set(kinds) <= {"arena:python", "anon", "heap"} and share > 0.5,
              "Python: small objects are in its arenas", [f"{share:.0%} of them"])
    tap.check(not any(seen.kind(address) == "arena:python" for address in truth["large"]),
              "Python: large ones are not")
    tap.check(len(strays) <= len(held), "Python: its arenas hold its objects", strays)
    tap.check(set(seen.recognised()) == {"arena:python"}, "Python: nothing else is there",
              seen.recognised())


NODE_TRIES = 4


def look_at_node(process, said, engine):
    """(what memoir shows, bytes of V8's heap in it, bytes that V8 says). Pages that V8 no longer counts
    are unmapped by threads of its own, which may have been stopped before: then it collects again."""
    for _ in range(NODE_TRIES):
        total = json.loads(said)["heapTotal"]
        seen = Map(process.pid, engine)
        got = sum(memoir.span(row)[1] - memoir.span(row)[0] for row in seen.of("heap:v8"))
        if got <= 1.1 * total:
            break
        process.send_signal(signal.SIGCONT)
        process.stdin.write(b"\n")
        process.stdin.flush()
        said = process.stdout.readline()
        mkmem.stop([process.pid])
    return seen, got, total


def check_node(tap, engine):
    node = program("node", "nodejs")
    with running(node, "--expose-gc", "-e", NODE, until=b"\n") as (process, said):
        seen, got, total = look_at_node(process, said, engine)
    tap.check(0.9 * total <= got <= 1.1 * total,
              "Node: V8's heap is as large as it says", [f"{got} of {total}"])
    tap.check(set(seen.recognised()) <= {"heap:v8", "arena:glibc", "thread-stack", "jit"} and
              {"thread-stack", "jit"} <= set(seen.recognised()),
              "Node: it has threads and code, and nothing of other runtimes", seen.recognised())


JAVA_TRIES = 4


def java_truth(text):
    """{kind: (start, end)} from its log."""
    heap = re.search(r"Heap address: 0x([0-9a-f]+), size: (\d+) MB", text)
    klass = re.search(r"Compressed class space mapped at: (?:0x)?([0-9a-f]+)-(?:0x)?([0-9a-f]+)",
                      text)
    start = int(heap[1], 16)
    return {"heap:java": (start, start + int(heap[2]) * MIB),
            "metaspace:java": (int(klass[1], 16), int(klass[2], 16))}


def look_at_java(engine):
    """(what memoir shows, what Java said, whether the same was in memory before and after)."""
    log = [f"-J-Xlog:{what}" for what in ("gc+heap+coops=debug", "gc+metaspace=info")]
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as scratch:
        with running(program("keytool"), "-J-Xmx128m", *log, "-genkeypair", "-alias", "a", "-keyalg",
                     "RSA", "-keystore", str(Path(scratch) / "keys"), until=b"password:",
                     stderr=subprocess.STDOUT) as (process, said):
            before = in_memory(process.pid)
            seen = Map(process.pid, engine)
            return seen, said, in_memory(process.pid) == before


def check_java(tap, engine):
    # What the rules go by may not be mapped in yet, or may have left RAM; then nothing is told.
    for _ in range(JAVA_TRIES):
        seen, said, same = look_at_java(engine)
        if {"heap:java", "code:java"} <= set(seen.recognised()):
            break
    tap.check(same, "Java: looking at it brings nothing into memory")
    truth = java_truth(said)
    for kind, (start, end) in truth.items():
        inside = [row for row in seen.rows if start <= memoir.span(row)[0] and
                  memoir.span(row)[1] <= end and row["rss_bytes"] and row["perms"] == "rw-p" and
                  not row["path"]]
        wrong = [f"{row['start']}: {row['kind']}" for row in inside if row["kind"] != kind]
        tap.check(inside and not wrong, f"Java: {kind} is where its log says", wrong)
    start, end = truth["heap:java"]
    strays = [row["start"] for row in seen.of("heap:java")
              if not start <= memoir.span(row)[0] < memoir.span(row)[1] <= end]
    tap.check(not strays, "Java: and nowhere else", strays)
    code = [row for row in seen.rows if "x" in row["perms"] and row["rss_bytes"] and
            row["kind"] not in ("file", "vdso", "special")]
    wrong = [f"{row['start']}: {row['kind']}" for row in code if row["kind"] != "code:java"]
    tap.check(code and not wrong, "Java: all of its code is in its code cache", wrong)
    tap.check(set(seen.recognised()) <= {"heap:java", "metaspace:java", "code:java", "arena:glibc",
                                         "thread-stack"},
              "Java: nothing of other runtimes", seen.recognised())


def check_go(tap, engine):
    fzf = program("fzf")
    with subprocess.Popen([fzf, "--filter", "x"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        try:
            for number in range(100000):
                process.stdin.write(b"line %d\n" % number)
            process.stdin.flush()
            # Read as far as it has been written, it waits for more.
            mkmem.stop([process.pid])
            seen = Map(process.pid, engine)
        finally:
            process.kill()
    heap = [row["start"] for row in seen.of("heap:go")]
    tap.check("c000000000" in heap, "Go: its heap", heap)
    tap.check(set(seen.recognised()) <= {"heap:go", "arena:glibc", "thread-stack"},
              "Go: nothing of other runtimes", seen.recognised())


# ---- all ------------------------------------------------------------------------------------------


def check_swapped(tap, engine):
    """What is swapped out is not brought back to tell what it is."""
    what = "what is swapped out stays out, and is told nothing of"
    try:
        with zram.swap(), running(helper("mkkinds"), "arena-swapped") as (process, said):
            before = in_memory(process.pid)
            seen = Map(process.pid, engine)
            same = in_memory(process.pid) == before
    except zram.Unavailable as why:
        tap.skip(what, why)
        return
    kind = seen.kind(int(said.split()[0], 16))
    tap.check(same and kind == "anon", what, [kind])


def check_ps(tap, engine):
    """ps does not look for kinds, but where it selects by them."""
    with running(helper("mkkinds"), "stacks") as (process, _):
        rows = memoir.rows("ps", "--json", "--engine", engine, process.pid, "kind:thread-stack")
        tap.check([row["pid"] for row in rows] == [process.pid],
                  "ps selects by a kind that was recognised", rows)


def check_musl_program(tap, engine, path, what):
    with running(path, until=b"\n") as (process, said):
        truth = json.loads(said)
        seen = Map(process.pid, engine)
    kinds = [seen.kind(address) for address in truth["small"]]
    # The first ones are in what the loader has left over. A mapping that the kernel has merged with a stack is none.
    tap.check(set(kinds) <= {"heap:musl", "anon", "file"} and
              kinds.count("heap:musl") > 0.8 * len(kinds),
              f"{what}: small blocks are in groups", [f"{k}: {kinds.count(k)}" for k in set(kinds)])
    kinds = [seen.kind(address) for address in truth["large"]]
    tap.check(set(kinds) <= {"heap:musl", "anon"} and kinds.count("heap:musl") > len(kinds) // 2,
              f"{what}: large ones too", kinds)
    kinds = [seen.kind(address) for address in truth["stacks"]]
    tap.check(set(kinds) <= {"thread-stack", "anon"} and kinds.count("thread-stack") > len(kinds) // 2,
              f"{what}: threads have stacks", kinds)
    held = {seen.at(address)["start"] for address in truth["small"] + truth["large"]}
    strays = [row["start"] for row in seen.of("heap:musl") if row["start"] not in held]
    held = {seen.at(address)["start"] for address in truth["stacks"]}
    strays += [row["start"] for row in seen.of("thread-stack") if row["start"] not in held]
    tap.check(not strays and set(seen.recognised()) == {"heap:musl", "thread-stack"},
              f"{what}: and nothing else is", strays + seen.recognised())


def check_musl(tap, engine):
    compiler = program("musl-gcc")
    source = Path(__file__).parents[1] / "helpers/mkmusl.c"
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as scratch:
        for what, option in (("musl", "-O2"), ("musl, static", "-static")):
            path = Path(scratch) / f"mkmusl{option}"
            subprocess.run([compiler, option, source, "-o", path], check=True)
            check_musl_program(tap, engine, path, what)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="auto")
    engine = parser.parse_args().engine
    mkmem.exit_on_signals()
    tap = Tap()
    for check in (check_own, check_swapped, check_allocators, check_ps, check_python, check_node, check_java,
                  check_go, check_musl):
        try:
            check(tap, engine)
        except mkmem.Skip as why:
            tap.skip(check.__name__, why)
        except (memoir.Failed, mkmem.Broken) as why:
            tap.check(False, check.__name__, [why])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
