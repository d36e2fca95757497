#!/usr/bin/env python3
"""Who holds what, by each way of finding out, against what mkheld made; and the ways against each
other on the whole machine. It must leave nothing behind.

    test_holders.py [ENGINE...]
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mkmem
import zram
from tap import Tap

ENGINES = ["tables", "scan", "text", "tables-text", "smaps"]
BY_BPF = ["tables", "scan"]
TIMEOUT_S = 120
ATTEMPTS = 10
EXIT_SKIP = 77
NOBODY = 65534
CASES_MIN = 12


def helper(name):
    build = os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build")
    return str(Path(build) / "tests/helpers" / name)


class Seen:
    """What lsheld says of one capture."""

    def __init__(self, *arguments, program=None, **options):
        done = subprocess.run([program or helper("lsheld"), *map(str, arguments)],
                              capture_output=True, timeout=TIMEOUT_S, check=False, **options)
        if done.returncode == EXIT_SKIP:
            raise mkmem.Skip(done.stderr.decode(errors="replace").strip())
        if done.returncode:
            raise mkmem.Broken(f"lsheld: {done.returncode} {done.stderr[-500:]!r}")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.known = lines.pop()["known"]
        self.processes = {line["process"]: line for line in lines if "process" in line}
        self.objects = [line for line in lines if "process" not in line]
        self.row_of = {pid: row for row, line in self.processes.items()
                       for pid in [row, *line["peers"]]}

    def find(self, truth):
        """By kind as well: a System V segment's id may be another one's inode."""
        return [o for o in self.objects if o["dev"] == truth["dev"] and
                o["inode"] == truth["inode"] and o["kind"] == truth["kind"]]

    def holders(self):
        """{(pid, fd)} of all objects."""
        return {(pid, fd) for o in self.objects for pid, fd in o["holders"]}


@contextlib.contextmanager
def held():
    """Runs mkheld; yields its truths."""
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory, \
            subprocess.Popen([helper("mkheld"), directory], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE) as process:
        truths = []
        for line in process.stdout:
            if line == b"READY\n":
                break
            truths.append(json.loads(line))
        else:
            raise mkmem.Broken("mkheld did not come up")
        try:
            yield truths
        finally:
            process.stdin.close()
            process.wait(TIMEOUT_S)


def has_cachestat():
    """Linux 6.5; without it what of shmem is in RAM is not known while swap is in use."""
    return tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) >= (6, 5)


def size_differences(truth, found, engine):
    """Of memory of known state the kernel may have swapped some meanwhile, but not much."""
    resident, swapped = found["resident_bytes"], found["swapped_bytes"]
    if resident is None or swapped is None:
        told = engine in BY_BPF or (truth["kind"] != "file" and has_cachestat())
        return ["it is not known what of it is in RAM"] if told else []
    total = truth["resident_bytes"] + truth["swapped_bytes"]
    if resident + swapped == total and abs(resident - truth["resident_bytes"]) <= total / 4:
        return []
    return [f"{resident} resident, {swapped} swapped, not {truth['resident_bytes']}, "
            f"{truth['swapped_bytes']}"]


def case_differences(truth, seen, engine):
    found = seen.find(truth)
    if len(found) != 1:
        return [f"{len(found)} objects are {truth['kind']} {truth['dev']} {truth['inode']}"]
    bad = size_differences(truth, found[0], engine)
    if found[0]["fate"] != truth["fate"]:
        bad.append(f"fate is {found[0]['fate']}, not {truth['fate']}")
    if found[0]["size_bytes"] not in (truth["size_bytes"], None):
        bad.append(f"size_bytes is {found[0]['size_bytes']}, not {truth['size_bytes']}")
    holders = sorted([seen.row_of.get(pid), fd] for pid, fd in truth["holders"])
    if sorted(found[0]["holders"]) != holders:
        bad.append(f"holders are {found[0]['holders']}, not {holders}")
    return bad


def test_cases(tap, truths, engine):
    try:
        seen = Seen(engine)
    except mkmem.Skip as why:
        tap.skip(f"what mkheld made, by {engine}", why)
        return
    cases = [truth for truth in truths if "skip" not in truth]
    tap.check(len(cases) >= CASES_MIN, f"there are {CASES_MIN} cases ({engine})",
              [f"{truth['case']}: {truth['skip']}" for truth in truths if "skip" in truth])
    for truth in cases:
        if truth["only"] == "bpf" and engine not in BY_BPF:
            continue
        tap.check(not (bad := case_differences(truth, seen, engine)),
                  f"{truth['case']} by {engine}", bad)
    tap.check(not any(o["own"] for o in seen.objects), f"memoir's own fds are left out ({engine})")
    threads = {pid: line["threads"] for pid, line in seen.processes.items()}
    several = [truth["pid"] for truth in cases if truth["case"] == "thread"]
    if engine in ("text", "smaps"):
        tap.check([threads.get(pid) for pid in several] == [2], f"threads are counted ({engine})",
                  [several, threads])


def test_partial(tap, truths, engine):
    """Captured for one process: another one that holds what it holds is there, nothing else. Of what
    only fds have, the other's may be listed before."""
    for name, asked in ("inherited", min), ("handed-on", max):
        truth = next(t for t in truths if t["case"] == name)
        pids = [pid for pid, _ in truth["holders"]]
        try:
            seen = Seen(engine, asked(pids))
        except mkmem.Skip as why:
            tap.skip(f"{name}, captured for one process by {engine}", why)
            continue
        bad = case_differences(truth, seen, engine)
        tap.check(not bad, f"{name}, captured for one process, has all holders ({engine})", bad)
        line = seen.processes.get(sum(pids) - asked(pids))
        tap.check(line and not line["in_scope"],
                  f"{name}: one that was not asked for is out of scope ({engine})", [line])
        others = [t for t in truths if t["case"] == "duplicated"]
        tap.check(not any(seen.find(t) or t["pid"] in dict(seen.holders()) for t in others),
                  f"{name}: what others hold is not there ({engine})", others)


