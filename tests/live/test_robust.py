#!/usr/bin/env python3
"""Processes that move, vanish or lie about their names: memoir answers all the same. It must not
accept output that is no JSON, nor an exit code that the contract does not have."""
import contextlib
import ctypes
import mmap
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import memoir
import mkmem
import truth
from tap import Tap

ROUNDS = 50
KILLS = 12
NO_PID = 4194304  # PID_MAX_LIMIT: the kernel never gives it out
NOBODY = 65534
MAP_FIXED = 0x10
KTHREADD = 2
GONE = re.compile(r"gone|vanish|exited|no such|no process|not exist|does not|zombie", re.IGNORECASE)


def answer_differences(code, out, err, pid=None):
    """What is wrong with an answer about things that move; pid: it may be gone."""
    if pid and code == 1:
        good = GONE.search(err) and str(pid) in err
        return [] if good else [f"map {pid}: exit code 1 without saying that it is gone: {err!r}"]
    if code not in (0, 3):
        return [f"exit code {code}: {err.strip()[-300:]}"]
    try:
        decoded = memoir.decode(out)
    except memoir.Failed as error:
        return [str(error)]
    return [f"exit code {code}, partial {decoded['partial']}"] \
        if (code == 3) != bool(decoded["partial"]) else []


def asked(*arguments, pid=None):
    try:
        return answer_differences(*memoir.run(*arguments), pid=pid)
    except (memoir.Failed, subprocess.TimeoutExpired) as error:
        return [str(error)]


def test_movers(tap, mover):
    """50 looks at the machine, and at the mover, while it moves."""
    bad = []
    try:
        with mkmem.running(mover, stopped=False) as run:
            for _ in range(ROUNDS):
                bad += asked("ps", "--json")
                below = mkmem.descendants(run.process.pid)
                pid = random.choice(below or [run.process.pid])
                bad += asked("map", pid, "--json", pid=pid)
            if run.process.poll() is not None:
                bad.append("the mover has died, so this was no test")
    except (mkmem.Skip, mkmem.Broken) as error:
        bad.append(str(error))
    tap.check(not bad, f"{ROUNDS} times ps and map beside {mover}", bad[:8])


