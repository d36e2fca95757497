#!/usr/bin/env python3
"""memoir trim with targets that end, when it is killed itself, and without the rights it needs: nothing stays
stopped, and what is said is what the manual has. It ends only what it started.
"""
import contextlib
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time

import memoir
import mkmem
import trimming
import zram
from tap import Tap

KILLS = 50  # of each of four kinds
GUARD_KILLS = 8
SEED = 6
NOBODY = 65534
RUN_ON_S = 10  # on a very busy machine; usually some milliseconds
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
SAID = ("there is no process", "ended", "interrupted", "no process matches")


def start(target, *options):
    return subprocess.Popen([memoir.program(), "trim", target.selector(), *options, "--json"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def runs_on(target, traced=False):
    """Whether it is neither stopped nor traced, within a moment."""
    until = time.monotonic() + RUN_ON_S
    while time.monotonic() < until:
        state = target.state()
        if state and state[0] not in "TtD" and bool(state[1]) == traced:
            return True
        time.sleep(0.005)
    return False


def is_thawed(path):
    until = time.monotonic() + RUN_ON_S
    while time.monotonic() < until:
        with open(f"{path}/cgroup.events", encoding="ascii") as file:
            if "frozen 0" in file.read():
                return True
        time.sleep(0.005)
    return False


def test_killed_targets(tap, options):
    chance, bad = random.Random(SEED), []
    for _ in range(KILLS):
        with trimming.target("plain") as target:
            run = start(target, *options)
            time.sleep(chance.random() * 0.06)
            os.kill(target.pid, signal.SIGKILL)
            try:
                out, err = run.communicate(timeout=trimming.WAIT_S)
            except subprocess.TimeoutExpired:
                run.kill()
                out, err = run.communicate()
                bad.append("memoir hangs")
            if run.returncode not in (0, 1, 3) or \
                    (run.returncode and not any(words in out + err for words in SAID)):
                bad.append(f"{run.returncode} {err} {out[-500:]}")
            elif out:
                json.loads(out)
    tap.check(not bad, f"{KILLS} targets killed {' '.join(options)}: memoir says so, and ends",
              bad[:5])


def test_killed_memoir(tap, what, target, options, thawed=lambda: True, number=signal.SIGKILL,
                       traced=False):
    chance, bad, during = random.Random(SEED + 1), [], 0
    for _ in range(KILLS):
        run = start(target, *options)
        time.sleep(0.005 + chance.random() * 0.05)
        run.send_signal(number)
        out, err = run.communicate(timeout=trimming.WAIT_S)
        during += run.returncode != 0
        if not runs_on(target, traced) or not thawed():
            bad.append(f"it does not run on: {target.state()}")
            os.kill(target.pid, signal.SIGCONT)
        if number == signal.SIGINT and (run.returncode not in (0, -signal.SIGINT, 3) or
                                        (run.returncode == 3 and "interrupted" not in out)):
            bad.append(f"{run.returncode} {err} {out[-300:]}")
    tap.check(not bad and during, f"memoir {what} {KILLS} times: the target runs on",
              bad[:5] + [f"{during} were not done yet"])


def test_stopped(tap):
    with trimming.target("plain") as target:
        mkmem.stop([target.pid])
        row = trimming.trim(target.selector(), "--freeze")[0]["rows"][0]
        # Whose tracer leaves wakes up to stop again.
        stopped = mkmem.comes_true(lambda: target.state() == ("T", 0), RUN_ON_S)
        time.sleep(0.05)
        tap.check(row["hold"] == "ptrace" and row["moved_bytes"] and stopped and target.state()[0] == "T",
                  "a stopped target stays stopped", [str(row), str(target.state())])


def test_parent_sees_nothing(tap):
    """The target is our child: a stop would be told to us."""
    with trimming.target("plain") as target:
        row = trimming.trim(target.selector(), "--freeze")[0]["rows"][0]
        seen = os.waitid(os.P_PID, target.pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
        tap.check(row["moved_bytes"] and seen is None, "its parent sees nothing of a hold by ptrace",
                  [str(row), str(seen)])


PTRACE_SEIZE, PTRACE_CONT, PTRACE_LISTEN = 0x4206, 7, 0x4208
WALL = 0x40000000


def be_tracer(pid, ready):
    """Traces a process, and hands it every signal, as strace does."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_SEIZE, pid, None, None):
        os._exit(1)
    os.write(ready, b"r")
    while True:
        _, status = os.waitpid(pid, WALL)
        if not os.WIFSTOPPED(status):
            os._exit(0)
        event, number = status >> 16, os.WSTOPSIG(status)
        if event and number != signal.SIGTRAP:  # a group stop
            libc.ptrace(PTRACE_LISTEN, pid, None, None)
        else:
            libc.ptrace(PTRACE_CONT, pid, None, None if event else number)


def test_traced(tap):
    with trimming.target("busy") as target:
        ours, theirs = os.pipe()
        tracer = os.fork()
        if tracer == 0:
            be_tracer(target.pid, theirs)
        os.read(ours, 1)
        try:
            row = trimming.trim(target.selector(), "--freeze")[0]["rows"][0]
            tap.check(row["hold"] == "sigstop" and row["hinted_bytes"] and
                      runs_on(target, traced=True),
                      "who is traced already is held by SIGSTOP, and runs on", [str(row), str(target.state())])
            test_killed_memoir(tap, "killed while it holds by SIGSTOP", target, ("--freeze",),
                               traced=True)
            test_killed_guard(tap, "SIGSTOP", target, traced=True)
        finally:
            os.kill(tracer, signal.SIGKILL)
            os.waitpid(tracer, 0)
            os.close(ours)
            os.close(theirs)


# ---- the guard process ----


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return {int(word) for word in file.read().split()}
    except (FileNotFoundError, ProcessLookupError):
        return set()


def kill_guard(run):
    """Its pid, if there was one before the end of the run."""
    while run.poll() is None:
        for pid in children(run.pid):
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                try:
                    if pid in children(run.pid):  # no other process has its number by now
                        signal.pidfd_send_signal(fd, signal.SIGKILL)
                        return pid
                finally:
                    os.close(fd)
    return None


def has_noticed(run, target, guard):
    """It holds by ptrace, or has another guard, or has ended: what was held with that guard is let go."""
    while run.poll() is None:
        state = target.state()
        if (state and state[1] == run.pid) or children(run.pid) - {guard}:
            return


def test_killed_guard(tap, how, target, thawed=lambda: True, traced=False):
    """The guard alone; then the guard, and memoir as soon as nothing depends on that guard."""
    chance, bad, told, in_turn = random.Random(SEED + 2), [], 0, 0
    for i in range(12 * GUARD_KILLS):
        # A guard that was just about to end is not missed: until one was.
        if i >= 2 * GUARD_KILLS and told and in_turn:
            break
        run = start(target, "--freeze", "--rate", "128M")
        guard = kill_guard(run)
        if i % 2:
            has_noticed(run, target, guard)
            time.sleep(chance.random() * 0.01)
            in_turn += run.poll() is None
            run.kill()
        out, err = run.communicate(timeout=trimming.WAIT_S)
        if not runs_on(target, traced) or not thawed():
            bad.append(f"it does not run on: {target.state()}")
            os.kill(target.pid, signal.SIGCONT)
        if i % 2 == 0:
            answer = json.loads(out) if run.returncode == 0 else None
            row = answer["rows"][0] if answer else {}
            note = any("guard process" in note for note in answer["notes"]) if answer else None
            told += note or 0
            if not answer or not row["hinted_bytes"] or row["guard_ended"] != note:
                bad.append(f"{run.returncode} {err} {out[-400:]}")
    tap.check(not bad and told and in_turn,
              f"the guard killed again and again while it holds by {how}: memoir lets go, says so and "
              "ends with 0; and is killed itself then: the target runs on",
              bad[:5] + [f"told {told}, in turn {in_turn}"])


# ---- the freezer ----


def mount_cgroup2():
    """Cgroups of version 2 over those of version 1, seen only by this process and what it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        return False
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return True
    return libc.mount(b"memoir", b"/sys/fs/cgroup", b"cgroup2", 0, None) == 0


def test_freezer(tap):
    path = f"/sys/fs/cgroup/memoir-{os.getpid()}"
    if not mount_cgroup2():
        tap.skip("the freezer of cgroups", "cgroups of version 2 can't be mounted here")
        return
    os.mkdir(path)
    try:
        with trimming.target("busy") as target:
            with open(f"{path}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(target.pid))
            row = trimming.trim(target.selector(), "--freeze")[0]["rows"][0]
            tap.check(row["hold"] == "cgroup" and row["hinted_bytes"] and is_thawed(path),
                      "a cgroup of targets only is frozen, and thawed", [str(row)])
            test_killed_memoir(tap, "killed while a cgroup is frozen", target, ("--freeze",),
                               lambda: is_thawed(path))
            test_killed_guard(tap, "its cgroup", target, lambda: is_thawed(path))
            with trimming.target("plain") as other:
                with open(f"{path}/cgroup.procs", "w", encoding="ascii") as file:
                    file.write(str(other.pid))
                row = trimming.trim(target.selector(), "--freeze")[0]["rows"][0]
                tap.check(row["hold"] == "ptrace", "a cgroup that others are in is not frozen", [str(row)])
    finally:
        until = time.monotonic() + RUN_ON_S
        while time.monotonic() < until:
            try:
                os.rmdir(path)
                break
            except OSError:
                time.sleep(0.02)


# ---- rights ----


# The files of other users' processes are theirs to read.
PAGEMAP = ("sys_nice", "sys_ptrace", "dac_read_search")


def as_nobody(*capabilities):
    plus = ",".join("+" + name for name in capabilities)
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            *((f"--inh-caps={plus}", f"--ambient-caps={plus}") if plus else ()))


def test_refused(tap, what, target, prefix, words, codes=(1,)):
    answer, _, errors = trimming.trim(target.selector(), codes=codes, prefix=prefix)
    text = errors + json.dumps(answer)
    hinted = sum(row["hinted_bytes"] or 0 for row in answer["rows"]) if answer else 0
    tap.check(all(word in text for word in words) and not hinted, what, [text[-600:]])


def test_rights(tap):
    with trimming.target("plain", as_nobody()) as own, trimming.target("plain") as roots:
        test_refused(tap, "one's own process without CAP_SYS_NICE: it says so", own, as_nobody(),
                     ("CAP_SYS_NICE",))
        test_refused(tap, "another's process without rights: it says so", roots,
                     as_nobody("sys_nice"), ("could not be read",))
        row = trimming.trim(own.selector(), prefix=as_nobody("sys_nice"), codes=(0, 3))[0]["rows"][0]
        tap.check(row["planned_bytes"] == row["moved_bytes"] == 16 << 20 and row["cookie"] is False,
                  "one's own process with CAP_SYS_NICE alone", [str(row)])
        own.checksum()
        row = trimming.trim(own.selector(), "--freeze", prefix=as_nobody("sys_nice"),
                            codes=(0, 3))[0]["rows"][0]
        tap.check(row["moved_bytes"] == 16 << 20 and row["hold"] == "ptrace",
                  "and held still", [str(row)])
        row = trimming.trim(roots.selector(), "--max", "8M", prefix=as_nobody("sys_nice", "sys_ptrace"),
                            codes=(0, 3))[0]["rows"][0]
        tap.check(row["hinted_bytes"] == 0, "a part of another's can't be found without pagemap", [str(row)])
        row = trimming.trim(roots.selector(), prefix=as_nobody("sys_nice", "sys_ptrace"),
                            codes=(0, 3))[0]["rows"][0]
        tap.check(row["hinted_bytes"] == 16 << 20 and row["moved_bytes"] is None,
                  "another's with CAP_SYS_PTRACE besides; what moved is not known", [str(row)])
        roots.checksum()
        row = trimming.trim(roots.selector(), prefix=as_nobody(*PAGEMAP),
                            codes=(0, 3))[0]["rows"][0]
        tap.check(row["moved_bytes"] == 16 << 20, "and it is, with CAP_DAC_READ_SEARCH", [str(row)])
    with trimming.target("file") as foreign:
        row = trimming.trim(foreign.selector(), prefix=as_nobody("sys_nice", "sys_ptrace"),
                            codes=(0, 3))[0]["rows"][0]
        tap.check(row["planned_bytes"] == 0 and trimming.skipped(row, "file") == 16 << 20,
                  "a foreign file is left out, and it is said", [str(row)])
        row = trimming.trim(foreign.selector(), prefix=as_nobody(*PAGEMAP, "fowner"),
                            codes=(0, 3))[0]["rows"][0]
        tap.check(row["moved_bytes"] == 16 << 20, "CAP_FOWNER helps", [str(row)])


def test_user_namespace(tap):
    with trimming.target("plain", (*as_nobody(), "unshare", "--user", "--map-root-user")) as target:
        test_refused(tap, "root of a user namespace: it says so", target,
                     ("nsenter", "--user", f"--target={target.pid}"),
                     ("CAP_SYS_NICE", "initial user namespace"))


def test_nobody_there(tap):
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    for what, pid in (("a zombie", zombie.pid), ("a kernel thread", 2), ("no process", 2 ** 22 - 1)):
        answer, code, errors = trimming.trim(pid, codes=(1,))
        tap.check("there is no process" in errors, f"{what}: it is said", [errors])
    zombie.wait()
    done = subprocess.run([trimming.build() / "tests/live/reuse"], capture_output=True, text=True,
                          timeout=trimming.WAIT_S, check=False)
    tap.check(done.returncode == 0 and "calls 0 ended 1" in done.stdout,
              "a number that is used again: nothing is hinted", [done.stdout, done.stderr])


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("hints", "needs root: CAP_SYS_NICE, and users to be")
        return tap.done()
    try:
        with zram.swap():
            test_nobody_there(tap)
            test_rights(tap)
            test_user_namespace(tap)
            test_stopped(tap)
            test_parent_sees_nothing(tap)
            test_traced(tap)
            test_killed_targets(tap, ())
            test_killed_targets(tap, ("--freeze",))
            with trimming.target("busy") as target:
                test_killed_memoir(tap, "killed while it holds by ptrace", target, ("--freeze",))
                test_killed_memoir(tap, "interrupted", target, (), number=signal.SIGINT)
            test_freezer(tap)
    except zram.Unavailable as why:
        tap.skip("hints", str(why))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
