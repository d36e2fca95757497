#!/usr/bin/env python3
"""memoir who of memory of known state, against a search of every process's pagemap; it must not ask
memoir what is true.

    test_who.py [--engine NAME] [SCENARIO...]
"""
import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile

import memoir
import mkmem
import pages
import zram
from tap import Tap

# In these, memory is shared or merged in each way there is; "+" those that need swap.
SCENARIOS = ("plain", "zero-page", "prot-none", "mremap", "leader-exited", "fork", "fork-written",
             "generations", "fork-mremap", "fork-unmap", "fork-grown", "family", "ksm", "thp-fork",
             "thp-fork-whole", "huge-zero", "thp-shmem", "memfd-shared", "memfd-private",
             "memfd-twice", "shared-anon", "file-private", "file-shared", "sysv", "hugetlb",
             "swap", "swap-fork", "swap-shared", "swap-copies", "swap-thp", "swap-shmem")
PAGES_A_RANGE = 3
RANGES_A_SCENARIO = 6
SHOWN = 8
NO_PID = 4194304
KTHREADD = 2
NOBODY = 65534
ATTEMPTS = 4
MOVER_ROUNDS = 20


def chosen(start, end):
    """Addresses of a range: its ends, and some between that are no round numbers."""
    count = (end - start) // pages.BYTES
    return sorted({start + index * pages.BYTES for index in
                   {0, count - 1, *(count * n // PAGES_A_RANGE for n in range(PAGES_A_RANGE))}})


def ask(target, engine):
    code, out, err = memoir.run("who", target, "--json", *engine)
    if code not in (0, 3):
        raise memoir.Failed(f"who {target}: exit code {code}: {err.strip()}")
    return memoir.decode(out)


def rows_of(answer):
    return {(row["pid"], int(row["start"], 16), int(row["end"], 16), int(row["address"], 16))
            for row in answer["rows"]}


def how_of(word, region, sharers, flags):
    """How a region comes to map a page, from what pagemap and kpageflags say."""
    if flags & pages.KPF_ZERO:
        return "zero page"
    if flags & pages.KPF_KSM:
        return "ksm"
    if word & pages.PRESENT and not flags & pages.KPF_ANON:
        return "shared mapping" if region.perms[3] == "s" else "private file page"
    return "fork family" if sharers > 1 else "own memory"


def state_of(word, sharers, flags):
    if flags & pages.KPF_ZERO:
        return "zero page"
    if word & pages.PRESENT:
        return "shared" if sharers > 1 else "exclusive"
    return "swapped" if pages.is_swapped(word) else "not present"


def ancestor_differences(target, answer, members):
    """The common ancestor is a member if one is above all others."""
    above = [pid for pid in members
             if all(other == pid or other in mkmem.descendants(pid) for other in members)]
    if answer["state"] not in ("shared", "swapped") or len(members) < 2 or not above:
        return []
    return [] if answer["ancestor_pid"] == above[0] else \
        [f"{target}: ancestor {answer['ancestor_pid']}, not {above[0]}"]


def search_differences(target, answer, engine, word, flags):
    """Where the reverse map tells, or maps do of files, not all page tables are searched: a search
    would hide that they told something wrong."""
    if engine and not (engine == ["--engine=text"] and word & pages.FILE):
        return []
    return [] if answer["searched"] == bool(flags & pages.KPF_KSM) else \
        [f"{target}: searched: {answer['searched']}"]


def differences(target, answer, engine, word, region, mappers):
    """What an answer about a present or swapped page says otherwise than the search."""
    flags = pages.flags_of(word)
    if not pages.is_mergeable(region):
        flags &= ~pages.KPF_KSM
    bad = []
    if flags & pages.KPF_ZERO:
        mappers = {mapper for mapper in rows_of(answer) if mapper[1] == region.start}
    if rows_of(answer) != mappers:
        bad.append(f"{target}: rows {sorted(rows_of(answer))}, pagemap {sorted(mappers)}")
    if answer["state"] != state_of(word, len(mappers), flags):
        bad.append(f"{target}: state {answer['state']}, pagemap {word:x}, flags {flags:x}")
    if word & pages.PRESENT and answer["frame"] != pages.frame(word):
        bad.append(f"{target}: frame {answer['frame']}, not {pages.frame(word)}")
    if answer["mappings"] is not None and answer["mappings"] != len(mappers):
        bad.append(f"{target}: {answer['mappings']} mappings, pagemap {len(mappers)}")
    hows = {row["how"] for row in answer["rows"] if row["pid"] == region.pid}
    if hows and how_of(word, region, len(mappers), flags) not in hows:
        bad.append(f"{target}: {hows}, not {how_of(word, region, len(mappers), flags)}")
    if flags & pages.KPF_ANON and not flags & pages.KPF_KSM:
        bad += ancestor_differences(target, answer, {mapper[0] for mapper in mappers})
    bad += search_differences(target, answer, engine, word, flags)
    if answer["partial"]:
        bad.append(f"{target}: partial: {answer['notes']}")
    return bad


def absent_differences(target, answer, region, address):
    """An absent page: the region itself is among the rows, and no frame is made up."""
    bad = []
    mine = [row for row in answer["rows"] if row["pid"] == region.pid and
            int(row["address"], 16) == address]
    if not mine or mine[0]["how"] not in ("own memory", "page cache"):
        bad.append(f"{target}: {mine}")
    if answer["state"] == "not present" and answer["frame"] is not None:
        bad.append(f"{target}: not present, in frame {answer['frame']}")
    if not region.path and answer["state"] != "not present":
        bad.append(f"{target}: state {answer['state']}, and there is nothing")
    return bad


def page_differences(region, address, engine, everywhere):
    """Asks about one page, and about its frame."""
    target = f"{region.pid}:{address:x}"
    word = pages.word_at(region, address)
    answer = ask(target, engine)
    if not word & pages.PRESENT and not pages.is_swapped(word):
        return absent_differences(target, answer, region, address)
    mappers = everywhere.mappers_of(word)
    bad = differences(target, answer, engine, word, region, mappers)
    if word & pages.PRESENT and not pages.flags_of(word) & pages.KPF_ZERO:
        by_frame = ask(f"pfn:{pages.frame(word)}", engine)
        if rows_of(by_frame) != mappers:
            bad.append(f"pfn:{pages.frame(word)}: rows {sorted(rows_of(by_frame))}, "
                       f"pagemap {sorted(mappers)}")
    return bad


def scenario_differences(run, engine):
    """(what is wrong, how many pages were asked about)."""
    asked = []
    for line in run.truths[:RANGES_A_SCENARIO]:
        for region in pages.regions(line["pid"]):
            low = max(region.start, int(line["start"], 16))
            high = min(region.end, int(line["end"], 16))
            if low < high:
                asked += [(region, address) for address in chosen(low, high)]
    everywhere = pages.Everywhere(pages.word_at(*page) for page in asked)
    return [text for region, address in asked
            for text in page_differences(region, address, engine, everywhere)], len(asked)


def test_scenario(tap, name, engine):
    what = f"who of {name} is who pagemap says" + (f" ({engine[0][2:]})" if engine else "")
    bad, count = [], 0
    try:
        with mkmem.running(name) as run:
            # khugepaged, compaction and KSM move pages meanwhile; what is right once stays right.
            for _ in range(ATTEMPTS):
                bad, count = scenario_differences(run, engine)
                if not bad:
                    break
    except mkmem.Skip as why:
        tap.skip(what, why)
        return
    except (mkmem.Broken, memoir.Failed, OSError) as error:
        bad = [f"{type(error).__name__}: {error}"]
    tap.check(not bad and count, what, [f"{count} pages"] + bad[:SHOWN])


# ---- paths, objects, snapshots ------------------------------------------------------------------

def regions_with(path):
    """(pid, start, end) of all regions with this path, by maps."""
    return {(region.pid, region.start, region.end) for pid in pages.pids()
            for region in pages.regions(pid) if region.path == path}


def spans(rows):
    return {(row["pid"], int(row["start"], 16), int(row["end"], 16)) for row in rows}


def test_objects(tap):
    """A path and its object's id find the same regions as maps, with figures."""
    with mkmem.running("memfd-shared") as run:
        region = next(region for line in run.truths for region in pages.regions(line["pid"])
                      if region.start == int(line["start"], 16))
        path = region.path.decode()
        want = regions_with(region.path)
        rows = ask(path, [])["rows"]
        tap.check(spans(rows) == want, "who PATH finds the regions that maps has",
                  [f"{spans(rows)}, maps {want}"])
        plain = ask(path.removesuffix(" (deleted)"), [])["rows"]
        tap.check(spans(plain) == want, "who PATH needs no (deleted)", [spans(plain)])
        mapped = [row for row in memoir.rows("map", region.pid, "--json", codes=(0, 3))
                  if int(row["start"], 16) == region.start]
        found = [row for row in rows if int(row["start"], 16) == region.start and
                 row["pid"] == region.pid]
        tap.check(found and found[0]["pss_bytes"] == mapped[0]["pss_bytes"] and
                  found[0]["how"] == "shared mapping", "with the figures of map", [found, mapped])
        by_id = ask("object:" + mapped[0]["object"], [])["rows"]
        tap.check(spans(by_id) == want, "who object:ID finds the same", [spans(by_id)])


def test_saved(tap):
    """A snapshot knows the region, its family and sets, and says that it knows no page."""
    with mkmem.running("fork-written") as run, tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, "snapshot")
        memoir.run("capture", "-o", file)
        line = run.truths[0]
        answer = ask(f"{line['pid']}:{line['start']}", [f"--from={file}"])
        pids = {row["pid"] for row in answer["rows"]}
        tap.check(pids == {line["pid"] for line in run.truths}, "a saved family is found",
                  [answer["rows"]])
        tap.check(answer["state"] is None and answer["frame"] is None and answer["notes"],
                  "a snapshot's page has no state, and a note says so", [answer["notes"]])
        shared = [entry for entry in answer.get("sets", []) if entry["members"] == 2]
        want = line["shared_bytes"]
        tap.check([entry["ram_bytes"] for entry in shared] == [want],
                  "the family's sharing set has its size", [answer.get("sets"), want])
        code, _, err = memoir.run("who", "pfn:1", f"--from={file}")
        tap.check(code == 2 and "snapshot" in err, "a snapshot has no frames", [code, err])


def check_exit(tap, want, text, *arguments):
    code, out, err = memoir.run("who", *arguments)
    tap.check(code == want and text in err and not out.strip(),
              f"`who {' '.join(arguments)}` is exit code {want}", [code, out[:80], err])


def test_errors(tap):
    with subprocess.Popen(["true"]) as short:
        short.wait()
    check_exit(tap, 1, f"no process {NO_PID}", f"{NO_PID}:1000")
    check_exit(tap, 1, f"no process {short.pid}", f"{short.pid}:1000")
    check_exit(tap, 1, "kernel thread", f"{KTHREADD}:1000")
    check_exit(tap, 1, f"pid {os.getpid()} has nothing mapped at 1000; `memoir map {os.getpid()}`",
               f"{os.getpid()}:1000")
    check_exit(tap, 1, "beyond", "pfn:0xfffffffffffff")
    check_exit(tap, 2, "families are numbered anew", "object:family:1")
    check_exit(tap, 2, "PID:ADDR")
    check_exit(tap, 2, "PID:ADDR", "nonsense")
    check_exit(tap, 2, "no address", "1:xyz")
    check_exit(tap, 2, "no frame number", "pfn:-1")
    check_exit(tap, 2, "one thing", "pfn:1", "pfn:2")
    answer = ask("/nobody/maps/this", [])
    tap.check(not answer["rows"] and any("/nobody/maps/this" in note for note in answer["notes"]),
              "a path that nobody maps has no rows, and a note", [answer["notes"]])


def test_unprivileged(tap):
    """Without privileges frames are hidden, and that is said."""
    what = "nobody is told that frames are hidden, and what would help"
    if os.geteuid():
        tap.skip(what, "needs root to become nobody")
        return
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(memoir.program(), directory)
        done = subprocess.run([program, "who", f"{os.getpid()}:1000"], user=NOBODY, group=NOBODY,
                              extra_groups=[], cwd="/", capture_output=True, check=False,
                              timeout=memoir.TIMEOUT_S)
    tap.check(done.returncode == 1 and b"CAP_SYS_ADMIN" in done.stderr, what,
              [done.returncode, done.stderr])


def mover_differences(pid):
    """One question to a process that moves or is gone: an answer, or a sentence with its pid."""
    places = [region for region in pages.regions(pid) if not region.path]
    address = random.choice(places).start if places else 0x1000
    code, out, err = memoir.run("who", f"{pid}:{address:x}", "--json")
    if code == 1:
        return [] if str(pid) in err else [f"{pid}:{address:x}: {err.strip()}"]
    answer = memoir.decode(out)
    good = code == (3 if answer["partial"] else 0) and answer["rows"]
    return [] if good else [f"{pid}:{address:x}: exit code {code}, {answer}"]


def test_movers(tap):
    for mover in ("fork-storm", "map-loop", "exec-loop"):
        bad = []
        with mkmem.running(mover, stopped=False) as run:
            for _ in range(MOVER_ROUNDS):
                pid = random.choice(mkmem.descendants(run.process.pid) or run.pids)
                bad += mover_differences(pid)
        tap.check(not bad, f"{MOVER_ROUNDS} times who beside {mover}", bad[:SHOWN])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", help="how memoir is to look")
    parser.add_argument("scenario", nargs="*")
    return parser.parse_args()


def main():
    arguments, tap = parse_arguments(), Tap()
    mkmem.exit_on_signals()
    engine = [f"--engine={arguments.engine}"] if arguments.engine else []
    if os.geteuid():
        tap.skip("who is who pagemap says", "needs root: frame numbers are hidden")
        return tap.done()
    names = arguments.scenario or SCENARIOS
    for name in names:
        if not name.startswith("swap"):
            test_scenario(tap, name, engine)
    with contextlib.ExitStack() as stack:
        if any(name.startswith("swap") for name in names):
            stack.enter_context(zram.swap_if_any())
        for name in names:
            if name.startswith("swap"):
                test_scenario(tap, name, engine)
    if not engine and not arguments.scenario:
        for test in (test_objects, test_saved, test_movers, test_errors, test_unprivileged):
            try:
                test(tap)
            except (mkmem.Broken, memoir.Failed, OSError, subprocess.TimeoutExpired) as error:
                tap.check(False, f"{test.__name__} ran", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
