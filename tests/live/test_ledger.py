#!/usr/bin/env python3
"""Known memory of each kind, and the line of the ledger that has to take it: the lines add up to
MemTotal to the byte. It must not leave memory, files, swap or settings behind."""
import contextlib
import ctypes
import mmap
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import memoir
import mkmem
import zram
from tap import Tap

MIB = 1 << 20
PAGE = mmap.PAGESIZE
HUGE = 2 * MIB
STACK = 16 * 1024  # of a thread, in the kernel
# Others use this machine too, and counters lag behind.
SLACK = 16 * MIB
SLAB_SLACK = 4 * MIB
OTHERS = 32 * MIB
# Files of 1.2 KiB of slab each. What a CPU keeps of free objects is not counted by the kernel.
MOST_FILLER = 500_000
FILLER_MARGIN = 5_000
TRIES = 5
SETTLE_S = 1
# What any memory is taken from, or what moves with everything.
FREE = {"free", "free, on per-CPU lists"}
NOBODY = 65534
NR_HUGEPAGES = "/proc/sys/vm/nr_hugepages"
MAP_NORESERVE = 0x4000
MAP_HUGETLB = 0x40000
MADV_PAGEOUT = 21
EXCESS = re.compile(r"add up to (\d+) bytes more than MemTotal")
RAM_FILE_SYSTEMS = {"tmpfs", "ramfs", "devtmpfs", "rootfs"}


class Ledger:
    """One look at the machine."""

    def __init__(self, *arguments):
        code, out, err = memoir.run("overview", "--json", *arguments)
        if code not in (0, 3):
            raise memoir.Failed(f"exit code {code}: {err.strip()[-300:]}")
        decoded = memoir.decode(out)
        self.total = decoded["total_bytes"]
        self.lines = {row["line"]: row["bytes"] for row in decoded["rows"]}
        self.rows = len(decoded["rows"])
        self.notes = decoded["notes"]
        self.easy = {row["what"]: row["bytes"] for row in decoded["easy"]}

    def excess(self):
        """How much more than MemTotal the sources claim."""
        found = [EXCESS.search(note) for note in self.notes]
        return sum(int(match[1]) for match in found if match)

    def differences(self):
        """What is wrong with it by itself."""
        bad = []
        if sum(self.lines.values()) != self.total or len(self.lines) != self.rows:
            bad.append(f"{self.rows} lines add up to {sum(self.lines.values())}, not {self.total}")
        if self.total != mem_total():
            bad.append(f"total_bytes {self.total}, MemTotal {mem_total()}")
        if min(self.lines.values()) < 0:
            bad.append(f"a line below 0: {self.lines}")
        return bad


def mem_total():
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) * 1024


def moves(before, after):
    return {line: after.lines.get(line, 0) - before.lines.get(line, 0)
            for line in {*before.lines, *after.lines}}


def move_differences(before, after, expected, tolerance):
    """expected: {line: bytes or (least, most)}. No other line but the free ones may move much."""
    bad = before.differences() + after.differences()
    for line, by in sorted(moves(before, after).items()):
        if line in expected:
            least, most = expected[line] if isinstance(expected[line], tuple) else \
                (expected[line] - tolerance, expected[line] + tolerance)
        elif line in FREE:
            continue
        else:
            least, most = -OTHERS, OTHERS
        if not least <= by <= most:
            bad.append(f"{line}: moved by {by / MIB:.1f} MiB, "
                       f"not {least / MIB:.1f} to {most / MIB:.1f}")
    return bad + [f"there is no line {line}" for line in expected if line not in after.lines]


def check_move(tap, what, allocate, expected, tolerance=SLACK):
    """allocate() is a context manager that gives what there is, expected() of it says how the lines
    have to move. Tried again where others moved as much meanwhile."""
    for attempt in range(TRIES):
        try:
            before = Ledger()
            with allocate() as have:
                after = Ledger()
            bad = move_differences(before, after, expected(have), tolerance)
        except mkmem.Skip:
            # Huge pages that can't be had, or not all: memory is compacted meanwhile.
            if attempt == TRIES - 1:
                raise
            bad = ["not tried"]
        if not bad:
            break
        time.sleep(SETTLE_S)
    tap.check(not bad, what, bad)


# ---- memory ------------------------------------------------------------------------------------

def touch(memory, step=PAGE, start=0, end=None):
    for at in range(start, end or len(memory), step):
        memory[at] = 1


