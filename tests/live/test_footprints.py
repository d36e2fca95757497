#!/usr/bin/env python3
"""All processes' footprints and what of the ledger is nobody's are MemTotal, from one saved snapshot: no memory is
counted twice, and none is left out (docs/ACCOUNTING.md, "Footprints and the ledger"). It must leave nothing behind.

    test_footprints.py
"""
import contextlib
import ctypes
import mmap
import os
import signal
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import buffer_actors as make
import memoir
import mkmem
from tap import Tap

MIB = 1 << 20
PAGES = MIB // make.PAGE
# What the kernel lends to programs is memory of its own lines as well.
KERNELS_OWN, LENT = "'device', 'io-uring'", "lent by the kernel"
# Pages are walked some milliseconds before or after the frames are counted. Whatever is counted twice or not at
# all is wrong each time, by what a scene has: 8 MiB at least. What others move is right once, on a busy machine
# only after many looks.
TOLERANCE = 6 * MIB
TRIES = 100
PAUSE_S = 0.2


def hidden_bytes():
    """Of processes that a policy hides even from root: {"RssAnon": …, "RssFile": …, "RssShmem": …}."""
    sums = dict.fromkeys(("RssAnon", "RssFile", "RssShmem"), 0)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/maps", "rb") as file:
                file.read(1)
        except PermissionError:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                for key, _, value in (line.partition(":") for line in file):
                    if key in sums:
                        sums[key] += int(value.split()[0]) << 10
        except OSError:
            pass
    return sums


def charged_bytes(db):
    """What footprints have of objects beyond mapped pages, by the line of the ledger that has it."""
    lines = {"shmem, unmapped": 0, "unmapped page cache": 0, "dma-bufs": 0}
    where = {"file": "unmapped page cache", "dmabuf": "dma-bufs", "drm": "dma-bufs"}
    query = """SELECT kind, max(0, resident_bytes - elsewhere_bytes - ifnull(mapped_bytes, 0)) FROM objects
               WHERE NOT is_family AND fate IN ('freed', 'kept') AND kind <> 'hugetlb' AND
                     resident_bytes IS NOT NULL AND
                     id IN (SELECT object FROM regions UNION SELECT object FROM holders)"""
    for kind, unmapped in db.execute(query):
        lines[where.get(kind, "shmem, unmapped")] += unmapped
    return lines


class Sums:
    """Of one snapshot file."""

    def __init__(self, path):
        hidden = hidden_bytes()
        code, _, err = memoir.run("capture", "-o", path)
        if code not in (0, 3):
            raise memoir.Failed(f"capture: {code} {err[-300:]}")
        self.footprints = sum(row["footprint_bytes"] or 0 for row in
                              memoir.rows("ps", "--from", path, "--json", codes=(0, 3)))
        rows = memoir.rows("--from", path, "--json", codes=(0, 3))
        self.lines = {row["line"]: row["bytes"] for row in rows if "line" in row}
        with contextlib.closing(sqlite3.connect(path)) as db:
            counters = dict(db.execute("SELECT key, bytes FROM meminfo"))
            self.charged = charged_bytes(db)
            self.lent = db.execute(f"""SELECT ifnull(sum(mapped_bytes), 0) FROM objects
                                       WHERE kind IN ({KERNELS_OWN})""").fetchone()[0]
        self.total = counters["MemTotal"]
        self.unseen = {"anonymous, small pages": counters["own_anon_bytes"] + hidden["RssAnon"],
                       "mapped file": counters["own_other_bytes"] + hidden["RssFile"],
                       "shmem, mapped": hidden["RssShmem"]}

    def nobodys(self):
        """The lines of the ledger without what footprints have of them."""
        mapped = ("anonymous, small pages", "anonymous, huge pages", "anonymous, given up (MADV_FREE)",
                  "mapped file", "shmem, mapped")
        lines = {line: self.unseen.get(line, 0) if line in mapped else size
                 for line, size in self.lines.items()}
        for line, size in self.charged.items():
            lines[line] = lines.get(line, 0) - size
        return {**lines, LENT: -self.lent}

    def surplus(self):
        """Counted twice, or if negative not at all."""
        return self.footprints + sum(self.nobodys().values()) - self.total

    def __str__(self):
        return f"{self.surplus() / MIB:+.2f} MiB: footprints {self.footprints}, nobody's {self.nobodys()}"