def test_holder_only(tap, truths, engine):
    """A process that maps nothing of it holds an object that the process asked for has."""
    truth = next(t for t in truths if t["case"] == "mapped")
    fd = os.open(f"/proc/{truth['pid']}/map_files/{mapping_of(truth)}", os.O_RDWR)
    try:
        found = Seen(engine, truth["pid"]).find(truth)
    except mkmem.Skip as why:
        tap.skip(f"held by a process that was not asked for ({engine})", why)
        return
    finally:
        os.close(fd)
    tap.check(found and found[0]["holders"] == [[os.getpid(), fd]],
              f"held by a process that was not asked for ({engine})", found)


def mapping_of(truth):
    with open(f"/proc/{truth['pid']}/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            words = line.split()
            if words[4] == str(truth["inode"]):
                return words[0]
    raise mkmem.Broken(f"{truth['case']} is not mapped")


def test_agree(tap, engines):
    """The whole machine moves: what each of the captures before and after has, the other has too."""
    bad = []
    try:
        for _ in range(ATTEMPTS):
            before, other, after = Seen(engines[0]), Seen(engines[1]), Seen(engines[0])
            steady = before.holders() & after.holders()
            bad = sorted(steady - other.holders()) + \
                sorted(other.holders() - before.holders() - after.holders())
            if not bad and steady:
                break
    except mkmem.Skip as why:
        tap.skip(f"{' and '.join(engines)} agree", why)
        return
    tap.check(not bad and steady, f"{' and '.join(engines)} agree on the whole machine",
              [f"{len(steady)} holders stood still", *bad[:10]])


def test_unprivileged(tap):
    """Who may not look at others does not know what they hold, and says so."""
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(helper("lsheld"), directory)
        seen = Seen("auto", program=program, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
    tap.check(not seen.known and seen.processes, "nobody does not know all holders",
              [seen.known, len(seen.processes)])


def main():
    engines, tap = sys.argv[1:] or ENGINES, Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("who holds what", "needs root: it looks at what others have open")
        return tap.done()
    with zram.swap_if_any(), held() as truths:
        for engine in engines:
            test_cases(tap, truths, engine)
            test_partial(tap, truths, engine)
            test_holder_only(tap, truths, engine)
        for other in engines[1:]:
            test_agree(tap, [engines[0], other])
        test_unprivileged(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