@contextlib.contextmanager
def anonymous(length, advice, aligned=False):
    """(memory, offset of its first aligned byte)."""
    memory = mmap.mmap(-1, length + HUGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    start = -address % HUGE if aligned else 0
    try:
        memory.madvise(advice)
        touch(memory, PAGE, start, start + length)
        yield memory, start
    finally:
        memory.close()


@contextlib.contextmanager
def small_pages(length):
    with anonymous(length, mmap.MADV_NOHUGEPAGE):
        yield length


def own_huge_bytes():
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("AnonHuge")) * 1024


@contextlib.contextmanager
def huge_pages(length, hole_bytes=0):
    """Anonymous huge pages, of each of which the last hole_bytes are given back again."""
    before = own_huge_bytes()
    with anonymous(length, mmap.MADV_HUGEPAGE, aligned=True) as (memory, start):
        have = own_huge_bytes() - before
        if have < length:
            raise mkmem.Skip(f"only {have >> 20} of {length >> 20} MiB became huge pages")
        for at in range(start, start + length, HUGE) if hole_bytes else ():
            memory.madvise(mmap.MADV_DONTNEED, at + HUGE - hole_bytes, hole_bytes)
        yield length


@contextlib.contextmanager
def lazily_freed(length):
    with anonymous(length, mmap.MADV_NOHUGEPAGE) as (memory, _):
        # Pages stay in per-CPU batches for a while, and those are passed over.
        memory.madvise(mmap.MADV_FREE, 0, length)
        yield length


def on_disk():
    """A directory that is on no file system in RAM."""
    for path in (os.environ.get("MEMOIR_BUILD", "."), tempfile.gettempdir(), "/var/tmp"):
        kind = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True,
                              check=False).stdout.strip()
        if kind and kind not in RAM_FILE_SYSTEMS and os.access(path, os.W_OK):
            return path
    raise mkmem.Skip("no directory on a disk to write to")


