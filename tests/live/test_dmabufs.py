#!/usr/bin/env python3
"""Buffers of drivers held in every way there is, by each way of finding out, against what made them; and what
comes back of them against what the kernel says. It needs devices that few machines have, so it runs in guests.

    test_dmabufs.py [WORD-OF-A-TEST...]
"""
import contextlib
import ctypes
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import buffer_actors
import dmabuf_actors as make
import memoir
import mkmem
import scenes
from tap import Tap
from test_buffers import (ENGINES, acting, buffers, check_killing, differences, find,
                          hidden_difference, of_pid, whatif)
from test_footprints import check_sums

PAGE = make.PAGE
SETTLE_S = 10


def by_engine():
    """All rows, as each engine finds them."""
    return {engine: buffers("--engine", engine)["rows"] for engine in ENGINES}


def as_text_has_it(truth):
    """Only fdinfo tells text who made a buffer, and that only who is open; what of a udmabuf's memfd is left nothing
    tells it."""
    if "own_bytes_by_text" in truth:
        truth = {**truth, "own_bytes": truth["own_bytes_by_text"]}
    if not truth["fds"]:
        truth = {**truth, "exporter": None, "resident_bytes": None, "own_bytes": None}
    return truth


def wrong(truth, rows, holders, engine):
    """What rows say otherwise than is true of a buffer with these holders (pids)."""
    if engine == "text":
        truth = as_text_has_it(truth)
    found = find(rows, truth, holders[0])
    if len(found) != 1:
        return [f"{len(found)} rows of {truth}"]
    return [line for pid in holders for line in differences(truth, found[0], pid, len(holders))]


def wrong_in_flight(truth, rows, pid):
    """No process has it; if it shows at all (Linux 6.16), without a holder. The socket shows."""
    bad = [row for row in find(rows, truth, pid) if row["holders"]]
    sockets = [row for row in rows if row["files_in_flight"]
               and any(h["pid"] == pid and truth["socket"] in h["fds"] for h in row["holders"])]
    if [row["files_in_flight"] for row in sockets] != [1]:
        bad.append(f"sockets are {sockets}")
    return bad


def wrong_of_actor(actor, rows, engine):
    truth = actor.truth
    if "socket" in truth:
        return wrong_in_flight(truth, rows, actor.pid)
    holders = [actor.pid, truth["child"]] if "child" in truth else [actor.pid]
    return [line for one in truth.get("several", [truth])
            for line in wrong(one, rows, holders, engine)]


def receive(tap, actor, what):
    """What was in flight arrives: the receiver alone holds it."""
    far = make.take_fd(actor.pid, actor.truth["socket"])
    try:
        with acting(buffer_actors.received, far) as receiver:
            truth = {**actor.truth, "fds": receiver.truth["fds"]}
            for engine, rows in by_engine().items():
                bad = wrong(truth, rows, [receiver.pid], engine)
                tap.check(not bad, f"{what}, in flight, then received ({engine})", bad)
    finally:
        os.close(far)


def test_held(tap):
    """All classes in all ways, at once."""
    with contextlib.ExitStack() as stack:
        actors = {f"{what}, {way}": stack.enter_context(acting(hold, maker))
                  for (what, maker), (way, hold) in itertools.product(make.CLASSES.items(),
                                                                      make.WAYS.items())}
        actors["GEM memory, exported twice"] = stack.enter_context(acting(make.exported_twice, 16))
        for engine, rows in by_engine().items():
            for what, actor in actors.items():
                bad = wrong_of_actor(actor, rows, engine)
                tap.check(not bad, f"{what} ({engine})", bad)
        for what in make.CLASSES:
            receive(tap, actors[f"{what}, in flight"], what)


def check_now(tap, what, truths, pid):
    """What is true of one process's buffers, by each engine; of some that there are none of."""
    for engine, rows in by_engine().items():
        bad = [line for truth in truths for line in wrong(truth, rows, [pid], engine)]
        tap.check(not bad, f"{what} ({engine})", bad)


def tag_by_library(fd, name):
    """By libmemoir-name, which has the kernel do it."""
    library = min(Path(os.environ["MEMOIR_BUILD"]).glob("src/libmemoir-name.so*"))
    code = ctypes.CDLL(str(library)).memoir_tag_fd(fd, name.encode())
    if code:
        raise mkmem.Broken(f"memoir_tag_fd: {code}")


