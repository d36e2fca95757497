#!/usr/bin/env python3
"""Shared buffers held in every way there is, by each way of finding out, against what made them; what-if
and what hides against what the kernel says. It must leave nothing behind.

    test_buffers.py [WORD-OF-A-TEST...]
"""
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

import buffer_actors as make
import freed
import memoir
import mkmem
import scenes
from tap import Tap
from test_whatif import wait_for_quiet

ENGINES = ["tables", "scan", "text"]
PAGE = make.PAGE
MIB = 1 << 20
TRIES = 5
GONE_S = 10
HIDDEN_SLACK = MIB  # others' shared memory comes and goes
HOSTILE = "esc \x1b[31m\n\\ \"quoted\" (deleted)"


def buffers(*arguments):
    """The answer as a whole."""
    code, out, err = memoir.run("buffers", "--json", *arguments)
    if code not in (0, 3):
        raise memoir.Failed(f"buffers {arguments}: exit code {code}: {err.strip()[-300:]}")
    return memoir.decode(out)


def of_pid(pid, *arguments):
    return buffers(f"pid:{pid}", *arguments)["rows"]


@contextlib.contextmanager
def acting(*what):
    actor = make.Actor(*what)
    try:
        if "skip" in actor.truth:
            raise mkmem.Skip(actor.truth["skip"])
        if "broken" in actor.truth:
            raise mkmem.Broken(actor.truth["broken"])
        yield actor
    finally:
        actor.kill()


def holder_of(row, pid):
    found = [h for h in row["holders"] if h["pid"] == pid]
    return found[0] if len(found) == 1 else None


def ranges_of(holder):
    return [[int(r["start"], 16), int(r["end"], 16)] for r in holder["ranges"]]


def shared_out(own_bytes, holders):
    """Of a buffer whose pages can't be counted nobody's part is known."""
    return None if own_bytes is None else own_bytes // holders


def differences(truth, row, pid, holders=1):
    """What a row says otherwise than what made the buffer."""
    own = truth.get("own_bytes", truth["resident_bytes"])
    extra = truth.get("extra_bytes", own and max(0, own - truth.get("rss_bytes", 0)))
    holder = holder_of(row, pid)
    if not holder:
        return [f"pid {pid} does not hold it: {row['holders']}"]
    pairs = [(name, row[name], truth[name]) for name in
             ("kind", "tag", "size_bytes", "resident_bytes", "exporter") if name in truth]
    pairs += [("own_bytes", row["own_bytes"], own), ("holders", len(row["holders"]), holders),
              ("fds", holder["fds"], truth["fds"]),
              ("ranges", ranges_of(holder), truth.get("ranges", [])),
              ("mapped_bytes", holder["mapped_bytes"],
               sum(end - start for start, end in truth.get("ranges", []))),
              ("rss_bytes", holder["rss_bytes"], truth.get("rss_bytes", 0)),
              ("share_bytes", holder["share_bytes"], shared_out(own, holders)),
              ("extra_bytes", holder["extra_bytes"], shared_out(extra, holders)),
              ("unique_bytes", holder["unique_bytes"], own if holders == 1 else own and 0)]
    if "mapped_share_bytes" in truth and holders == 1:
        pairs.append(("mapped_share_bytes", holder["mapped_share_bytes"],
                      truth["mapped_share_bytes"]))
    return [f"{name} is {said!r}, not {is_so!r}" for name, said, is_so in pairs if said != is_so]


def find(rows, truth, pid):
    """By id, or where there is none beforehand, by where it is mapped."""
    if truth["object"]:
        return [row for row in rows if row["object"] == truth["object"]]
    return [row for row in rows if row["object"] and
            any(ranges_of(h) == truth["ranges"] for h in row["holders"] if h["pid"] == pid)]