def _map_killed(delay_s):
    """map of a process with 60,000 VMAs that is killed meanwhile."""
    with mkmem.running("many-vmas", stopped=False) as run:
        pid = run.pids[0]
        asking = subprocess.Popen([memoir.program(), "map", str(pid), "--json"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(delay_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        out, err = asking.communicate(timeout=memoir.TIMEOUT_S)
        return answer_differences(asking.returncode, out, err.decode(errors="replace"), pid=pid)


def test_killed(tap):
    bad = []
    for number in range(KILLS):
        try:
            bad += _map_killed(0.4 * number / KILLS)
        except (mkmem.Skip, mkmem.Broken, subprocess.TimeoutExpired) as error:
            bad.append(str(error))
    tap.check(not bad, "map of a process that is killed meanwhile", bad[:8])


REUSE_AT = 0x610000000000
REUSE_FORKERS = 3
REUSE_LOOKS = 8
PAGE = 4096


def _bytes_of(pid):
    return (pid % 1024 + 1) * PAGE


def _map_own(libc):
    """A mapping whose size tells whose it is."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED
    libc.mmap(ctypes.c_void_p(REUSE_AT), ctypes.c_size_t(_bytes_of(os.getpid())),
              mmap.PROT_READ, flags, -1, ctypes.c_size_t(0))


def _fork_on(libc):
    """One short life after the other, each in the address space's place in memory of the last."""
    _map_own(libc)
    while True:
        pid = os.fork()
        if not pid:
            _map_own(libc)
            time.sleep(0.001)
            os._exit(0)
        os.waitpid(pid, 0)


def _has_mapping(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        return any(line.startswith(f"{REUSE_AT:x}-") for line in file)


@contextlib.contextmanager
def _short_lives():
    """Their parents' pids."""
    libc, forkers = ctypes.CDLL(None), []
    try:
        for _ in range(REUSE_FORKERS):
            pid = os.fork()
            if not pid:
                _fork_on(libc)
            forkers.append(pid)
        if not mkmem.comes_true(lambda: all(_has_mapping(pid) for pid in forkers)):
            raise mkmem.Broken("those that fork have not begun")
        yield forkers
    finally:
        for pid in forkers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _sizes(path):
    """pid → bytes of the mapping at REUSE_AT."""
    with contextlib.closing(sqlite3.connect(path)) as store:
        return dict(store.execute(
            'SELECT p.pid, r."end" - r.start FROM regions r JOIN processes p ON p.id = r.process '
            "WHERE r.start = ?", (REUSE_AT,)))


def test_reuse(tap):
    """Address spaces of processes that end between the listing and the walk, and are taken by others."""
    bad, lasting = [], 0
    with _short_lives() as forkers, tempfile.TemporaryDirectory() as where:
        for look in range(REUSE_LOOKS):
            path = os.path.join(where, f"{look}.db")
            memoir.run("capture", "-o", path)
            sizes = _sizes(path)
            inherited = {_bytes_of(pid) for pid in forkers}  # until they map their own
            bad += [f"{pid} has {got} bytes, not {_bytes_of(pid)}" for pid, got in sizes.items()
                    if got != _bytes_of(pid) and got not in inherited]
            lasting += sum(pid in sizes for pid in forkers)
    tap.check(lasting == REUSE_LOOKS * REUSE_FORKERS, "processes beside those that end are all seen",
              [f"{lasting} times, not {REUSE_LOOKS * REUSE_FORKERS}"])
    tap.check(not bad, "nobody has mappings of one that came after it", bad[:8])


def test_names(tap):
    """Names of any bytes come back from JSON; a terminal never gets them raw."""
    with mkmem.running("odd-comm") as run:
        rows = memoir.rows("ps", "--json", "pid:" + ",".join(map(str, run.pids)), codes=(0, 3))
        code, table, _ = memoir.run("ps", "pid:" + ",".join(map(str, run.pids)))
        bad = [text for line in run.truths for row in rows if row["pid"] == line["pid"]
               for text in truth.process_differences(line, row)]
        lines = [line for line in table.split(b"\n")
                 if any(str(pid).encode() in line for pid in run.pids)]
    tap.check(len(rows) == len(run.pids) and not bad, "odd names round-trip in JSON", bad)
    tap.check(code in (0, 3) and b"\x1b" not in table and len(lines) == len(run.pids),
              "odd names are escaped in tables", [table])
    tap.check(not asked("names", "--json"), "names answers", asked("names", "--json"))


def test_peers(tap, scenario):
    """Processes that share their memory are one row."""
    with mkmem.running(scenario) as run:
        found = [row for row in memoir.rows("ps", "--json", codes=(0, 3))
                 if memoir.peers(row) & set(run.pids)]
        good = len(found) == 1 and memoir.peers(found[0]) == set(run.pids)
        tap.check(good, f"{scenario}: one row with peers",
                  [f"pids {run.pids}", *((row["pid"], row.get("peers")) for row in found)])


def check_exit(tap, want, pattern, *arguments):
    """Exit code, nothing on standard output, and a sentence that says what was wrong."""
    try:
        code, out, err = memoir.run(*arguments)
        good = code == want and not out.strip() and re.search(pattern, err, re.IGNORECASE)
        about = [f"exit code {code}, output {out[:80]!r}, error {err.strip()[:300]!r}"]
    except (memoir.Failed, subprocess.TimeoutExpired) as error:
        good, about = False, [error]
    tap.check(bool(good), f"`{' '.join(map(str, arguments))}` is exit code {want}", about)


def test_errors(tap):
    with subprocess.Popen(["true"]) as short:
        short.wait()
    check_exit(tap, 1, rf"\b{KTHREADD}\b.*kernel thread|kernel thread.*\b{KTHREADD}\b", "map",
               KTHREADD, "--json")
    check_exit(tap, 1, str(NO_PID), "map", NO_PID, "--json")
    check_exit(tap, 1, str(short.pid), "map", short.pid, "--json")
    check_exit(tap, 2, "frobnicate", "frobnicate")
    check_exit(tap, 2, "nonsense", "ps", "-o", "nonsense")
    check_exit(tap, 2, "nonsense", "ps", "nonsense:1")
    check_exit(tap, 2, "nonsense", "ps", "--nonsense")
    check_exit(tap, 2, ".", "map")
    rows = memoir.rows("ps", "--json", codes=(0, 3))
    kernel = {row["pid"] for row in rows} & {KTHREADD, *mkmem.descendants(KTHREADD)}
    tap.check(bool(rows) and not kernel, "kernel threads have no rows in ps", kernel)


def test_unprivileged(tap):
    """Without privileges part of the machine cannot be read, and that is said."""
    what = "nobody's ps is partial: exit code 3, with notes"
    if os.geteuid():
        tap.skip(what, "needs root to become nobody")
        return
    with tempfile.TemporaryDirectory(prefix="memoir-live-") as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(memoir.program(), directory)
        done = subprocess.run([program, "ps", "--json"], user=NOBODY, group=NOBODY,
                              extra_groups=[], cwd="/", capture_output=True, check=False,
                              timeout=memoir.TIMEOUT_S)
    try:
        decoded = memoir.decode(done.stdout)
        good = done.returncode == 3 and decoded["partial"] and decoded["notes"]
        about = decoded["notes"][:5]
    except memoir.Failed as error:
        good, about = False, [error, done.stderr.decode(errors="replace")[-300:]]
    tap.check(bool(good), what, [f"exit code {done.returncode}", *about])


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    tests = [test_errors, test_names, test_unprivileged, test_killed, test_reuse]
    tests += [lambda tap, name=name: test_peers(tap, name) for name in ("clone-vm", "vfork")]
    tests += [lambda tap, name=name: test_movers(tap, name)
              for name, what in mkmem.scenarios().items() if mkmem.is_mover(what)]
    for test in tests:
        try:
            test(tap)
        except (mkmem.Skip, mkmem.Broken, memoir.Failed, subprocess.TimeoutExpired,
                OSError) as error:
            tap.check(False, getattr(test, "__name__", "a test"),
                      [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
