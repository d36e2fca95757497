#!/usr/bin/env python3
"""memoir buffers --watch against a program that makes buffers, passes one on, maps, closes and ends: exactly these
events, in this order. It must not know how memoir looks.
"""
import mmap
import os
import signal
import socket
import subprocess
import sys

import memoir
import mkmem
import watching
from tap import Tap

NAME = f"bw-{os.getpid()}-"
MIB = 1 << 20
# Takes a file out of a socket, says so, and becomes another program, with the file open.
TAKER = """
import os, socket, sys
_, fds, _, _ = socket.recv_fds(socket.socket(fileno=int(sys.argv[1])), 1, 1)
os.set_inheritable(fds[0], True)
print("has it", flush=True)
sys.stdin.readline()
os.execvp("cat", ["cat"])
"""


class Watch(watching.Watch):
    """memoir buffers --watch --json of this test's buffers."""

    def __init__(self, *arguments):
        super().__init__("buffers", "--watch=0.1s", f"name:*{NAME}*", *arguments)

    def wait_event(self, event, tag, pid=None, times=1):
        """The last of so many such events."""
        return self.wait_for(lambda lines: [
            line for line in lines if (line.get("event"), line.get("tag")) == (event, tag) and
            pid in (None, line.get("pid"))][times - 1:])[0]


class Scene:
    """Does things, and says what is to be told of them."""

    def __init__(self, watch):
        self.watch = watch
        self.expected = []

    def expect(self, event, tag, pid=None):
        self.expected.append((event, tag, pid))

    def wait(self, event, tag, pid=None):
        self.expect(event, tag, pid)
        return self.watch.wait_event(event, tag, pid, self.expected.count((event, tag, pid)))

    def make(self, what):
        tag = NAME + what
        fd = os.memfd_create(tag)
        os.write(fd, b"x" * (MIB // 4))
        self.expect("created", tag)
        self.wait("held", tag, os.getpid())
        return tag, fd

    def marker(self, what):
        """Once it is seen, what was done before was seen, too."""
        return self.make("marker-" + what)[1]


def takes(fd):
    """A process that has got it."""
    near, far = socket.socketpair()
    with near, far:
        taker = subprocess.Popen([sys.executable, "-c", TAKER, str(far.fileno())],
                                 pass_fds=[far.fileno()], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        socket.send_fds(near, [b"x"], [fd])
        taker.stdout.readline()
    return taker


def pass_and_map(scene):
    """One buffer from its beginning to its end; the taker's pid, and what was said when it left."""
    me, (tag, fd) = os.getpid(), scene.make("passed")
    taker = takes(fd)
    try:
        scene.wait("held", tag, taker.pid)
        mapped = mmap.mmap(fd, 0)
        os.close(fd)
        first = scene.marker("mapped")
        # Another program, the same process, with the same file.
        taker.stdin.write(b"\n")
        taker.stdin.flush()
        mkmem.comes_true(lambda: open(f"/proc/{taker.pid}/comm", encoding="ascii").read() == "cat\n")
        second = scene.marker("exec")
    finally:
        taker.stdin.close()
        taker.wait()
        taker.stdout.close()
    left = scene.wait("left", tag, taker.pid)
    mapped.close()
    scene.expect("left", tag, me)
    scene.wait("freed", tag)
    return tag, left, (first, second)


def fly(scene):
    """Passed into a socket, and received after a while."""
    me, (tag, fd) = os.getpid(), scene.make("flying")
    near, far = socket.socketpair()
    with near, far:
        socket.send_fds(near, [b"x"], [fd])
        os.close(fd)
        scene.expect("left", tag, me)
        why = scene.watch.wait_event("unheld", tag)["why"]
        _, fds, _, _ = socket.recv_fds(far, 1, 1)
        scene.wait("held", tag, me)
        os.close(fds[0])
        scene.expect("left", tag, me)
        scene.wait("freed", tag)
    return why


def named_file(scene):
    """A file of tmpfs stays when it is closed."""
    me, tag = os.getpid(), f"/dev/shm/{NAME}file"
    with open(tag, "w+b") as file:
        try:
            file.write(b"x" * 5000)
            file.flush()
            scene.expect("opened", tag)
            scene.wait("held", tag, me)
            file.close()
            scene.expect("left", tag, me)
            return scene.wait("unheld", tag)["why"]
        finally:
            os.unlink(tag)


def told(lines):
    """Without what may be in flight: other programs' sockets decide on that."""
    return [(line["event"], line["tag"], line.get("pid")) for line in lines
            if line.get("event") not in (None, "peak") and line.get("why") != "in-flight"]


def test_events(tap, engine):
    with Watch("--engine", engine) as watch:
        scene = Scene(watch)
        tag, left, markers = pass_and_map(scene)
        tap.check(left["comm"] == "cat" and left["fds"] == 1,
                  f"a process that called exec is the same, under its new name ({engine})", [left])
        tap.check(fly(scene) == "in-flight", f"what is in flight is not called freed ({engine})")
        tap.check(named_file(scene) == "linked", f"a file with a name stays ({engine})")
        tap.check(told(watch.lines()) == scene.expected,
                  f"these events, in this order, and no others ({engine})",
                  [] if told(watch.lines()) == scene.expected else
                  ["told", *told(watch.lines()), "expected", *scene.expected])
        watch.process.send_signal(signal.SIGUSR1)
        watch.wait_event("peak", tag)
        for fd in markers:
            os.close(fd)
        code, lines = watch.end()
    check_peaks(tap, engine, code, lines, tag)


def check_peaks(tap, engine, code, lines, tag):
    peaks = [line for line in lines if line.get("event") == "peak" and line["tag"] == tag]
    tap.check(len(peaks) == 2 and all(
        (peak["peak_bytes"], peak["peak_buffers"], peak["buffers"], peak["kind"]) ==
        (MIB // 4, 1, 0, "memfd") for peak in peaks),
              f"peaks at SIGUSR1 and at the end ({engine})", peaks)
    first, last = lines[0], lines[-1]
    tap.check(code == 0 and last["schema"] == first["schema"] == "memoir.buffers-watch/1" and
              not last["partial"] and last["created"] == 4 and first["buffers"] == 0,
              f"a beginning and an end ({engine})", [code, first, last])
    ids = {(line["tag"], line["object"]) for line in lines if line.get("object")}
    tap.check(len(ids) == len({tag for tag, _ in ids}), f"ids stay ({engine})", ids)
    times = [line["time"] for line in lines if "time" in line]
    tap.check(times == sorted(times), f"in the order of time ({engine})")


def test_usage(tap):
    for words, code in ((("--watch", "--csv"), 2), (("--watch=0",), 2), (("--watch", "--by-tag"), 2),
                        (("--watch", "--from", "x"), 2), (("--watch", "999999999"), 1)):
        got, out, err = memoir.run("buffers", *words)
        tap.check(got == code and not out and err.startswith(("memoir: ", "memoir buffers: ")),
                  f"buffers {' '.join(words)}: {code} and a sentence", [got, out, err])


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("watching buffers", "needs root: it looks at what others have open")
        return tap.done()
    try:
        for engine in "auto", "text":
            test_events(tap, engine)
        test_usage(tap)
    except (memoir.Failed, OSError, subprocess.SubprocessError, LookupError) as error:
        tap.check(False, "buffers can be watched", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