@contextlib.contextmanager
def huge_page():
    """One more in the pool, if that can be."""
    path = Path("/proc/sys/vm/nr_hugepages")
    before = int(path.read_text(encoding="ascii"))
    path.write_text(str(before + 1), encoding="ascii")
    try:
        yield
    finally:
        path.write_text(str(before), encoding="ascii")


def test_alone(tap):
    for what, maker in make.ALONE.items():
        pool = huge_page() if maker is make.hugetlb else contextlib.nullcontext()
        try:
            with pool, acting(maker, HOSTILE if what == "fd only" else what) as actor:
                seen = {}
                for engine in ENGINES:
                    found = find(of_pid(actor.pid, "--engine", engine), actor.truth, actor.pid)
                    bad = differences(actor.truth, found[0], actor.pid) if len(found) == 1 \
                        else [f"{len(found)} rows"]
                    tap.check(not bad, f"{what} ({engine})", bad)
                    seen[engine] = found
                same = all(rows == seen[ENGINES[0]] for rows in seen.values())
                tap.check(same, f"{what}: the same row by all engines",
                          [] if same else [json.dumps(seen)[:4000]])
        except mkmem.Skip as why:
            tap.skip(what, why)


def test_shared(tap):
    """Inherited, and passed and received: two processes hold one buffer."""
    for what in "inherited by fork", "received from a socket":
        fd = make.memfd(what, 64, 48)
        near, far = socket.socketpair()
        socket.send_fds(near, [b"x"], [fd])
        maker, arguments = (make.holding, fd) if what.startswith("inherited") else \
            (make.received, far.fileno())
        truth = make.truth_of("memfd", fd, what, 64, 48)
        try:
            with acting(maker, arguments) as actor:
                if maker is make.received:
                    far.close()
                holders = [(os.getpid(), [fd]), (actor.pid, sorted({fd, *actor.truth["fds"]}))]
                for engine in ENGINES:
                    found = find(of_pid(actor.pid, "--engine", engine), truth, actor.pid)
                    bad = [f"{len(found)} rows"] if len(found) != 1 else [
                        line for pid, fds in holders
                        for line in differences({**truth, "fds": fds}, found[0], pid, 2)]
                    tap.check(not bad, f"{what} ({engine})", bad)
        finally:
            os.close(fd)
            near.close()
            far.close()


def test_views(tap):
    with acting(make.duplicated, "memoir views") as actor:
        held = [row for row in of_pid(actor.pid, "--by-process") if row["pid"] == actor.pid]
        one = [row for row in held if row["object"] == actor.truth["object"]]
        tap.check(len(one) == 1 and one[0]["references"] == 2 and
                  one[0]["fds"] == actor.truth["fds"] and one[0]["unique_bytes"] == 64 * PAGE,
                  "by process: one row for two references", one)
        tags = buffers("--by-tag", "name:memoir views")["rows"]
        tap.check(len(tags) == 1 and tags[0]["buffers"] == 1 and tags[0]["own_bytes"] == 64 * PAGE,
                  "by tag", tags)
        ps = [row for row in memoir.rows("ps", "--buffers", "--json", f"pid:{actor.pid}",
                                         codes=(0, 3)) if row["pid"] == actor.pid]
        tap.check(ps and ps[0]["buffer_references"] == sum(row["references"] for row in held) and
                  ps[0]["buffer_extra_bytes"] >= 64 * PAGE and
                  ps[0]["footprint_bytes"] >= 64 * PAGE, "ps --buffers has the sums", ps)
        text = memoir.run("buffers", f"object:{actor.truth['object']}")[1].decode()
        tap.check("memoir views" in text and f"{actor.pid} " in text and "fd " in text,
                  "a table shows who holds it, and how", [text])


