#!/usr/bin/env python3
"""Names its memory by libmemoir-name in a process and two children, which share most of it; says what
has which name, one JSON line, and waits until its input ends. `alone`: no children, but holes."""
import ctypes
import json
import mmap
import os
import signal
import sys
from pathlib import Path

PAGE = 4096
HUGE = 2 << 20
BUILD = Path(os.environ["MEMOIR_BUILD"])

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
names = ctypes.CDLL(str(BUILD / "src/libmemoir-name.so"))
names.memoir_name.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)


def map_private(size):
    return libc.mmap(None, ctypes.c_size_t(size), 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)


def fork(tell, write):
    child = os.fork()
    if child == 0:
        write()
        os.write(tell, b"x")
        while True:
            signal.pause()
    return child


def main():
    # Between two pages that are no part of it, so that it stays a region of its own.
    memory = map_private(66 * PAGE) + PAGE
    for guard in (memory - PAGE, memory + 64 * PAGE):
        libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(PAGE), 0)
    huge = (map_private(3 * HUGE) + HUGE - 1) // HUGE * HUGE
    libc.madvise(huge, 2 * HUGE, 14)
    ctypes.memset(memory, 1, 50 * PAGE)
    ctypes.memset(huge, 1, 2 * HUGE)
    # (start, end) and the name.
    named = [(memory, memory + 10 * PAGE, b"first ten"),
             (memory + 20 * PAGE, memory + 24 * PAGE, b"four"),
             (memory + 45 * PAGE, memory + 60 * PAGE, b"half of it there"),
             (huge + HUGE // 2, huge + HUGE, b"half a huge page")]
    parts = [(memory + 30 * PAGE + 100, 3000, b"most of a page"),
             (memory + 31 * PAGE, 1000, b"little of a page"),
             (memory + 33 * PAGE, 1500, b"less"), (memory + 33 * PAGE + 1500, 2000, b"more"),
             (memory + 35 * PAGE + 1000, 2 * PAGE, b"from page to page"),
             (memory + 61 * PAGE + 7, 3, b"three bytes that are not there")]
    for start, end, name in named:
        assert names.memoir_name(start, end - start, name) == 0
    for start, length, name in parts:
        assert names.memoir_name(start, length, name) == 0
    file = mmap.mmap(os.open(sys.executable, os.O_RDONLY), 4 * PAGE, mmap.MAP_PRIVATE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(file))
    assert names.memoir_name(address, 4 * PAGE, b"of a file") == 0
    named += [(start, start + length, name) for start, length, name in parts]
    ready, tell = os.pipe()
    if sys.argv[1:] == ["alone"]:
        for page in (5, 22, 47):
            libc.madvise(memory + page * PAGE, PAGE, mmap.MADV_DONTNEED)
        print(json.dumps({"memory": memory}), flush=True)
        sys.stdin.readline()
        return
    child, other = fork(tell, lambda: ctypes.memset(memory, 2, 3 * PAGE)), fork(tell, lambda: None)
    for _ in (child, other):
        os.read(ready, 1)
    print(json.dumps({"child": child, "other": other, "memory": memory,
                      "named": [[s, e, n.decode()] for s, e, n in sorted(named)]}), flush=True)
    sys.stdin.readline()
    os.kill(child, signal.SIGKILL)
    os.kill(other, signal.SIGKILL)


if __name__ == "__main__":
    main()
