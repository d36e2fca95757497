"""Processes that do with their memory what a test tells them, by mkactors; all of them end with the
block that started them, and no other process is ever ended."""
import contextlib
import os
import select
import signal
import subprocess
from pathlib import Path

END_TIMEOUT_S = 30
PAGE = 4096
MIB_PAGES = (1 << 20) // PAGE


class Refused(Exception):
    """An actor could not do what it was told; the text says what and why."""


def program():
    build = os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build")
    return str(Path(build) / "tests/helpers/mkactors")


class Actors:
    """pids[slot] is the process in a slot, also when it has been killed."""

    def __init__(self):
        self.process = subprocess.Popen([program()], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.pids = {0: self._answer("the first actor")}

    def _answer(self, what):
        word, _, rest = self.process.stdout.readline().strip().partition(" ")
        if word != "ok":
            raise Refused(f"{what}: {rest or 'mkactors has died'}")
        return int(rest)

    def do(self, slot, verb, *arguments):
        """One order; returns when it is done."""
        line = " ".join(map(str, (slot, verb, *arguments)))
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer(line)

    def multiply(self, slot, new, verb="fork"):
        self.pids[new] = self.do(slot, verb, new)

    def kill(self, slots):
        """Returns when the memory of all of them is gone."""
        fds = [os.pidfd_open(self.pids[slot]) for slot in slots]
        try:
            for fd in fds:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            for fd in fds:
                if not select.select([fd], [], [], END_TIMEOUT_S)[0]:
                    raise Refused("a process that was killed does not end")
        finally:
            for fd in fds:
                os.close(fd)

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def acting():
    actors = Actors()
    try:
        yield actors
    finally:
        actors.end()