def test_snapshot(tap):
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory, \
            acting(make.mapped_in_part_and_twice, HOSTILE) as actor, \
            acting(make.in_flight, "saved") as other:
        path = Path(directory) / "saved.db"
        code, _, err = memoir.run("capture", "-o", path)
        if code not in (0, 3):
            raise memoir.Failed(f"capture: {code} {err[-300:]}")
        found = find(of_pid(actor.pid, "--from", path), actor.truth, actor.pid)
        bad = differences(actor.truth, found[0], actor.pid) if len(found) == 1 else [found]
        tap.check(not bad, "from a saved snapshot", bad)
        sockets = [row for row in of_pid(other.pid, "--from", path) if row["files_in_flight"]]
        tap.check(len(sockets) == 1 and sockets[0]["files_in_flight"] == 2,
                  "files in flight, from a saved snapshot", sockets)


def swap_in_use():
    """Then text may not tell what of each buffer is in RAM, and so not what hides either."""
    with open("/proc/meminfo", encoding="ascii") as file:
        swap = {line.split(":")[0]: line.split()[1] for line in file if line.startswith("Swap")}
    return swap["SwapTotal"] != swap["SwapFree"]


def hidden_bytes(engine):
    """0 where it is not known."""
    return sum(row["own_bytes"] for row in buffers("kind:in-flight", "--engine", engine)["rows"]
               if row["object"] is None and row["own_bytes"] is not None)


def test_hidden(tap):
    """What is in flight or in a ring is in no process's list, but in what is hidden."""
    for what, maker in (("in flight", make.in_flight),
                        ("in flight to a listener", make.in_flight_to_listener),
                        ("registered with a ring", make.ring_with_file),
                        ("what is open", make.seen)):
        for engine in "tables", "text":
            try:
                bad = hidden_difference(maker, engine)
            except mkmem.Skip as why:
                tap.skip(f"{what} ({engine})", why)
                continue
            tap.check(not bad, f"{what} is {'no ' * (maker is make.seen)}hidden memory ({engine})",
                      bad)


def wait_until_gone(hidden, engine):
    """The kernel ends a ring a while after its last user: its files would count as there before the next."""
    until = time.monotonic() + GONE_S
    while hidden_bytes(engine) > hidden + HIDDEN_SLACK and time.monotonic() < until:
        time.sleep(0.1)


def hidden_difference(maker, engine):
    bad = []
    for _ in range(TRIES):
        before = hidden_bytes(engine)
        with acting(maker, "hidden") as actor:
            more = hidden_bytes(engine) - before
            rows = of_pid(actor.pid, "--engine", engine)
            fds = actor.fds_by_pid("socket") if "socket" in actor.truth else None
        wait_until_gone(before, engine)
        bad = [] if abs(more - actor.truth["hidden_bytes"]) <= HIDDEN_SLACK or \
            (engine == "text" and not more and swap_in_use()) else \
            [f"{more} more are hidden, not {actor.truth['hidden_bytes']}"]
        if any(row["tag"] == "hidden" for row in rows):
            bad.append("a process holds it all the same")
        sockets = [(row["kind"], row["files_in_flight"],
                    {h["pid"]: h["fds"] for h in row["holders"]})
                   for row in rows if row["files_in_flight"]]
        if fds and sockets != [("in-flight", actor.truth["files"], fds)]:
            bad.append(f"sockets are {sockets}")
        if not bad:
            break
    return bad


def test_nobody(tap):
    """A segment that no process has attached."""
    segment, _ = make.sysv(16, False, False)
    try:
        for engine in ENGINES:
            rows = [row for row in buffers("kind:sysv", "--engine", engine)["rows"]
                    if not row["holders"] and row["object"].split("#")[0].endswith(f":{segment}")]
            tap.check(len(rows) == 1 and rows[0]["size_bytes"] == 16 * PAGE and
                      rows[0]["resident_bytes"] == 4 * PAGE,
                      f"a segment that no process has attached ({engine})", rows)
    finally:
        make.libc.shmctl(segment, make.IPC_RMID, None)


def shmem_bytes():
    freed.read()  # sums up the counters of CPUs
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("Shmem:"))


