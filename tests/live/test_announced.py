#!/usr/bin/env python3
"""Buffers that programs announce, as memoir shows them: by libmemoir-name and by a writer that knows only the
document; of whom what is believed. It must leave no process behind."""
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import memoir
import mkmem
from tap import Tap

HERE = Path(__file__).parent
ENGINES = ("auto", "scan", "text", "smaps")
NOBODY = 65534
MIB = 1 << 20
UNKNOWN = ("resident_bytes", "own_bytes", "swap_bytes")


class Announcer:
    """A process that makes the calls it is told to."""

    def __init__(self, process):
        self.process = process
        self.own_pid, self.pid = json.loads(process.stdout.readline())

    def __call__(self, *call):
        self.process.stdin.write(json.dumps(call).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def script(name, *arguments, before=(), **options):
    command = [*before, sys.executable, "-B", HERE / name, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options) as process:
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(timeout=60)


@contextlib.contextmanager
def announcer(*arguments, **options):
    with script("announcer.py", *arguments, **options) as process:
        yield Announcer(process)


def buffers(*arguments):
    return memoir.rows("buffers", *arguments, "--json", codes=(0, 3))


def announced(pid, *arguments):
    """[[number, tag, size, [[pid, references]]]] of what a process announces, by number."""
    rows = [(int(row["object"].split(":")[3]), row) for row in buffers("kind:announced", *arguments)]
    return sorted([number & MIB - 1, row["tag"], row["size_bytes"],
                   sorted([h["pid"], h["references"]] for h in row["holders"])]
                  for number, row in rows if number >> 20 == pid)


def check_rows(tap, *arguments):
    """What one announces another sees; nothing of it is taken for RAM."""
    with announcer() as one, announcer() as other:
        first, second = one("init", 64 * MIB, "camera: preview"), one("init", 1, None)
        for pid in (0, 0, other.pid):
            one("install", first, pid)
        expected = [[first, "camera: preview", 64 * MIB, sorted([[one.pid, 2], [other.pid, 1]])],
                    [second, None, 1, []]]
        for engine in ENGINES:
            got = announced(one.pid, f"--engine={engine}")
            tap.check(got == expected, f"what is announced is listed ({engine})", [got, expected])
        row = buffers(f"pid:{other.pid}", "kind:announced", "name:camera*")[0]
        holder = row["holders"][0]
        tap.check(row["exporter"].startswith("python") and
                  all(row[key] is None for key in UNKNOWN) and not holder["fds"] + holder["ranges"] and
                  all(value is None for key, value in holder.items() if key.endswith("_bytes")),
                  "who announces is said, and what of it is in RAM is not known", [row])
        with tempfile.TemporaryDirectory() as temp:
            path = Path(temp) / "snapshot"
            memoir.run("capture", "-o", path)
            tap.check(announced(one.pid, f"--from={path}") == expected, "a saved snapshot has it")
            with contextlib.closing(sqlite3.connect(path)) as db:
                found = db.execute("SELECT pid, announced, fds FROM buffers WHERE kind = 'announced' "
                                   "AND tag = 'camera: preview' ORDER BY announced DESC").fetchall()
            tap.check(found == [(one.pid, 2, 0), (other.pid, 1, 0)], "so have its views", [found])
        one("uninstall", first, 0)
        one("uninstall", first, other.pid)
        one("remove", second)
        got = announced(one.pid)
        tap.check(got == [[first, "camera: preview", 64 * MIB, [[one.pid, 1]]]],
                  "what was dropped and removed is not", [got])
        pid = one.pid
    tap.check(announced(pid) == [], "with the process it is gone")


def check_figures(tap):
    """A claim costs nobody anything: only the table itself may have grown."""
    figures = ("rss_bytes", "footprint_bytes", "freed_if_killed_bytes", "buffer_share_bytes",
               "buffer_extra_bytes", "buffer_unique_bytes")
    with announcer() as one:
        one("remove", one("init", 1, None))
        before, = memoir.rows("ps", "--buffers", one.pid, "--json", codes=(0, 3))
        number = one("init", 1 << 40, "a claim")
        one("install", number, 0)
        after, = memoir.rows("ps", "--buffers", one.pid, "--json", codes=(0, 3))
        # Others come and go, and share more or less with it.
        bad = [(key, before[key], after[key]) for key in figures
               if (before[key] is None) != (after[key] is None) or (after[key] or 0) > 1 << 30]
        tap.check(not bad, "a claim is in no figure of its process", bad)
        tap.check(after["buffers"] == before["buffers"] + 1 and
                  after["buffer_references"] == before["buffer_references"] + 1,
                  "but it is counted among its buffers", [before, after])
        totals = memoir.decode(memoir.run("buffers", f"pid:{one.pid}", "--json")[1])["totals"]
        tap.check(totals["size_bytes"] < 1 << 40, "nor is it in a total", [totals])


def check_forks(tap):
    with announcer() as one:
        first = one("init", MIB, "parent's")
        one("install", first, 0)
        silent, said = one("fork", ["install", first, 0])
        speaking, numbers = one("fork", ["init", 2 * MIB, "child's"], ["install", first + 1, 0])
        parents = [[first, "parent's", MIB, [[one.pid, 1]]]]
        got = [announced(pid) for pid in (one.pid, silent, speaking)]
        tap.check(got == [parents, [], [[numbers[0], "child's", 2 * MIB, [[speaking, 1]]]]],
                  "children of fork announce what they say themselves", [got, said, numbers])


def check_lies(tap):
    """A user speaks for himself; root for all; who calls others by other numbers for nobody else."""
    with announcer("--uid", NOBODY) as user, announcer("--uid", NOBODY) as same, announcer() as root:
        number = user("init", MIB, "a user's")
        for pid in (0, same.pid, root.pid, os.getpid(), 1, (1 << 22) - 1):
            user("install", number, pid)
        got = announced(user.pid)
        tap.check(got == [[number, "a user's", MIB, sorted([[user.pid, 1], [same.pid, 1]])]],
                  "a user is believed about his own processes only", [got])
        number = root("init", MIB, "root's")
        for pid in (0, same.pid, root.pid, (1 << 22) - 1):
            root("install", number, pid)
        got = announced(root.pid)
        tap.check(got == [[number, "root's", MIB, sorted([[root.pid, 2], [same.pid, 1]])]],
                  "root is believed about all", [got])
        with announcer("--new-pids") as inside:
            number = inside("init", MIB, "inside")
            for pid in (0, user.pid, os.getpid()):
                inside("install", number, pid)
            got = announced(inside.pid)
            tap.check(inside.own_pid == 1 and got == [[number, "inside", MIB, [[inside.pid, 1]]]],
                      "who is in another pid namespace is believed about itself", [inside.own_pid, got])


def tags_of(*names):
    """Of memfds, by the names they were made with."""
    return [row["tag"] for name in names for row in buffers("kind:memfd", f"path:/memfd:{name}*")]


def check_tags(tap):
    marks = [f"announced-{os.getpid()}-{number}" for number in range(3)]
    with announcer() as one:
        fd = one("memfd", marks[0], MIB)
        one("tag", fd, "frames")
        one("fork")
        for engine in ENGINES:
            got = buffers(f"--engine={engine}", "kind:memfd", "name:frames", f"path:/memfd:{marks[0]}*")
            tap.check(len(got) == 1, f"a buffer is called what its process calls it ({engine})", got)
        one("tag", fd, None)
        # The child still has the tag, and the file.
        tap.check(tags_of(marks[0]) == ["frames"], "a child of fork inherits tags", tags_of(marks[0]))
    shared = os.memfd_create(marks[1], 0)
    os.truncate(shared, MIB)
    try:
        with announcer("--uid", NOBODY, pass_fds=(shared,)) as user:
            user("tag", shared, "a user's")
            got = tags_of(marks[1])
            tap.check(got == [marks[1]], "who shares it with another user can't rename it", got)
            fd = user("memfd", marks[2], MIB)
            user("tag", fd, "his own")
            got = tags_of(marks[2])
            tap.check(got == ["his own"], "what is only his he calls what he likes", got)
            lent = os.open(f"/proc/{user.pid}/fd/{fd}", os.O_RDWR)
            with announcer(pass_fds=(lent,)):
                os.close(lent)
                got = tags_of(marks[2])
                tap.check(got == [marks[2]], "until somebody else has it, too", got)
            with announcer(pass_fds=(shared,)) as root:
                root("tag", shared, "root's")
                got = tags_of(marks[1])
                tap.check(got == ["root's"], "but root can", got)
    finally:
        os.close(shared)


def check_document(tap):
    with script("announce_writer.py") as process:
        truth = json.loads(process.stdout.readline())
        got = announced(truth["pid"])
        tap.check(got == truth["buffers"], "the document is enough to announce, and nothing else is believed",
                  [got, truth])
        rows = buffers(f"pid:{truth['pid']}", "kind:memfd", "name:by the document")
        tap.check(len(rows) == 1 and rows[0]["holders"][0]["fds"] == [truth["fd"]],
                  "it is enough to tag a file", rows)


def check_run(tap):
    """Under memoir run, and with its preload library, which has the same table."""
    for way in ((), ("--auto",)):
        env = {**os.environ, "MEMOIR_NAMES": "table"}
        if way and not (Path(os.environ["MEMOIR_BUILD"]) / "src/libmemoir-auto.so").exists():
            continue
        with announcer(before=(memoir.program(), "run", *way, "--"), env=env) as one:
            number = one("init", MIB, "run")
            one("install", number, 0)
            got = announced(one.pid)
            tap.check(got == [[number, "run", MIB, [[one.pid, 1]]]],
                      " ".join(("under memoir run", *way)) + " it is the same", [got])


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    if os.geteuid():
        tap.skip("announced buffers", "needs root: processes of several users")
        return tap.done()
    for check in (check_rows, check_figures, check_forks, check_lies, check_tags, check_document, check_run):
        try:
            check(tap)
        except (mkmem.Broken, memoir.Failed, OSError, ValueError, LookupError,
                subprocess.SubprocessError) as error:
            tap.check(False, f"{check.__name__} can be done", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
