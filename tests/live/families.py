"""Families of processes whose memory is known, for what-if questions. Each function makes one with
the actors given; FAMILIES says what is asked of it and what has to be the answer. It must not ask
memoir."""
import os
from dataclasses import dataclass, field

import ksm
from actors import MIB_PAGES, Refused

CHILDREN = 40
HUGE_PAGES = 512
SIZE_MIB = 64
SIZE_PAGES = SIZE_MIB * MIB_PAGES
FILE = "file"


class Unavailable(Exception):
    """This machine cannot do it; the text says why."""


@dataclass(frozen=True)
class Question:
    """In MiB, of what the family was given: what each process has besides is small. None: not
    asked."""

    what: str
    victims: tuple  # slots
    freed: float = 0
    swap: float = 0
    reclaimable: float = None
    kept: float = None
    # Where some peers stay: whose threads end is not known, so neither are their stacks.
    kernel_known: bool = True
    # In RAM, in no page table, and gone with the last swap entry: counted apart, as only the kernel
    # knows whose it is.
    swap_cache: float = 0
    # What comes back when the file goes as well, if there is one.
    with_file: float = None


@dataclass(frozen=True)
class Family:
    name: str
    make: object  # (actors, path of a file that nobody has opened yet)
    questions: tuple
    on_disk: bool = field(default=False)  # where the file is to be: else on tmpfs
    needs_swap: bool = False


def write_file(path, mib, sync=True):
    with open(path, "wb") as file:
        for i in range(mib):
            file.write(bytes([i % 251 + 1]) * (1 << 20))
        if sync:
            file.flush()
            os.fsync(file.fileno())


def cow(actors, _):
    """A parent of 256 MiB, and 40 children that wrote 1 MiB each, every one another."""
    actors.do(0, "anon", 0, 256 * MIB_PAGES)
    actors.do(0, "write", 0, 0, 256 * MIB_PAGES)
    for child in range(1, CHILDREN + 1):
        actors.multiply(0, child)
        actors.do(child, "write", 0, (child - 1) * MIB_PAGES, child * MIB_PAGES)
    # The parent's own: 8 MiB that no child has any more.
    actors.do(0, "anon", 1, 8 * MIB_PAGES)
    actors.do(0, "write", 1, 0, 8 * MIB_PAGES)