def test_renamed(tap):
    """By somebody else, while it is held."""
    with acting(make.fd_only, make.heap) as actor:
        for name, give in (("first", make.set_name), ("second", make.set_name),
                           ("by the library", tag_by_library)):
            fd = make.take_fd(actor.pid, actor.truth["fds"][0])
            give(fd, name)
            os.close(fd)
            check_now(tap, f"a buffer that is called {name} while it is held",
                      [{**actor.truth, "tag": name}], actor.pid)


YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


def tag(*arguments, **options):
    """(exit code, what was complained of)"""
    done = subprocess.run([memoir.program(), "tag", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=memoir.TIMEOUT_S, check=False,
                          **options)
    return done.returncode, done.stderr.strip()


def kernels_name(actor):
    """Of the first fd; the kernel leaves the line out where there is no name."""
    text = Path(f"/proc/{actor.pid}/fdinfo/{actor.truth['fds'][0]}").read_text(encoding="ascii")
    found = [line.split("\t", 1)[1] for line in text.splitlines() if line.startswith("name:\t")]
    return found[0] if found else ""


def test_tagged(tap):
    """By memoir tag: the kernel keeps it, so that everybody sees it; and what is refused."""
    for what, maker in ("a heap's buffer", make.heap), ("a udmabuf", make.udmabuf):
        with acting(make.two_fds, maker) as actor:
            code, err = tag(actor.truth["object"], "given by memoir")
            tap.check(code == 0 and kernels_name(actor) == "given by memoir",
                      f"{what} is called as it was told", [code, err, kernels_name(actor)])
            check_now(tap, f"{what} that memoir named", [{**actor.truth, "tag": "given by memoir"}],
                      actor.pid)
            code, err = tag(actor.truth["object"], "x" * 32)
            tap.check(code == 2 and "31 bytes" in err, f"{what}: no longer than 31 bytes",
                      [code, err])
            code, err = tag("--clear", f"pid:{actor.pid}", "kind:dmabuf")
            tap.check(code == 0 and kernels_name(actor) == "", f"{what} is called nothing again",
                      [code, err, kernels_name(actor)])
    with acting(make.mapped_only, make.heap) as actor:
        code, err = tag(actor.truth["object"], "x")
        tap.check(code == 1 and "no process has an fd of it" in err, "what is only mapped can't be tagged",
                  [code, err])


def test_tagged_by_user(tap):
    """Who may not ptrace the process that has it can't have its fd."""
    scope = YAMA.read_text(encoding="ascii") if YAMA.exists() else None
    nobody = {"user": make.NOBODY, "group": make.NOBODY, "extra_groups": [], "cwd": "/"}
    with acting(make.of_nobody, make.heap) as actor:
        which = (f"pid:{actor.pid}", "kind:dmabuf")
        try:
            if scope:
                YAMA.write_text("1", encoding="ascii")
                code, err = tag(*which, "x", **nobody)
                tap.check(code == 1 and "CAP_SYS_PTRACE" in err and "Yama" in err and
                          kernels_name(actor) == "", "where Yama forbids it a user is told so",
                          [code, err])
                YAMA.write_text("0", encoding="ascii")
            code, err = tag(*which, "by himself", **nobody)
            tap.check(code == 0 and kernels_name(actor) == "by himself",
                      "a user tags what his own process has", [code, err])
        finally:
            if scope:
                YAMA.write_text(scope, encoding="ascii")


def wait_until(happened, what):
    deadline_s = time.monotonic() + SETTLE_S
    while not happened():
        if time.monotonic() > deadline_s:
            raise mkmem.Broken(f"{what} after {SETTLE_S} s")
        time.sleep(0.02)


def test_memfd_closed(tap):
    """Under a udmabuf: the pages go from the one to the other, and never are both's."""
    with acting(make.closes_memfd, "closed", 16) as actor:
        memfd, pid = actor.truth.pop("memfd"), actor.pid
        check_now(tap, "a udmabuf and its memfd", [actor.truth, memfd], pid)
        os.kill(pid, signal.SIGUSR1)
        path = f"/proc/{pid}/fd/{memfd['fds'][0]}"
        wait_until(lambda: not os.path.lexists(path), "the memfd is still open")
        check_now(tap, "a udmabuf when its memfd was closed",
                  [{**actor.truth, "own_bytes": 16 * PAGE, "own_bytes_by_text": 0}], pid)
        left = [row for row in of_pid(pid) if row["object"] == memfd["object"]]
        tap.check(not left, "and there is no memfd any more", left)


def test_shared_pages(tap):
    """A memfd whose udmabuf somebody else has: its pages are nobody's alone."""
    pages = 8192
    with acting(make.closes_memfd, "shared", pages) as one, \
            acting(make.takes, one.pid, one.truth["fds"][0]) as other:
        row = find(of_pid(one.pid), one.truth["memfd"], one.pid)
        tap.check(len(row) == 1 and row[0]["holders"][0]["unique_bytes"] == 0,
                  "a memfd is nobody's alone while another has a udmabuf of it",
                  [one["holders"] for one in row])
        together = whatif([one.pid, other.pid])
        tap.check(pages * PAGE <= together <= 2 * pages * PAGE - 1,
                  "what-if of both counts the pages once", [together])


def test_hidden(tap):
    """Pages of GEM memory are shared memory that no file of a process has."""
    for engine in "tables", "text":
        bad = hidden_difference(make.touched_gem, engine)
        tap.check(not bad, f"GEM memory is among the hidden ({engine})", bad)


def test_footprint(tap):
    """Once, however many fds and mappings there are of it; and none where pages can't be counted."""
    pages, slack = 8192, 512  # of the processes themselves
    with acting(make.large, make.heap, pages) as much, acting(make.large, make.heap, 1) as little, \
            acting(make.large, make.gem, pages) as unknown:
        rows = {row["pid"]: row for row in memoir.rows("ps", "--json", codes=(0, 3))}
        base = rows[little.pid]["footprint_bytes"] // PAGE
        for what, actor, more in ("a heap's buffer once", much, pages), ("no uncounted pages", unknown, 0):
            found = rows[actor.pid]["footprint_bytes"] // PAGE - base
            tap.check(abs(found - more) <= slack, f"a footprint has {what}", [found])
        code, out, _ = memoir.run("whatif", "kill", "--json", f"pid:{unknown.pid}")
        freed = rows[unknown.pid]["freed_if_killed_bytes"]
        notes = memoir.decode(out)["notes"]
        tap.check(code == 3 and notes and freed is None,
                  "it is said that what killing who has GEM memory frees is not known", [code, notes, freed])


def test_whatif(tap):
    size = 8192 * PAGE
    for what, maker, arguments, other, expected, falls in (
            ("the only holder of a heap's buffer", make.large, (make.heap, 8192), None, size, 0),
            ("one of two holders of a heap's buffer", make.large, (make.heap, 8192), make.takes, 0, 0),
            ("the only holder of a udmabuf and its memfd", make.large, (make.udmabuf, 8192), None,
             size, size),
            ("the only holder of a udmabuf without its memfd", make.large, (make.orphan, 8192),
             None, size, 0),
            ("who has the memfd of another's udmabuf", make.large, (make.udmabuf, 8192),
             make.takes, 0, size)):
        check_killing(tap, what, maker, arguments, other, expected=expected, shmem_falls=falls)


def test_sums(tap):
    """Footprints with what is nobody's are MemTotal, with 128 MiB of buffers that no counter or two counters have."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for maker in make.heap, make.udmabuf, make.orphan:
            actor = stack.enter_context(acting(make.large, maker, 8192))
            stack.enter_context(acting(make.takes, actor.pid, actor.truth["fds"][0]))
        stack.enter_context(acting(make.touched_gem, None))
        check_sums(tap, "with buffers of drivers", Path(folder) / "saved.db")


TESTS = {"held": test_held, "renamed": test_renamed, "tagged": test_tagged,
         "tagged_by_user": test_tagged_by_user, "memfd_closed": test_memfd_closed,
         "shared_pages": test_shared_pages, "hidden": test_hidden, "footprint": test_footprint,
         "sums": test_sums, "whatif": test_whatif}


def main():
    tap = Tap()
    return scenes.run(tap, TESTS)


if __name__ == "__main__":
    sys.exit(main())
