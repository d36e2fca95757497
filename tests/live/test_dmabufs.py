#!/usr/bin/env python3
"""Buffers of drivers held in every way there is, by each way of finding out, against what made them; and what
comes back of them against what the kernel says. It needs devices that few machines have, so it runs in guests.

    test_dmabufs.py [WORD-OF-A-TEST...]
"""
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import time

import buffer_actors
import dmabuf_actors as make
import memoir
import mkmem
from tap import Tap
from test_buffers import ENGINES, HIDDEN_SLACK, MIB, acting, buffers, differences, find, hidden_bytes, kill_one

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


TESTS = {"held": test_held}


def main():
    wanted, tap = sys.argv[1:] or list(TESTS), Tap()
    mkmem.exit_on_signals()
    for name in wanted:
        try:
            TESTS[name](tap)
        except (memoir.Failed, mkmem.Broken, OSError) as error:
            tap.check(False, name, [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
