#!/usr/bin/env python3
"""memoir names --watch against programs that try to name their memory: what it sees, what other commands show
meanwhile, and that nothing stays. On a kernel that keeps names itself (--kernel-keeps) the same names come from
there. It must not know how memoir watches.

    test_watch.py [--kernel-keeps] [--way WORDS]

--way: what memoir check has to say of how it watches.
"""
import argparse
import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import memoir
import mkmem
import watching
from tap import Tap
from test_names import differences

NAMER = os.environ.get("NAMER", str(Path(os.environ.get("MEMOIR_BUILD", "build")) /
                                    "tests/helpers/namer"))
NOBODY = 65534
SECONDS = 60
# Names as Python programs give them: by ctypes.
PYTHON = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p)
at = libc.mmap(None, ctypes.c_size_t(65536), 3, 34, -1, 0)
ctypes.memset(at, 1, 65536)
bad = libc.prctl(0x53564d41, 0, at, 65536, b"by ctypes") < 0
print(f"{at:x} {at + 65536:x} by ctypes {22 if bad else 0}\\nready", flush=True)
sys.stdin.readline()
"""


class Watch(watching.Watch):
    """memoir names --watch --json."""

    def __init__(self, *arguments):
        super().__init__("names", "--watch", *arguments)

    def names_of(self, pid, count):
        return self.wait_for(lambda lines: len(
            found := [line for line in lines if line.get("pid") == pid]) >= count and found)

    def tables(self):
        return Path(f"/proc/{self.pid}/maps").read_text(encoding="utf-8").count("memoir-names")


@contextlib.contextmanager
def namer(*arguments, command=None):
    """(process, [(start, end, name, errno)], {what else it said})."""
    with subprocess.Popen(command or [NAMER, *map(str, arguments)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        ranges, said = [], {}
        for line in process.stdout:
            if line == "ready\n":
                break
            words = line.split()
            if len(words) == 2:
                said[words[0]] = int(words[1])
            else:
                ranges.append((int(words[0], 16), int(words[1], 16), " ".join(words[2:-1]),
                               int(words[-1])))
        try:
            yield process, ranges, said
        finally:
            process.stdin.close()
            process.wait(timeout=SECONDS)


def map_of(pid):
    return memoir.rows("map", pid, "--json", codes=(0, 3))


class Expected:
    """What a kernel that keeps names, or does not, leads to."""

    def __init__(self, kernel_keeps):
        self.source = "kernel" if kernel_keeps else "prctl"
        self.answer = 0 if kernel_keeps else errno.EINVAL
        self.error = None if kernel_keeps else "EINVAL"
        self.state = "by-kernel" if kernel_keeps else "kept"
        self.after = self.source if kernel_keeps else None


def shown(pid, ranges, source):
    return differences([(start, end, name) for start, end, name, _ in ranges], map_of(pid), source)


def check_seen(tap, expected, what, ranges, events):
    wanted = sorted((f"{start:08x}", f"{end:08x}", name, expected.answer, expected.error,
                     expected.state) for start, end, name, _ in ranges)
    got = sorted((e["start"], e["end"], e["name"], e["answer"], e["error"], e["state"])
                 for e in events)
    tap.check(got == wanted and all(answer == expected.answer for *_, answer in ranges),
              f"what {what} tries is seen, with the kernel's answer", [str(got), str(wanted)])


def check_commands(tap, expected, pid, named):
    start, _, name, _ = named
    who = memoir.rows("who", f"{pid}:{start + 4096:x}", "--json", codes=(0, 3))
    tap.check([(r["name"], r["name_source"]) for r in who] == [(name, expected.source)],
              "memoir who shows the name of a page", [str(who)])
    rows = memoir.rows("whatif", "kill", pid, "--json", codes=(0, 3))
    tap.check((name, expected.source, 65536) in
              [(r["name"], r["name_source"], r["freed_bytes"]) for r in rows],
              "memoir whatif shows the name", [str(rows)[:1000]])
    with tempfile.TemporaryDirectory() as directory:
        saved = Path(directory) / "saved.db"
        memoir.run("capture", "-o", saved, pid)
        rows = memoir.rows("map", pid, "--from", saved, "--json", codes=(0, 3))
        tap.check((name, expected.source) in [(r["name"], r["name_source"]) for r in rows],
                  "a saved snapshot has it")
        rows = memoir.rows("diff", saved, "--by", "name", "--json", codes=(0, 3))
        tap.check(all("name_source" in row for row in rows), "memoir diff says where names are from")


def check_programs(tap, expected):
    cases = (("a static program that tries once", [NAMER, "once"]),
             ("one that calls the kernel itself", [NAMER, "raw"]),
             ("Python by ctypes", [sys.executable, "-c", PYTHON]),
             ("eight threads at once", [NAMER, "threads", "8"]))
    with Watch() as watch, contextlib.ExitStack() as stack:
        running = [(what, *stack.enter_context(namer(command=command))) for what, command in cases]
        for what, process, ranges, _ in running:
            events = watch.names_of(process.pid, len(ranges))
            check_seen(tap, expected, what, ranges, events)
            tap.check({(e["comm"], e["pid"]) for e in events} <=
                      {(Path(f"/proc/{process.pid}/comm").read_text(encoding="utf-8").strip(),
                        process.pid)}, f"{what} is called what it is", [str(events[:1])])
            tap.check(not (bad := shown(process.pid, ranges, expected.source)),
                      f"memoir map shows the names of {what}", bad)
        sums = memoir.rows("names", "name:tried*", "--json", codes=(0, 3))
        tap.check(sorted((r["name"], r["name_source"], r["processes"], r["rss_bytes"])
                         for r in sums) == [("tried once", expected.source, 1, 65536),
                                            ("tried raw", expected.source, 1, 65536)],
                  "memoir names shows them", [str(sums)])
        check_commands(tap, expected, running[0][1].pid, running[0][2][0])
        code, (*_, last) = watch.end()
        count = sum(len(ranges) for _, _, ranges, _ in running)
        kept = 0 if expected.answer == 0 else count
        tap.check(code == 0 and not last["partial"] and last["names"] >= count and
                  last["kept"] >= kept and last["lost_names"] == last["lost_changes"] == 0,
                  "interrupted, it ends with a summary", [str(code), str(last)])
        left = [name for _, process, ranges, _ in running for name in
                shown(process.pid, ranges if expected.after else [], expected.after)]
        tap.check(not left, "what it kept is gone with it", left)


def check_processes(tap, expected):
    with Watch() as watch, namer("exec") as (process, ranges, said):
        watch.names_of(said["other"], 1)
        # It waits when it has called exec, of which memoir hears a moment later.
        mkmem.comes_true(lambda: Path(f"/proc/{said['other']}/comm").read_text(encoding="utf-8") == "exe\n")
        mkmem.comes_true(lambda: not shown(said["other"], [], expected.source), SECONDS)
        for pid in (process.pid, said["copy"]):
            tap.check(not (bad := shown(pid, ranges, expected.source)),
                      "a child has its parent's names" if pid == said["copy"]
                      else "the parent has its names", bad)
        tap.check(not (bad := shown(said["other"], [], expected.source)), "exec drops names", bad)
        os.kill(said["copy"], signal.SIGKILL)
        process.stdin.close()
        process.wait(timeout=SECONDS)
        watch.wait_for(lambda lines: watch.tables() == 0)
        tap.check(True, "what ends leaves no table behind")


def check_moves(tap, expected):
    with Watch() as watch, namer("moves") as (process, ranges, _):
        watch.wait_for(lambda lines: any(line.get("name") == "second" for line in lines))
        tap.check(not (bad := shown(process.pid, ranges, expected.source)),
                  "names go along with munmap, mmap and mremap, and away by NULL", bad)
        events = watch.names_of(process.pid, 4)
        states = [(e["name"], e["state"]) for e in events]
        wanted = [("first", expected.state),
                  (None, "by-kernel" if expected.answer == 0 else "cleared"),
                  ("bad]", "invalid"), ("second", expected.state)]
        tap.check(states == wanted, "a name that no kernel takes is not kept", [str(states)])


def check_short(tap, expected):
    with Watch() as watch:
        with subprocess.Popen([NAMER, "end"], stdout=subprocess.PIPE) as process:
            process.communicate()
        events = watch.names_of(process.pid, 1)
        tap.check([(e["name"], e["state"]) for e in events] == [("tried and gone", expected.state)],
                  "a program that ends at once is seen", [str(events)])
        watch.wait_for(lambda lines: watch.tables() == 0)


def check_selection(tap):
    with Watch("comm:no-such") as watch, namer("once"):
        code, (*_, last) = watch.end(signal.SIGTERM)
        tap.check(code == 0 and last["names"] >= 1 and
                  not [line for line in watch.lines() if "pid" in line],
                  "only what is selected is printed", [str(last)])


def resident_kib(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


def check_flood(tap, expected):
    """More than it can take while it is stopped, and as fast as one program can while it is not."""
    many = 300000
    with Watch("comm:no-such") as watch:
        for stopped in (True, False):
            if stopped:
                os.kill(watch.pid, signal.SIGSTOP)
            began = time.monotonic()
            with namer("flood", many):
                rate = many / (time.monotonic() - began)
                os.kill(watch.pid, signal.SIGCONT)
            tap.check(resident_kib(watch.pid) < 64 * 1024,
                      "a flood takes it no more than 64 MiB",
                      [f"{resident_kib(watch.pid)} KiB, {rate:.0f} names a second"])
        code, (*_, last) = watch.end()
        # Others may name a little meanwhile.
        tap.check(2 * many <= last["names"] + last["lost_names"] < 2 * many + 1000 and
                  last["lost_names"] > 0, "each name is seen, or counted as lost", [str(last)])
        tap.check(code == 3 and last["partial"], "and that some were lost is said", [str(code)])
        tap.check(expected.answer == 0 or last["kept"] > last["names"] - 1000,
                  "those that were seen were kept", [str(last)])


def check_refusals(tap):
    done = subprocess.run([memoir.program(), "names", "--watch"], user=NOBODY, group=NOBODY,
                          extra_groups=[], capture_output=True, text=True, check=False,
                          timeout=SECONDS)
    tap.check(done.returncode == 1 and "CAP_BPF and CAP_PERFMON" in done.stderr and
              done.stderr.count("\n") == 1 and not done.stdout,
              "without privileges it says which are missing", [done.stdout, done.stderr])
    for arguments in (("-n", "3"), ("--csv",), ("name:x",), ("--tree",)):
        code, out, err = memoir.run("names", "--watch", *arguments)
        tap.check(code == 2 and not out and err.count("\n") == 1,
                  f"--watch with {arguments[0]} is refused", [err])


def check_way(tap, way):
    rows = [row for row in memoir.rows("check", "--json") if row["feature"] == "watching prctl"]
    tap.check(len(rows) == 1 and rows[0]["available"] is True and
              (not way or way in str(rows[0])), "memoir check says how it watches", [str(rows)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel-keeps", action="store_true")
    parser.add_argument("--way")
    args = parser.parse_args()
    tap = Tap()
    if os.geteuid():
        tap.skip("watching programs", "needs root: BPF")
        return tap.done()
    expected = Expected(args.kernel_keeps)
    try:
        for check in (check_programs, check_processes, check_moves, check_short, check_flood):
            check(tap, expected)
        check_selection(tap)
        check_refusals(tap)
        check_way(tap, args.way)
    except (memoir.Failed, OSError, subprocess.SubprocessError, KeyError, IndexError) as error:
        tap.check(False, "programs can be watched", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