def whatif(pids):
    code, out, err = memoir.run("whatif", "kill", "--json", "pid:" + ",".join(map(str, pids)))
    if code not in (0, 3):
        raise memoir.Failed(f"whatif: {code} {err[-300:]}")
    return memoir.decode(out)["freed_bytes"]


def kill_one(maker, arguments, other):
    """(predicted, came back, Shmem fell by) of killing who holds a buffer that, if there is one, `other` makes
    another process hold too; None came back where the machine is too loud to tell."""
    actor = make.Actor(maker, *arguments)
    also = [make.Actor(other, actor.pid, actor.truth["fds"][0])] if other else []
    try:
        predicted = whatif([actor.pid])
        drift, before = wait_for_quiet(), shmem_bytes()
        came_back, fell = freed.change(actor.kill).ram(), before - shmem_bytes()
        loud = max(abs(drift), abs(freed.change().ram())) > 2 * MIB
        return predicted, None if loud else came_back - drift, fell
    finally:
        for one in [actor, *also]:
            one.kill()


def check_killing(tap, what, maker, arguments, other, *, expected, shmem_falls):
    """What-if and what really comes back of killing the first holder are what is expected, in bytes."""
    tried, slack = [], 4 * MIB  # the process's own memory
    for _ in range(2 * TRIES):
        predicted, came_back, fell = kill_one(maker, arguments, other)
        tried.append(f"predicted {predicted}, came back {came_back}, Shmem fell by {fell}")
        good = came_back is not None and abs(predicted - expected) <= slack and \
            abs(fell - shmem_falls) <= slack and abs(came_back - predicted) <= slack
        if good:
            break
    tap.check(good, f"what-if of killing {what} is what comes back", tried)


def test_whatif(tap):
    """Killing the only holder frees a buffer that nobody maps; of one of two it frees nothing."""
    pages = 16384
    for what, other, expected in ("the only holder", None, pages * PAGE), ("one of two",
                                                                           make.opened_again, 0):
        check_killing(tap, f"{what} of a buffer", make.fd_of, ("whatif", pages), other,
                      expected=expected, shmem_falls=expected)


def test_many(tap):
    """10,000 fds and 2,000 buffers, and the same by text."""
    with acting(make.many, "many", 2000, 5) as actor:
        seen = {engine: of_pid(actor.pid, "--engine", engine) for engine in ENGINES}
    for engine, rows in seen.items():
        mine = [row for row in rows if (row["tag"] or "").startswith("many-")]
        fds = sum(len(row["holders"][0]["fds"]) for row in mine)
        tap.check(len(mine) == 2000 and fds == 10000, f"2,000 buffers with 10,000 fds ({engine})",
                  [f"{len(mine)} buffers, {fds} fds"])
    first, *others = [{row["object"]: row for row in rows} for rows in seen.values()]
    bad = [[row, other.get(key)] for other in others for key, row in first.items()
           if other.get(key) != row]
    tap.check(not bad, "and the same rows by all engines", bad[:2])


def test_busy(tap):
    """A process that opens and closes all the time: every row is one that can be."""
    with acting(make.opens_and_closes, "busy") as actor:
        for engine in ENGINES:
            bad = []
            for _ in range(4):
                rows = of_pid(actor.truth["busy"], "--engine", engine)
                for row in rows:
                    if row["tag"] == "busy" and (row["size_bytes"] not in (0, None, 4 * PAGE) or
                                                 len(row["holders"]) != 1 or
                                                 (row["resident_bytes"] or 0) > 4 * PAGE):
                        bad.append(row)
            tap.check(not bad, f"fds that come and go ({engine})", bad[:3])
        os.kill(actor.truth["busy"], 9)


