#!/usr/bin/env python3
"""Tags that memoir tag gives to buffers of another process: seen wherever buffers are shown, only of the buffer that was
meant, and only by whom it may concern. It must leave no tag behind.

    test_tags.py [WORD-OF-A-TEST...]
"""
import contextlib
import csv
import ctypes
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import buffer_actors as make
import memoir
import mkmem
import scenes
from tap import Tap
from test_names import running

NOBODY = 65534
PAGE = make.PAGE
ROOTS = Path("/run/memoir/tags")
NEXT_ID = Path("/proc/sys/kernel/shm_next_id")
FANCY = 'cam/../é "q", 1'


def tag(*arguments, code=0):
    """Standard error; another exit code is a failure."""
    ended, out, err = memoir.run("tag", *arguments)
    if ended != code:
        raise memoir.Failed(f"tag {arguments}: exit code {ended}, not {code}: {out} {err}")
    return err


def rows_of(pid, *arguments):
    return {row["object"]: row for row in
            memoir.rows("buffers", f"pid:{pid}", "--json", *arguments, codes=(0, 3))
            if row["object"]}


def check(tap, good, what, *diagnostics):
    tap.check(good, what, [] if good else diagnostics)


def row_of(actor, kind, *arguments):
    found = [row for row in rows_of(actor.pid, *arguments).values() if row["kind"] == kind]
    if len(found) != 1:
        raise memoir.Failed(f"{len(found)} buffers of the kind {kind}")
    return found[0]


def tag_of(actor, kind, *arguments):
    return row_of(actor, kind, *arguments)["tag"]


def listed(*arguments):
    return {row["object"]: row for row in
            memoir.rows("tag", "--list", "--json", *arguments, codes=(0, 3))}


def all_sorts(name):
    """One of each; the segment's number is told."""
    segment, _ = make.sysv(4, True, True)
    fd = make.memfd(name, 16)
    make.shared_anon(name)
    truth, shm = make.posix_shm(name)
    return {"shm": truth["tag"], "fds": [fd, shm], "segment": segment}, (fd, shm)


KINDS = ("memfd", "shmem", "sysv", "shared-anon")


@contextlib.contextmanager
def acting(*what):
    """What was tagged in root's directory meanwhile is taken away, whatever happens."""
    actor = make.Actor(*what)
    before = set(os.listdir(ROOTS)) if ROOTS.is_dir() else set()
    try:
        if "skip" in actor.truth:
            raise mkmem.Skip(actor.truth["skip"])
        if "broken" in actor.truth:
            raise mkmem.Broken(actor.truth["broken"])
        yield actor
    finally:
        ids = set(rows_of(actor.pid))
        actor.kill()
        for word in set(os.listdir(ROOTS)) - before if ROOTS.is_dir() else ():
            if word.split("@")[0] in ids:
                with contextlib.suppress(FileNotFoundError):
                    (ROOTS / word).unlink()


def by_object(rows):
    return {row["object"]: row["tag"] for row in rows if row["object"]}


def views(pid, objects):
    """{view: {object: tag}} of everything that shows tags, asked of one process."""
    _, out, _ = memoir.run("buffers", f"pid:{pid}", "--csv")
    lines = list(csv.DictReader(io.StringIO(out.decode())))
    return {
        **{engine: by_object(rows_of(pid, "--engine", engine).values())
           for engine in ("tables", "scan", "text")},
        "CSV": by_object(lines),
        "by process": by_object(memoir.rows("buffers", "--by-process", f"pid:{pid}", "--json",
                                            codes=(0, 3))),
        "whatif": by_object(memoir.rows("whatif", "kill", str(pid), "--json", codes=(0, 3))),
        "the list": by_object(row for row in listed().values() if row["object"] in objects and
                              row["present"] and row["kept_in"] == str(ROOTS)),
    }


def test_shown(tap):
    """By its id, in every view, by every way of finding out; and the maker's again."""
    with acting(all_sorts, "frames") as actor:
        before = {kind: row_of(actor, kind) for kind in KINDS}
        want = {row["object"]: f"{FANCY} {kind}" for kind, row in before.items()}
        for object_id, text in want.items():
            tag(object_id, text)
        for view, tags in views(actor.pid, want).items():
            tags = {object_id: tags.get(object_id) for object_id in want}
            check(tap, tags == want, f"each has its own: {view}", tags)
        sums = memoir.rows("buffers", "--by-tag", "--json", f"pid:{actor.pid}", codes=(0, 3))
        check(tap, {s["tag"] for s in sums} == set(want.values()), "by tag", sums)
        shared = before["shared-anon"]["object"]
        who = memoir.rows("who", f"object:{shared}", "--json", codes=(0, 3))
        check(tap, who and all(w["tag"] == want[shared] for w in who), "in who", who)
        for object_id in want:
            tag(object_id, "--clear")
        after = by_object(rows_of(actor.pid).values())
        check(tap, after == by_object(before.values()), "its maker's again", after)
        check(tap, not set(want) & set(listed()), "and in the list no more")


