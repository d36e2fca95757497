#!/usr/bin/env python3
"""Writes a name table by docs/NAME-TABLE.md alone, without libmemoir-name; it must not share code with it.

    name_writer.py [--about PID TICKS ADDRESS [UID]]
    name_writer.py --tried PID TICKS ADDRESS

Maps 64 pages, names some, and says what, one JSON line; after each line of input it renames. With
--about it writes a table about another process, as that user; with --tried one of names that it was refused.
"""
import ctypes
import json
import mmap
import os
import struct
import sys
from pathlib import Path

PAGE = 4096
BLOCK = 1024
SEGMENT = 65536
# The last two fields may be missing.
HEADER = struct.Struct("<8sIIIIIiQQQQQQ12Q")
SUBJECT_HOW = struct.Struct("<II")
TRIED = 1
GENERATION, ROOT, REUSED = 48, 56, 64
# Blocks: names, then two places for a directory and its leaves.
NAMES, PLACES = 1, (8, 24)
LEAF_ENTRIES = 63

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                      ctypes.c_long)


def map_private(size, fd=-1):
    flags = mmap.MAP_PRIVATE | (mmap.MAP_ANONYMOUS if fd < 0 else 0)
    address = libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, fd, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap")
    return address


class Table:
    """One table of its own memory, or about another process."""

    def __init__(self, subject=(0, 0), how=None):
        fd = os.memfd_create("memoir-names")
        os.ftruncate(fd, PAGE)
        self.anchor = map_private(PAGE, fd)
        os.close(fd)
        self.segment = map_private(SEGMENT)
        self.names = {}
        self.next_name = NAMES * BLOCK
        self.turn = 0
        self.generation = 1
        root = self._write([])
        last = b"" if how is None else SUBJECT_HOW.pack(how, 0)
        header = HEADER.pack(b"memoirNT", 1, HEADER.size + len(last), BLOCK, SEGMENT, 0, subject[0], subject[1],
                             0, 1, root, 0, SEGMENT, self.segment, *[0] * 11) + last
        ctypes.memmove(self.anchor + 8, header[8:], len(header) - 8)
        ctypes.memmove(self.anchor, header[:8], 8)

    def _put(self, offset, data):
        ctypes.memmove(self.segment + offset, data, len(data))

    def _header(self, offset, value):
        ctypes.c_uint64.from_address(self.anchor + offset).value = value

    def _name(self, text):
        if text not in self.names:
            self.names[text] = self.next_name // 8
            data = struct.pack("<IB3x", 0, len(text)) + text + b"\0"
            self._put(self.next_name, data)
            self.next_name += (len(data) + 7) // 8 * 8
            assert self.next_name <= PLACES[0] * BLOCK
        return self.names[text]

    def _write(self, ranges):
        """A directory and leaves, in the place whose turn it is; returns the root."""
        place = PLACES[self.turn]
        leaves = [ranges[i:i + LEAF_ENTRIES] for i in range(0, len(ranges), LEAF_ENTRIES)] or [[]]
        for number, leaf in enumerate(leaves):
            first = leaf[0][0] if number else 0
            block = place + 1 + number
            self._put(place * BLOCK + number * 16, struct.pack("<QQ", first, block))
            entries = b"".join(struct.pack("<QQ", start, (end - start) << 24 | self._name(text))
                               for start, end, text in leaf)
            self._put(block * BLOCK, struct.pack("<I12x", len(leaf)) + entries)
        return place << 32 | len(leaves)

    def commit(self, ranges):
        """All ranges anew: (start, end, name), sorted."""
        self.turn ^= 1
        self._header(REUSED, self.generation)
        root = self._write(sorted(ranges))
        self.generation += 1
        self._header(GENERATION, self.generation)
        self._header(ROOT, root)


def say(ranges):
    print(json.dumps([[start, end, text.decode()] for start, end, text in ranges]), flush=True)


def main():
    if sys.argv[1:2] in (["--about"], ["--tried"]):
        pid, ticks, memory = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
        # By this it is found where only that process is looked at.
        Path("/proc/self/comm").write_text("memoir-writer", encoding="ascii")
        if sys.argv[5:]:
            os.setuid(int(sys.argv[5]))
        table = Table((pid, ticks), TRIED if sys.argv[1] == "--tried" else None)
    else:
        memory = map_private(64 * PAGE)
        ctypes.memset(memory, 1, 64 * PAGE)
        table = Table()
    for turn in range(1000000):
        ranges = [(memory + 2 * i * PAGE, memory + (2 * i + 1) * PAGE, b"page %d" % (i % 5))
                  for i in range(20)]
        ranges += [(memory + (40 + i) * PAGE, memory + (41 + i) * PAGE, b"turn %d" % (turn % 50))
                   for i in range(10)]
        # Not mapped, and not valid: to be passed over.
        ranges += [(PAGE, 2 * PAGE, b"nowhere"),
                   (memory + 60 * PAGE, memory + 61 * PAGE, b"bad\x1b[31m")]
        table.commit(ranges)
        say(ranges)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
