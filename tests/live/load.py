"""A machine full of processes of many kinds, for the tests that look at all of them; it must end
every process it starts."""
import contextlib
import subprocess
import sys

import mkmem

SCENARIOS = (
    "family", "generations", "memfd-shared", "memfd-private", "file-private", "file-shared", "sysv",
    "shared-anon", "thp-fork", "thp-parts", "thread-stacks", "leader-exited", "clone-vm", "vfork",
    "swap-shared", "swap-shmem", "swap-thp", "hugetlb")
PROGRAMS = 36
ZYGOTES = 2
FORKS = 15
UP_TIMEOUT_S = 60

# Dies with the test, also when the test is killed while this is stopped.
PROGRAM = """
import ctypes, os, signal, sys
die = lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL)
die()
import json, sqlite3, ssl, decimal, hashlib, lzma, unicodedata
number, forks = map(int, sys.argv[1:])
own = [bytes([i % 251]) * 4000 for i in range(100 * number)]
for fork in range(forks):
    if not os.fork():
        die()
        own = [part[:] + b"x" for part in own[fork * 10:fork * 30]]
        break
os.write(1, b"u")
while True: signal.pause()
"""


class Program:
    """A python3 program, with as many forked children as it is told."""

    def __init__(self, number, forks):
        self.processes = forks + 1
        self.process = subprocess.Popen([sys.executable, "-B", "-c", PROGRAM, str(number),
                                         str(forks)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE)

    def wait_ready(self):
        """All of its processes say one letter."""
        said = b""
        while len(said) < self.processes:
            more = self.process.stdout.read1(100)
            if not more:
                raise mkmem.Broken("a python3 program of the load has died")
            said += more

    def pids(self):
        return [self.process.pid] + mkmem.descendants(self.process.pid)

    def end(self):
        """Its children die with it."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def stopped():
    """(pids, reasons of what could not be had); all of them stand still."""
    with contextlib.ExitStack() as stack:
        pids, skipped = [], []
        programs = [Program(i % 9, FORKS if i < ZYGOTES else 0) for i in range(PROGRAMS)]
        for program in programs:
            stack.callback(program.end)
        for name in SCENARIOS:
            try:
                run = stack.enter_context(mkmem.running(name, stopped=False))
                pids += [run.process.pid] + run.pids
            except mkmem.Skip as why:
                skipped.append(f"{name}: {why}")
        for program in programs:
            program.wait_ready()
            pids += program.pids()
        mkmem.stop(pids)
        yield pids, skipped