def shared_anon(actors, _):
    actors.do(0, "shared", 0, SIZE_PAGES)
    actors.do(0, "write", 0, 0, SIZE_PAGES // 2)
    actors.multiply(0, 1)
    actors.multiply(0, 2)
    actors.do(2, "write", 0, SIZE_PAGES // 2, SIZE_PAGES)
    actors.do(1, "read", 0, 0, 100)


def memfd_held(actors, _):
    """Slots 1 to 3 map it with the fd closed, slot 0 has the fd only."""
    actors.do(0, "memfd", 0, SIZE_PAGES)
    for slot in (1, 2, 3):
        actors.multiply(0, slot)
        actors.do(slot, "map-shared", 0, SIZE_PAGES)
        actors.do(slot, "close", 0)
    actors.do(1, "write", 0, 0, SIZE_PAGES)
    actors.do(2, "read", 0, 0, SIZE_PAGES // 2)


def _map_file(actors, slot, path, how):
    actors.do(slot, "open", 0, path)
    actors.do(slot, how, 0, SIZE_PAGES)
    actors.do(slot, "close", 0)


def private_file(actors, path):
    """Slots 0 and 1 do not know of each other."""
    write_file(path, SIZE_MIB)
    actors.multiply(0, 1)
    for slot in (0, 1):
        _map_file(actors, slot, path, "map-private")
        actors.do(slot, "read", 0, 0, SIZE_PAGES)
    actors.do(1, "write", 0, 0, 4 * MIB_PAGES)


def clean_cache(actors, path):
    write_file(path, SIZE_MIB)
    _map_file(actors, 0, path, "map-shared")
    actors.do(0, "read", 0, 0, SIZE_PAGES)


def dirty_cache(actors, path):
    write_file(path, SIZE_MIB)
    _map_file(actors, 0, path, "map-shared")
    actors.do(0, "write", 0, 0, SIZE_PAGES)


def linked_tmpfs(actors, path):
    write_file(path, SIZE_MIB, sync=False)
    _map_file(actors, 0, path, "map-shared")
    actors.do(0, "read", 0, 0, SIZE_PAGES)


def deleted_tmpfs(actors, path):
    linked_tmpfs(actors, path)
    os.unlink(path)


def merged(actors, _):
    """Three processes with 32 MiB each of the same pages."""
    pages = 32 * MIB_PAGES
    actors.multiply(0, 1)
    actors.multiply(0, 2)
    for slot in (0, 1, 2):
        actors.do(slot, "anon", 0, pages)
        actors.do(slot, "alike", 0, os.getpid() % 1000)
    try:
        ksm.merge(actors.pids.values(), 3 * pages)
    except ksm.Unavailable as why:
        raise Unavailable(str(why)) from why


def swapped(actors, _):
    """Swapped out before four children came, who have 4 MiB each of their own."""
    actors.do(0, "anon", 0, SIZE_PAGES)
    actors.do(0, "write", 0, 0, SIZE_PAGES)
    try:
        actors.do(0, "page-out", 0)
    except Refused as why:
        raise Unavailable(f"nothing can be swapped out ({why})") from why
    for slot in range(1, 5):
        actors.multiply(0, slot)
        actors.do(slot, "anon", 1, 4 * MIB_PAGES)
        actors.do(slot, "write", 1, 0, 4 * MIB_PAGES)


def swapped_back(actors, path):
    """The last child wrote 16 MiB of what is swapped. What was read in for it stays in the swap
    cache, as the others still have the entries."""
    swapped(actors, path)
    actors.do(4, "write", 0, 0, 16 * MIB_PAGES)


def _huge_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) << 10 for line in file
                   if line.startswith("AnonHugePages"))


def huge_kept(actors, _):
    """The child keeps one page of each of the parent's huge pages."""
    actors.do(0, "huge", 0, SIZE_PAGES)
    actors.do(0, "write", 0, 0, SIZE_PAGES)
    if _huge_bytes(actors.pids[0]) != SIZE_MIB << 20:
        raise Unavailable("the kernel gave no huge pages for advised memory")
    actors.multiply(0, 1)
    for first in range(0, SIZE_PAGES, HUGE_PAGES):
        actors.do(1, "unmap", 0, first + 1, first + HUGE_PAGES)


def huge_holes(actors, _):
    """Half of each huge page is unmapped: it goes as a whole all the same."""
    actors.do(0, "huge", 0, SIZE_PAGES)
    actors.do(0, "write", 0, 0, SIZE_PAGES)
    if _huge_bytes(actors.pids[0]) != SIZE_MIB << 20:
        raise Unavailable("the kernel gave no huge pages for advised memory")
    for first in range(0, SIZE_PAGES, HUGE_PAGES):
        actors.do(0, "unmap", 0, first, first + HUGE_PAGES // 2)


def peers(verb):
    def make(actors, _):
        actors.do(0, "anon", 0, SIZE_PAGES)
        actors.do(0, "write", 0, 0, SIZE_PAGES)
        actors.multiply(0, 1, verb)
    make.__doc__ = f"Slot 1 has the very memory of slot 0, by {verb}."
    return make


EVERY_CHILD = tuple(range(1, CHILDREN + 1))

FAMILIES = (
    Family("40 children of a COW parent", cow, (
        Question("the 40", EVERY_CHILD, freed=40),
        Question("the 41", (0, *EVERY_CHILD), freed=256 + 40 + 8),
        Question("the parent alone", (0,), freed=8),
    )),
    Family("shared anonymous memory", shared_anon, (
        Question("two of three", (0, 1)),
        Question("all", (0, 1, 2), freed=64),
    )),
    Family("a memfd held by a fourth", memfd_held, (
        Question("the mappers", (1, 2, 3), kept=64),
        Question("the holder alone", (0,)),
        Question("mappers and holder", (0, 1, 2, 3), freed=64),
    )),
    Family("two with one private file mapping", private_file, (
        Question("one", (0,)),
        Question("the one with copies", (1,), freed=4),
        Question("both", (0, 1), freed=4, reclaimable=64, with_file=64),
    ), on_disk=True),
    Family("clean page cache", clean_cache, (
        Question("its mapper", (0,), reclaimable=64, with_file=64),
    ), on_disk=True),
    Family("dirty page cache", dirty_cache, (
        Question("its mapper", (0,), reclaimable=64, with_file=64),
    ), on_disk=True),
    Family("a file on tmpfs with a link", linked_tmpfs, (
        Question("its mapper", (0,), kept=64, with_file=64),
    )),
    Family("a file on tmpfs without a link", deleted_tmpfs, (
        Question("its mapper", (0,), freed=64),
    )),
    Family("pages merged by KSM", merged, (
        Question("two of three", (0, 1)),
        Question("all", (0, 1, 2), freed=32),
    )),
    Family("a family that is swapped out", swapped, (
        Question("the children", (1, 2, 3, 4), freed=16),
        Question("all", (0, 1, 2, 3, 4), freed=16, swap=64),
    ), needs_swap=True),
    Family("a swapped family that was partly read back", swapped_back, (
        Question("the reader", (4,), freed=4 + 16),
        Question("all", (0, 1, 2, 3, 4), freed=16 + 16, swap=64, swap_cache=16),
    ), needs_swap=True),
    Family("huge pages kept by one page each", huge_kept, (
        Question("the parent", (0,)),
        Question("the child", (1,)),
        Question("both", (0, 1), freed=64),
    )),
    Family("huge pages of which half is unmapped", huge_holes, (
        Question("it", (0,), freed=64),
    )),
    Family("a process and its CLONE_VM peer", peers("peer"), (
        Question("the one", (0,), kept=64, kernel_known=False),
        Question("the peer", (1,), kept=64, kernel_known=False),
        Question("both", (0, 1), freed=64),
    )),
    Family("a process and its vfork child", peers("vfork"), (
        Question("the parent", (0,), kept=64, kernel_known=False),
        Question("both", (0, 1), freed=64),
    )),
)