def test_meant(tap):
    """By selectors: one, all of several, none; and what is no such thing."""
    with acting(all_sorts, "meant") as actor:
        who = f"pid:{actor.pid}"
        err = tag(who, "x", code=1)
        check(tap, "4 buffers are meant" in err, "several are not tagged by mistake", err)
        tag(who, "--all", "group")
        tags = {row["tag"] for row in rows_of(actor.pid).values()}
        check(tap, tags == {"group"}, "but all of them if asked", tags)
        tag(who, "kind:memfd", "one")
        check(tap, tag_of(actor, "memfd") == "one" and tag_of(actor, "sysv") == "group",
              "one of them is called otherwise")
        tag(who, "name:one", "--clear")
        check(tap, tag_of(actor, "memfd") == "meant", "and found by its tag")
        tag(who, "--all", "--clear")
        check(tap, tag_of(actor, "shmem") == actor.truth["shm"], "all of them back")
        object_id = row_of(actor, "memfd")["object"]
        for code, why, arguments in (
                (1, "no shared buffer is meant", ["memfd:00:01:1", "x"]),
                (1, "no shared buffer is meant", [who, "kind:drm", "x"]),
                (2, "too long", [object_id, "x" * 256]),
                (2, "control characters", [object_id, "a\nb"]),
                (2, "--clear", [object_id, ""]),
                (2, "say which buffer", [object_id]),
                (2, "say which buffer", []),
                (2, "exclude each other", ["--list", "--gc"]),
                (2, "take no OBJECT", ["--gc", object_id]),
                (2, "--root", ["--root", "/nowhere", object_id, "x"]),
                (2, "nonsense", ["nonsense:1", "x"])):
            err = tag(*arguments, code=code)
            check(tap, why in err, f"refused: {why}", err)
        check(tap, tag_of(actor, "memfd") == "meant", "and nothing was tagged by it")


def segment_again(number):
    """Another segment with the number that one had; somebody else may be quicker to take it."""
    for _ in range(5):
        NEXT_ID.write_text(str(number), encoding="ascii")
        segment, _ = make.sysv(4, True, True)
        if segment == number:
            break
    return {"segment": segment}, None


def test_gone(tap):
    """A tag goes with its buffer, also where the numbers are used again."""
    with acting(all_sorts, "gone") as actor:
        tag(f"pid:{actor.pid}", "--all", "was here")
        ids = list(rows_of(actor.pid))
        kept = {object_id: listed()[object_id]["present"] for object_id in ids}
        check(tap, len(kept) == 4 and all(kept.values()), "four are there", kept)
        shm = row_of(actor, "shmem")["object"]
        word = next(w for w in os.listdir(ROOTS) if w.startswith(f"{shm}@"))
        birth = int(word.split("@")[1], 16)
        (ROOTS / word).rename(ROOTS / f"{shm}@{birth - 1:016x}")
        check(tap, tag_of(actor, "shmem") == actor.truth["shm"] and
              listed()[shm]["present"] is False,
              "a file that was made at another time is not the one that was meant")
        (ROOTS / f"{shm}@{birth - 1:016x}").rename(ROOTS / word)
        check(tap, tag_of(actor, "shmem") == "was here", "but the one made then is")
        segment = row_of(actor, "sysv")["object"]
        actor.kill()
        left = listed()
        check(tap, [left[object_id]["present"] for object_id in ids] == [False] * 4,
              "and none when its process has ended", left)
        if os.access(NEXT_ID, os.W_OK):
            with acting(segment_again, actor.truth["segment"]) as other:
                row = rows_of(other.pid).get(segment)
                check(tap, row and row["tag"] == "SYSV00000000",
                      "another segment with its number is not called so", row, other.truth)
        else:
            tap.skip("a segment's number used again", "shm_next_id can't be written")
        code, out, err = memoir.run("tag", "--gc", "--json")
        dropped = {row["object"] for row in memoir.decode(out)["rows"]}
        check(tap, code in (0, 3) and set(ids) <= dropped and not set(ids) & set(listed()),
              "gc drops them", code, err, dropped)


def test_beside_names(tap):
    """Names make several regions of one, but not before somebody looks at them. Memory that was never written to is full
    of bytes that are no index."""
    os.environ["MALLOC_PERTURB_"] = "85"
    with running("name_user.py", "alone"), acting(all_sorts, "beside") as actor:
        for kind in KINDS:
            tag(f"pid:{actor.pid}", f"kind:{kind}", f"still {kind}")
        ids = [row["object"] for row in rows_of(actor.pid).values()]
        known = listed()
        check(tap, all(known[object_id]["present"] for object_id in ids),
              "the list is right where memory has names", [known.get(object_id) for object_id in ids])