def sum_differences(row):
    """By both conventions what the holders have adds up to the buffer, but for bytes that are cut."""
    holders, count = row["holders"], len(row["holders"])
    if not holders or row["object"] is None or row["own_bytes"] is None:
        return []
    by_holders = sum(h["share_bytes"] for h in holders)
    by_mappers = sum(h["mapped_share_bytes"] + h["extra_bytes"] for h in holders)
    mapped = sum(h["mapped_share_bytes"] for h in holders)
    bad = []
    if not 0 <= row["own_bytes"] - by_holders < count:
        bad.append(f"shares are {by_holders} of {row['own_bytes']}")
    if not -PAGE <= max(row["own_bytes"], mapped) - by_mappers <= PAGE + count:
        bad.append(f"mapped and extra are {by_mappers} of {row['own_bytes']}")
    return [f"{row['object']}: {line}" for line in bad]


def test_sums(tap):
    """Of the whole machine, and of buffers that three processes hold in three ways."""
    with acting(make.mapped_in_part_and_twice, "sums") as actor, \
            acting(make.maps_again, actor.pid, actor.truth["fds"][0], 24), \
            acting(make.opened_again, actor.pid, actor.truth["fds"][0]):
        for engine in ENGINES:
            bad = []
            for _ in range(TRIES):
                rows = buffers("--engine", engine)["rows"]
                bad = [line for row in rows for line in sum_differences(row)]
                if not bad:
                    break
            tap.check(not bad, f"what holders have adds up to each buffer ({engine})", bad[:5])
            mine = find(rows, actor.truth, actor.pid)
            tap.check(len(mine) == 1 and len(mine[0]["holders"]) == 3 and
                      sorted(h["rss_bytes"] // PAGE for h in mine[0]["holders"]) == [0, 24, 64] and
                      {h["extra_bytes"] for h in mine[0]["holders"]} == {16 * PAGE // 3},
                      f"three ways to hold one buffer ({engine})", mine)
        ps = {row["pid"]: row for row in memoir.rows("ps", "--json", codes=(0, 3))}
        held = {row["pid"]: row["extra_bytes"] for row in mine_by_process(actor)}
        bad = [f"pid {pid}: footprint {ps[pid]['footprint_bytes']}, pss {ps[pid]['pss_bytes']}, "
               f"extra {extra}" for pid, extra in held.items()
               if abs(ps[pid]["footprint_bytes"] - ps[pid]["pss_bytes"] - extra) > PAGE]
        tap.check(not bad and len(held) == 3, "a footprint is pss and what is extra", bad)


def test_copies(tap):
    """Private copies of a buffer's pages are nobody's share of it, whoever else maps the pages."""
    with acting(make.copied_in_part, "copies") as actor, \
            acting(make.maps_again, actor.pid, actor.truth["fds"][0], 40) as other:
        # Of 40 pages the one maps 24, the other all.
        want = {actor.pid: [24, 12], other.pid: [40, 28]}
        for engine in ENGINES:
            row = find(of_pid(actor.pid, "--engine", engine), actor.truth, actor.pid)[0]
            found = {h["pid"]: [h["rss_bytes"] / PAGE, h["mapped_share_bytes"] / PAGE]
                     for h in row["holders"]}
            tap.check(found == want and sum(h["extra_bytes"] for h in row["holders"]) == 0,
                      f"copies are no share of the buffer ({engine})", [found, want])


def mine_by_process(actor):
    return buffers("--by-process", f"object:{actor.truth['object']}")["rows"]


def test_totals(tap):
    code, out, err = memoir.run("buffers", "--json")
    answer = memoir.decode(out)
    tap.check(code in (0, 3) and answer["totals"]["own_bytes"] > 0,
              "totals are there", [code, err, answer["totals"]])


TESTS = {
    "alone": test_alone, "shared": test_shared, "views": test_views, "snapshot": test_snapshot,
    "hidden": test_hidden, "nobody": test_nobody, "whatif": test_whatif, "many": test_many,
    "busy": test_busy, "sums": test_sums, "copies": test_copies, "totals": test_totals,
}


def main():
    tap = Tap()
    if os.geteuid():
        tap.skip("shared buffers", "needs root: it looks at what others have open")
        return tap.done()
    return scenes.run(tap, TESTS)


if __name__ == "__main__":
    sys.exit(main())
