"""Reads maps, pagemap and kpageflags, and searches all processes for a page. It asks no memoir."""
import array
import contextlib
import os
import re
import struct
from dataclasses import dataclass

BYTES = 4096
WORD = 8
PRESENT = 1 << 63
SWAP = 1 << 62
FILE = 1 << 61
VALUE = (1 << 55) - 1
# Migration entries, guards and markers also have SWAP set; their types come after these.
SWAP_TYPES = 20
KPF_ANON, KPF_KSM, KPF_ZERO = 1 << 12, 1 << 21, 1 << 24
CHUNK_PAGES = 1 << 16
# What is larger is a reservation, not to be read page by page.
SEARCHED_BYTES = 1 << 31
LINE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)", re.DOTALL)


@dataclass(frozen=True)
class Region:
    """A line of maps; task is the thread whose files work."""

    pid: int
    task: int
    start: int
    end: int
    perms: str
    path: bytes


def pids():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def _maps(pid, task):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/maps", "rb") as file:
        return file.read()
    return b""


def _has_memory(pid):
    """The text of maps and its thread: a leader that has exited has none."""
    tasks = []
    with contextlib.suppress(OSError):
        tasks = sorted(map(int, os.listdir(f"/proc/{pid}/task")), key=lambda task: task != pid)
    for task in tasks:
        if text := _maps(pid, task):
            return text, task
    return b"", pid


def regions(pid):
    """The regions of a process, none where it is gone or hidden."""
    text, task = _has_memory(pid)
    found = []
    for line in text.splitlines():
        start, end, perms, path = LINE.fullmatch(line).groups()
        if path != b"[vsyscall]":
            found.append(Region(pid, task, int(start, 16), int(end, 16), perms.decode(),
                                path))
    return found


def _open_pagemap(region):
    return os.open(f"/proc/{region.pid}/task/{region.task}/pagemap", os.O_RDONLY)


def word_at(region, address):
    """The word of pagemap."""
    fd = _open_pagemap(region)
    try:
        return struct.unpack("Q", os.pread(fd, WORD, address // BYTES * WORD))[0]
    finally:
        os.close(fd)


def is_swapped(word):
    return not word & PRESENT and bool(word & SWAP) and word & 31 < SWAP_TYPES


def frame(word):
    return word & VALUE


def flags_of(word):
    """kpageflags of a present page, 0 for others."""
    if not word & PRESENT:
        return 0
    with open("/proc/kpageflags", "rb", buffering=0) as file:
        file.seek(frame(word) * WORD)
        return struct.unpack("Q", file.read(WORD))[0]


# What differs between the page tables of one page: soft-dirty, exclusive, write-protected, file.
FLAGS = [sum(1 << bit for bit, on in zip((55, 56, 57, 58, 59, 60, 61), f"{n:07b}") if on == "1")
         for n in range(128)]


def is_mergeable(region):
    """Whether KSM may merge its pages; 6.12's kpageflags say of all anonymous ones that it did."""
    with open(f"/proc/{region.pid}/task/{region.task}/smaps", "rb") as file:
        inside = False
        for line in file:
            if LINE.fullmatch(line.rstrip()):
                inside = line.startswith(b"%08x-" % region.start)
            elif inside and line.startswith(b"VmFlags:"):
                return b"mg" in line.split()
    return False


def _key(word):
    """What is the same in all that map a page."""
    return word & (PRESENT | VALUE) if word & PRESENT else word & (SWAP | VALUE)


class Everywhere:
    """Where in the whole machine some pages are, found by reading every word of every process."""

    def __init__(self, words):
        self._wanted = {_key(word) for word in words if word & PRESENT or is_swapped(word)}
        self._words = {key | flags for key in self._wanted for flags in FLAGS}
        self._found = {key: set() for key in self._wanted}
        for pid in pids():
            self._search(pid)

    def mappers_of(self, word):
        """{(pid, start, end, address)}"""
        return self._found[_key(word)]

    def _search(self, pid):
        # We map what we started, for a moment; nobody else's answer is about us.
        if pid == os.getpid():
            return
        for region in regions(pid):
            if region.end - region.start <= SEARCHED_BYTES:
                with contextlib.suppress(OSError):
                    self._search_region(region)

    def _search_region(self, region):
        fd = _open_pagemap(region)
        try:
            for first in range(region.start // BYTES, region.end // BYTES, CHUNK_PAGES):
                count = min(CHUNK_PAGES, region.end // BYTES - first)
                self._search_words(region, first, array.array(
                    "Q", os.pread(fd, count * WORD, first * WORD)))
        finally:
            os.close(fd)

    def _search_words(self, region, first, words):
        if self._words.isdisjoint(words):
            return
        for index, word in enumerate(words):
            if word in self._words:
                self._found[_key(word)].add(
                    (region.pid, region.start, region.end, (first + index) * BYTES))