def test_gc_keeps(tap):
    with acting(all_sorts, "kept") as actor:
        tag(f"pid:{actor.pid}", "--all", "stays")
        memoir.run("tag", "--gc")
        tags = {row["tag"] for row in rows_of(actor.pid).values()}
        check(tap, tags == {"stays"}, "gc keeps the tags of what is there", tags)


# ---- others -------------------------------------------------------------------------------------

class User:
    """An ordinary user with a runtime directory and a copy of memoir where he can reach it."""

    def __init__(self, home):
        self.program, self.runtime = f"{home}/memoir", f"{home}/run"
        os.chmod(home, 0o755)
        shutil.copy(memoir.program(), self.program)
        os.mkdir(self.runtime, 0o700)
        os.chown(self.runtime, NOBODY, NOBODY)

    def run(self, *arguments, **environment):
        done = subprocess.run([self.program, *arguments], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True, text=True, check=False, cwd="/",
                              env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": self.runtime,
                                   **environment})
        return done.returncode, done.stdout, done.stderr

    def tag_of(self, pid, kind):
        rows = memoir.decode(self.run("buffers", f"pid:{pid}", f"kind:{kind}", "--json")[1]
                             .encode())["rows"]
        return [row["tag"] for row in rows]


def as_nobody(maker, name):
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    # So that he may look at it himself.
    ctypes.CDLL(None).prctl(4, 1)
    return maker(name)


def shm_mapped_only(name):
    """Neither its fd nor /proc/PID/map_files lead a user to it."""
    truth, kept = all_sorts(name)
    path = f"/dev/shm/memoir-test-named-{os.getpid()}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, b"x" * PAGE)
    make.map_file(fd, 1, touched=1)
    os.close(fd)
    return {**truth, "path": path}, kept


def test_user(tap):
    with tempfile.TemporaryDirectory() as home, \
            acting(as_nobody, shm_mapped_only, "his") as actor, acting(all_sorts, "roots") as other:
        user, pid = User(home), actor.pid
        for kind in KINDS:
            which = f"path:{actor.truth['path']}" if kind == "shmem" else f"kind:{kind}"
            code, _, err = user.run("tag", f"pid:{pid}", which, f"mine {kind}")
            seen = user.tag_of(pid, kind)
            check(tap, code == 0 and f"mine {kind}" in seen, f"a user's own: {kind}", err, seen)
        os.unlink(actor.truth["path"])
        check(tap, "mine memfd" not in [row["tag"] for row in rows_of(pid).values()],
              "root believes no user's tags")
        tag(f"pid:{pid}", "kind:sysv", "from root")
        tag(f"pid:{pid}", "kind:memfd", "from root")
        check(tap, user.tag_of(pid, "memfd") == ["mine memfd"], "a user's own come before root's")
        user.run("tag", f"pid:{pid}", "kind:memfd", "--clear")
        check(tap, user.tag_of(pid, "memfd") == ["from root"], "and behind them are root's")
        code, _, err = user.run("tag", f"pid:{other.pid}", "kind:memfd", "x")
        check(tap, code == 1 and "x" not in {r["tag"] for r in rows_of(other.pid).values()},
              "what others hold is not to be seen", err)
        code, _, err = user.run("tag", f"pid:{pid}", "kind:memfd", "x", XDG_RUNTIME_DIR="")
        check(tap, code == 1 and "XDG_RUNTIME_DIR" in err, "without a directory", err)
        os.chmod(f"{user.runtime}/memoir/tags", 0o777)
        code, _, err = user.run("tag", f"pid:{pid}", "kind:memfd", "x")
        check(tap, code == 1 and "others may write to it" in err and
              user.tag_of(pid, "sysv") == ["from root"],
              "a directory that others may write to is not believed", err)
        os.chmod(f"{user.runtime}/memoir/tags", 0o755)
        os.rename(f"{user.runtime}/memoir/tags", f"{user.runtime}/theirs")
        os.symlink("../theirs", f"{user.runtime}/memoir/tags")
        code, _, err = user.run("tag", f"pid:{pid}", "kind:memfd", "x")
        check(tap, code == 1 and user.tag_of(pid, "sysv") == ["from root"],
              "nor one that a link leads to", err)


TESTS = {"shown": test_shown, "meant": test_meant, "gone": test_gone, "gc": test_gc_keeps,
         "names": test_beside_names, "user": test_user}


def main():
    tap = Tap()
    if os.geteuid():
        tap.skip("tags of buffers", "needs root: it looks at what others have open")
        return tap.done()
    return scenes.run(tap, TESTS)


if __name__ == "__main__":
    sys.exit(main())