@contextlib.contextmanager
def file_of(length, mapped=False):
    """A file in the page cache, all of it clean."""
    with tempfile.TemporaryFile(dir=on_disk()) as file:
        for _ in range(length // MIB):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
        with contextlib.ExitStack() as stack:
            if mapped:
                memory = stack.enter_context(mmap.mmap(file.fileno(), length, mmap.MAP_SHARED,
                                                       mmap.PROT_READ))
                sum(memory[at] for at in range(0, length, PAGE))
            yield length


@contextlib.contextmanager
def shmem_of(length, mapped=False):
    fd = os.memfd_create("memoir-ledger")
    try:
        for _ in range(length // MIB):
            os.write(fd, b"x" * MIB)
        if mapped:
            with mmap.mmap(fd, length) as memory:
                touch(memory)
                yield length
        else:
            yield length
    finally:
        os.close(fd)


@contextlib.contextmanager
def many_files(count):
    """Empty files: names and inodes, no pages."""
    if not os.access("/dev/shm", os.W_OK):
        raise mkmem.Skip("/dev/shm cannot be written to")
    directory = tempfile.mkdtemp(prefix="memoir-ledger-", dir="/dev/shm")
    try:
        for number in range(count):
            os.close(os.open(f"{directory}/{number}", os.O_WRONLY | os.O_CREAT, 0o600))
        yield count
    finally:
        shutil.rmtree(directory)


def free_objects(*caches):
    """The most that any of these slab caches could hand out without a new page."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        lines = [line.split() for line in file]
    return max(int(total) - int(active) for name, active, total, *_ in lines if name in caches)


def slab_of_files(count):
    return {"slab, reclaimable": (count * 192 - SLAB_SLACK, count * 600 + SLAB_SLACK),
            "slab, unreclaimable": (count * 600 - SLAB_SLACK, count * 1400 + SLAB_SLACK)}


@contextlib.contextmanager
def sparse(tables):
    """The zero page, read once in each 2 MiB: a page table for every one."""
    try:
        memory = mmap.mmap(-1, tables * HUGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE,
                           mmap.PROT_READ)
    except OSError as error:
        raise mkmem.Skip(f"{tables * HUGE >> 30} GiB cannot be reserved: {error}") from error
    with memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        sum(memory[at] for at in range(0, len(memory), HUGE))
        yield tables * PAGE


def read_number(path):
    with open(path, encoding="ascii") as file:
        return int(file.read())


def write_number(path, number):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(number))


@contextlib.contextmanager
def hugetlb_pool(pages, used):
    """More pages in the pool, and so many of them in use."""
    if os.geteuid() or not os.path.exists(NR_HUGEPAGES):
        raise mkmem.Skip("needs root and hugetlb")
    before = read_number(NR_HUGEPAGES)
    try:
        write_number(NR_HUGEPAGES, before + pages)
        if read_number(NR_HUGEPAGES) != before + pages:
            raise mkmem.Skip("memory is too fragmented for hugetlb pages")
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB
        with mmap.mmap(-1, used * HUGE, flags) as memory:
            touch(memory, HUGE)
            yield used * HUGE, (pages - used) * HUGE
    finally:
        write_number(NR_HUGEPAGES, before)


def own_swap_bytes():
    with open("/proc/self/status", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("VmSwap")) * 1024


@contextlib.contextmanager
def swapped_out(length):
    """What cannot be compressed takes as much in zram."""
    before = own_swap_bytes()
    with anonymous(length, mmap.MADV_NOHUGEPAGE) as (memory, _):
        for at in range(0, length, MIB):
            memory[at:at + MIB] = os.urandom(MIB)
        # Pages in the batches of other CPUs are passed over at first.
        for _ in range(TRIES):
            memory.madvise(MADV_PAGEOUT, 0, length)
        have = own_swap_bytes() - before
        if have < length - SLACK:
            raise memoir.Failed(f"only {have >> 20} MiB were swapped out")
        yield have


@contextlib.contextmanager
def threads_of(count):
    stop = threading.Event()
    size = threading.stack_size(64 * 1024)
    started = []
    try:
        for _ in range(count):
            started.append(threading.Thread(target=stop.wait))
            started[-1].start()
        yield count
    finally:
        stop.set()
        for thread in started:
            thread.join()
        threading.stack_size(size)


# ---- tests -------------------------------------------------------------------------------------

def test_sum(tap):
    """By itself, with the usual lines and no complaint about overlapping counters."""
    ledger = Ledger()
    tap.check(not ledger.differences(), "the lines add up to MemTotal to the byte",
              ledger.differences())
    usual = {"anonymous, small pages", "mapped file", "unmapped page cache", "buffers",
             "shmem, mapped", "slab, reclaimable", "page tables", "kernel stacks", "zram",
             "other kernel (no counter)", *FREE}
    tap.check(usual <= set(ledger.lines), "frames were counted", [usual - set(ledger.lines),
                                                                  *ledger.notes])
    claimed = min(Ledger().excess() for _ in range(TRIES))
    tap.check(claimed <= SLACK, "no source claims what another has", [f"{claimed} bytes"])


def test_anonymous(tap):
    check_move(tap, "256 MiB of small anonymous pages", lambda: small_pages(256 * MIB),
               lambda have: {"anonymous, small pages": have})


def test_huge(tap):
    check_move(tap, "128 MiB of huge anonymous pages", lambda: huge_pages(128 * MIB),
               lambda have: {"anonymous, huge pages": have})
    check_move(tap, "huge pages whose last quarter was given back keep it, and that is told",
               lambda: huge_pages(128 * MIB, HUGE // 4),
               lambda have: {"anonymous, huge pages": have * 3 // 4,
                             "anonymous, unmapped": have // 4})


def test_lazy(tap):
    check_move(tap, "128 MiB given up by MADV_FREE", lambda: lazily_freed(128 * MIB),
               lambda have: {"anonymous, given up (MADV_FREE)": have})


def test_file(tap):
    check_move(tap, "256 MiB of page cache", lambda: file_of(256 * MIB),
               lambda have: {"unmapped page cache": have})
    check_move(tap, "256 MiB of a mapped file", lambda: file_of(256 * MIB, mapped=True),
               lambda have: {"mapped file": have})


def test_shmem(tap):
    check_move(tap, "128 MiB of a memfd that nobody maps", lambda: shmem_of(128 * MIB),
               lambda have: {"shmem, unmapped": have})
    check_move(tap, "128 MiB of a mapped memfd", lambda: shmem_of(128 * MIB, mapped=True),
               lambda have: {"shmem, mapped": have})


def test_slab(tap):
    """A name takes 192 bytes, an inode of tmpfs 600 to 1000. Freed objects of before in slabs that
    are kept for others in them would hold the new ones and no line would move: they are filled up."""
    filler = min(free_objects("dentry", "shmem_inode_cache"), MOST_FILLER) + FILLER_MARGIN
    with many_files(filler):
        check_move(tap, "the slab objects of 60,000 small files", lambda: many_files(60_000),
                   slab_of_files)


def test_page_tables(tap):
    check_move(tap, "64 MiB of page tables of a sparse mapping", lambda: sparse(16384),
               lambda have: {"page tables": have}, tolerance=2 * MIB)


def test_hugetlb(tap):
    check_move(tap, "96 MiB of hugetlb pages, a third of them in use", lambda: hugetlb_pool(48, 16),
               lambda have: {"hugetlb, in use": have[0], "hugetlb, free": have[1]}, tolerance=0)


def test_stacks(tap):
    check_move(tap, "kernel stacks of 1,000 threads", lambda: threads_of(1000),
               lambda have: {"kernel stacks": have * STACK}, tolerance=2 * MIB)


def saved_lines(path):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return dict(database.execute("SELECT key, bytes FROM meminfo"))


def saved_zram():
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory:
        path = Path(directory) / "snap.db"
        memoir.run("capture", "-o", path, "pid:1")
        return {key: number for key, number in saved_lines(path).items() if "zram" in key}


def test_zram(tap):
    length = 64 * MIB
    try:
        with zram.swap():
            check_move(tap, "64 MiB of random bytes swapped out to zram",
                       lambda: swapped_out(length), lambda have: {"zram": have})
            with swapped_out(length) as have:
                lines = saved_zram()
    except zram.Unavailable as why:
        tap.skip("64 MiB of random bytes swapped out to zram", why)
        return
    good = all(lines.get(key, 0) >= have
               for key in ("zram_orig_bytes", "zram_used_bytes", "zram_store_bytes"))
    tap.check(good, "what zram holds as swap is in the snapshot", [have, lines])


def test_easy(tap):
    what = "clean page cache that nobody maps"
    for _ in range(TRIES):
        before = Ledger().easy
        with file_of(128 * MIB) as have:
            after = Ledger().easy
        by = after.get(what, 0) - before.get(what, 0)
        # What others have written becomes clean meanwhile.
        if abs(by - have) < OTHERS:
            break
        time.sleep(SETTLE_S)
    tap.check(abs(by - have) < OTHERS, "clean page cache is easy to get back",
              [f"moved by {by / MIB:.1f} MiB, not {have / MIB:.1f}"])


def test_saved(tap):
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory:
        path = Path(directory) / "snap.db"
        code, _, err = memoir.run("capture", "-o", path)
        saved, live = Ledger("--from", path), Ledger()
    tap.check(code in (0, 3) and not saved.differences(), "a saved ledger adds up as well",
              [err, *saved.differences()])
    tap.check(list(saved.lines) == list(live.lines), "and has the same lines",
              [set(saved.lines) ^ set(live.lines)])


def test_unprivileged(tap):
    what = "without privileges the ledger is that of meminfo, adds up, and says so"
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(memoir.program(), directory)
        done = subprocess.run([program, "--json"], user=NOBODY, group=NOBODY, extra_groups=[],
                              cwd="/", capture_output=True, check=False, timeout=memoir.TIMEOUT_S)
    decoded = memoir.decode(done.stdout)
    total = sum(row["bytes"] for row in decoded["rows"])
    good = done.returncode == 3 and total == decoded["total_bytes"] == mem_total() and \
        any("/proc/kpageflags" in note for note in decoded["notes"])
    tap.check(good, what, [f"exit code {done.returncode}, sum {total}", *decoded["notes"]])


TESTS = (test_sum, test_anonymous, test_huge, test_lazy, test_file, test_shmem, test_slab,
         test_page_tables, test_hugetlb, test_stacks, test_zram, test_easy, test_saved,
         test_unprivileged)


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    only = set(sys.argv[1:])
    for test in TESTS:
        if only and test.__name__ not in only:
            continue
        if os.geteuid():
            tap.skip(test.__name__, "needs root: /proc/kpageflags")
            continue
        try:
            test(tap)
        except mkmem.Skip as why:
            tap.skip(test.__name__, why)
        except (memoir.Failed, subprocess.TimeoutExpired, OSError) as error:
            tap.check(False, test.__name__, [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
