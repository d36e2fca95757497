"""Starts mkmem, stops and ends what it started; it must never leave a process behind, nor stop
or end any other."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

UP_TIMEOUT_S = 100
STOP_TIMEOUT_S = 60
END_TIMEOUT_S = 30
EXIT_SKIP = 77
STILL = "TtZXD"  # a vfork parent is in D, and does not run
WAITING_LOOKS = 12
LOOK_EVERY_S = 0.01


class Skip(Exception):
    """This machine cannot do it; the text says why."""


class Broken(Exception):
    """mkmem failed."""


def program():
    """$MKMEM, or where the build has it."""
    build = os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build")
    return os.environ.get("MKMEM", str(Path(build) / "tests/helpers/mkmem"))


def scenarios():
    """{name: description}, in mkmem's order."""
    text = subprocess.run([program(), "--list"], check=True, capture_output=True, text=True).stdout
    return dict(line.split("\t", 1) for line in text.splitlines())


def is_mover(description):
    return description.startswith("mover:")


def stat_of(pid, task=None):
    """(state, ppid, start ticks), or None when it is gone."""
    path = f"/proc/{pid}/task/{task}/stat" if task else f"/proc/{pid}/stat"
    try:
        with open(path, "rb") as file:
            words = file.read().rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return words[0].decode(), int(words[1]), int(words[19])


PF_KTHREAD = 0x200000


def everybody():
    """{pid: (start time, where its program was loaded, page faults and size)} of all processes but
    kernel threads. The last two tell of what it mapped meanwhile; of ourselves they tell nothing. Of a child that
    came and went in between only its parent's sum of children's faults tells, and before that a zombie: a parent that
    calls vfork has no faults by it."""
    found, own = {}, str(os.getpid())
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{name}/stat", "rb") as file:
                words = file.read().rpartition(b") ")[2].split()
            if not int(words[6]) & PF_KTHREAD:
                doings = None if name == own else (*words[7:11], words[20])
                found[name] = words[19], words[23], doings
    return found


def identities(everyone):
    """everybody() without what they did."""
    return {name: what[:2] for name, what in everyone.items()}


def descendants(root):
    """Pids of all below root, without root."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        stat = stat_of(name)
        if stat:
            children.setdefault(stat[1], []).append(int(name))
    found, queue = [], [root]
    while queue:
        queue += children.get(queue[0], [])
        found += children.get(queue.pop(0), [])
    return found


def _all_in(pid, states):
    """Whether each of its threads is in one of these; none of one that is gone is in another."""
    try:
        stats = [stat_of(pid, task) for task in os.listdir(f"/proc/{pid}/task")]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return all(stat is None or stat[0] in states for stat in stats)


def _still(pid):
    return _all_in(pid, STILL)


def comes_true(question, seconds=60):
    """What it is in the end. The time is for machines that are very busy; it is asked often."""
    until = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
    return answer


def wait_until_waiting(pid):
    """Returns when it has done what it began with, however long that takes here, and sleeps: all of its threads do,
    each time for a while."""
    until, looks = time.monotonic() + UP_TIMEOUT_S, 0
    while looks < WAITING_LOOKS:
        if time.monotonic() > until:
            raise Broken(f"process {pid} does not come to wait")
        time.sleep(LOOK_EVERY_S)
        looks = looks + 1 if _all_in(pid, "SZ") else 0


def stop(pids):
    """SIGSTOP, and wait until every thread stands still."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + STOP_TIMEOUT_S
    while not all(map(_still, pids)):
        if time.monotonic() > until:
            raise Broken(f"processes do not stop: {[p for p in pids if not _still(p)]}")
        time.sleep(0.002)


class Run:
    """One scenario: pids are its processes without mkmem itself, truths the lines it said."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.scratch = tempfile.TemporaryDirectory(prefix="memoir-live-")
        self.process = subprocess.Popen(
            [program(), scenario], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": self.scratch.name})
        self.truths = []
        self.pids = []

    def wait_ready(self):
        """Reads the truth. mkmem bounds its own time."""
        for line in self.process.stdout:
            if line == b"READY\n":
                self.pids = descendants(self.process.pid)
                return self
            if line.startswith(b"SKIP "):
                raise Skip(line[5:].decode().strip())
            self.truths.append(json.loads(line))
        raise Broken(self.process.stderr.read().decode(errors="replace").strip())

    def stop(self):
        """Stops all of it; mkmem itself too, it maps what its children map."""
        stop([self.process.pid] + self.pids)

    def end(self):
        """mkmem ends its children, and what cannot be undone otherwise it undoes itself."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            for pid in descendants(self.process.pid) + [self.process.pid]:
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        self.scratch.cleanup()


@contextlib.contextmanager
def running(scenario, stopped=True):
    """A scenario that is up, and stopped if so asked."""
    run = Run(scenario)
    try:
        run.wait_ready()
        if stopped:
            run.stop()
        yield run
    finally:
        run.end()


def exit_on_signals():
    """So that what is started is ended when the test runner loses patience."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
