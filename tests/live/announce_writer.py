#!/usr/bin/env python3
"""Announces buffers and tags by docs/NAME-TABLE.md alone, without libmemoir-name, and with them much that no
reader is to believe. Says what is right of it, one JSON line, and waits until its input ends.
"""
import json
import os
import sys

from name_writer import Table

BEYOND = 1 << 63
OWNER, BUFFER, REFERENCE, TAG = (BEYOND | sort << 61 for sort in range(4))
MASK = (1 << 64) - 1
# Of XXH3's secret, the words that inputs of 9 to 16 bytes are mixed with.
SECRET = bytes.fromhex("7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248e")


def xxh3_of_16(data):
    """XXH3-64 of 16 bytes."""
    words = [int.from_bytes(SECRET[at:at + 8], "little") for at in range(0, 32, 8)]
    low = int.from_bytes(data[:8], "little") ^ words[0] ^ words[1]
    high = int.from_bytes(data[8:], "little") ^ words[2] ^ words[3]
    product = low * high
    mixed = 16 + int.from_bytes(low.to_bytes(8, "little"), "big") + high
    mixed = (mixed + ((product & MASK) ^ (product >> 64))) & MASK
    mixed = (mixed ^ mixed >> 37) * 0x165667919E3779F9 & MASK
    return mixed ^ mixed >> 32


def tag_of(fd):
    found = os.fstat(fd)
    data = b"".join(number.to_bytes(size, sys.byteorder) for number, size in (
        (os.major(found.st_dev), 4), (os.minor(found.st_dev), 4), (found.st_ino, 8)))
    return TAG | (xxh3_of_16(data) & ((1 << 60) - 1)) << 1


def of(start, length, name=b""):
    return start, start + length, name


def reference(number, pid, count):
    return of(REFERENCE | number << 41 | pid << 19, count)


def main():
    pid, fd = os.getpid(), os.memfd_create("by its maker")
    os.ftruncate(fd, 4096)
    good = [of(OWNER | pid, 1), of(BUFFER | 5 << 41, 4096, b"five"), of(BUFFER | 9 << 41, 12345),
            of(BUFFER | (1 << 20) - 1 << 41, 1 << 33, b"the last"), reference(9, pid, 3),
            reference((1 << 20) - 1, pid, (1 << 19) - 2), of(tag_of(fd), 1, b"by the document")]
    bad = [of(OWNER | 1, 1), of(OWNER | pid | 1 << 40, 1),      # another's; bits that are to be 0
           of(BUFFER | 6 << 41 | 8, 4096, b"not at its place"),
           of(BUFFER | 7 << 41 | 1, 1 << 33, b"nor this"),
           reference(5, (1 << 22) - 1, 1), reference(5, 0, 2),  # no such process
           reference(8, pid, 2),                                # no such buffer
           of(REFERENCE | 5 << 41 | pid << 19 | 7, 1),          # not at its place
           reference(5, pid + 1, (1 << 19) - 1),                # more than there can be
           of(TAG | 2, 2, b"of nothing"), of(TAG | 6, 1, b""), of(TAG | 9, 1, b"bad\x1b[31m")]
    Table().commit(good + bad)
    print(json.dumps({"pid": pid, "fd": fd, "buffers": [
        [5, "five", 4096, []], [9, None, 12345, [[pid, 3]]],
        [(1 << 20) - 1, "the last", 1 << 33, [[pid, (1 << 19) - 2]]]]}), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