def check_sums(tap, what, path):
    seen = []
    for _ in range(TRIES):
        path.unlink(missing_ok=True)
        seen.append(Sums(path))
        if abs(seen[-1].surplus()) <= TOLERANCE:
            break
        time.sleep(PAUSE_S)
    best = min(seen, key=lambda sums: abs(sums.surplus()))
    tap.check(abs(best.surplus()) <= TOLERANCE,
              f"footprints and what is nobody's are MemTotal: {what}", [f"{len(seen)} looks", best])
    too_few = [f"{line}: {size}" for line, size in best.nobodys().items()
               if size < -TOLERANCE and line != LENT]
    tap.check(not too_few, f"no line has less than footprints have of it: {what}", too_few)


# ---- scenes -------------------------------------------------------------------------------------

def deleted_file(folder):
    """Its page cache goes with its fd."""
    path = Path(folder) / "deleted"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    os.write(fd, b"x" * 32 * MIB)
    return {"fds": [fd]}, None


def tmpfs_file(_):
    """One that stays, and that nobody has open."""
    path = Path(f"/dev/shm/memoir-footprints-{os.getpid()}")
    path.write_bytes(b"x" * 32 * MIB)
    return {"path": str(path)}, None


def segment(_):
    """Of System V, attached by nobody."""
    number, start = make.sysv(32 * PAGES, True, False)
    ctypes.memset(start, 1, 32 * MIB)
    make.libc.shmdt(ctypes.c_void_p(start))
    return {"segment": number}, None


def mapped_by_parts(_):
    """A memfd of 64 MiB: two mappings that have 16 MiB in common, 48 MiB in all."""
    fd = make.memfd("parts", 64 * PAGES)
    for first in 0, 16:
        make.map_file(fd, 32 * PAGES, first * PAGES, touched=32 * PAGES)
    return {"fds": [fd]}, None


def family(_):
    """Four processes share 64 MiB, and three have written to some."""
    memory = mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(b"x" * 64 * MIB)
    for i in range(3):
        if make.fork_child(stays=False) == 0:
            memory[i * 8 * MIB:(i + 1) * 8 * MIB] = b"y" * 8 * MIB
            while True:
                signal.pause()
    return {}, memory


@contextlib.contextmanager
def scenes(folder):
    """All at once; what outlives its maker is removed."""
    with contextlib.ExitStack() as stack:
        def act(*what):
            actor = make.Actor(*what)
            stack.callback(actor.kill)
            if "skip" in actor.truth or "broken" in actor.truth:
                raise mkmem.Broken(f"{what[0].__name__}: {actor.truth}")
            return actor

        only_open = act(make.fd_of, "open", 64 * PAGES)
        act(make.opened_again, only_open.pid, only_open.truth["fds"][0])
        mapped = act(mapped_by_parts, None)
        act(make.maps_again, mapped.pid, mapped.truth["fds"][0], 32 * PAGES)
        act(make.opened_again, mapped.pid, mapped.truth["fds"][0])
        act(deleted_file, folder)
        act(make.in_flight, "in flight")
        act(family, None)
        stack.callback(os.unlink, act(tmpfs_file, None).truth["path"])
        stack.callback(make.libc.shmctl, act(segment, None).truth["segment"], make.IPC_RMID, None)
        yield


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("footprints", "needs root: without it frames can't be counted")
        return tap.done()
    with tempfile.TemporaryDirectory(prefix="memoir-live-", dir="/var/tmp") as folder:
        path = Path(folder) / "saved.db"
        check_sums(tap, "as the machine is", path)
        try:
            with scenes(folder):
                check_sums(tap, "with memory held in every way", path)
        except (mkmem.Broken, memoir.Failed, OSError) as error:
            tap.check(False, "scenes", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
