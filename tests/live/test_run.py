#!/usr/bin/env python3
"""memoir run on a kernel that keeps no names by itself: what programs are answered, what memoir shows, and that
nothing else changes for them. It must not leave a process behind.

    test_run.py [TEST...]
"""
import contextlib
import ctypes
import errno
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import memoir
import mkmem
import scenes
from run_user import PAGE, libc
from tap import Tap

HERE = Path(__file__).parent
BUILD = Path(os.environ.get("MEMOIR_BUILD", HERE.parents[1] / "build"))
MKNAMED = BUILD / "tests/helpers/mknamed"
RAWNAME = BUILD / "tests/helpers/rawname"
# How long what is noticed by looking now and then may take, and what is done at once, where there is little of a CPU.
NOTICED_S = 30
SOON_S = 60
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


# One that any user may run.
SYSTEM_PYTHON = "/usr/bin/python3"


def python(code, program=sys.executable):
    """The command line of a program that has run_user's functions."""
    return [program, "-B", "-c", "import json,os,sys,time,threading,signal\n"
            f"sys.path.insert(0,{str(HERE)!r})\nfrom run_user import *\n"
            f"def say(x): print(json.dumps(x),flush=True)\n{code}"]


class Running:
    """A program below memoir run that says things in JSON and ends when its input does."""

    def __init__(self, *command, before=(), stderr=None):
        self.front = subprocess.Popen([*before, memoir.program(), "run", "--", *command],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                                      bufsize=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.front.send_signal(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):
            self.front.stdin.close()
        try:
            self.front.wait(timeout=SOON_S)
        except subprocess.TimeoutExpired:
            self.front.kill()
            self.front.wait()
        self.front.stdout.close()

    def said(self, seconds=2 * SOON_S):
        if not select.select([self.front.stdout], [], [], seconds)[0]:
            raise mkmem.Broken("the program says nothing")
        line = self.front.stdout.readline()
        if not line:
            raise mkmem.Broken("the program has ended")
        return json.loads(line)

    def step(self):
        self.front.stdin.write(b"\n")
        self.front.stdin.flush()

    def supervisor(self):
        return child_of(self.front.pid)


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = file.read().split()
    if not children:
        raise mkmem.Broken(f"{pid} has no children")
    return int(children[0])


def shown(pid):
    """[(start, end, name)] by memoir map, neighbours of one name joined."""
    found = []
    for row in memoir.rows("map", pid, "--json", codes=(0, 3)):
        start, end = memoir.span(row)
        if not row["name"] or row["name_source"] != "supervisor":
            continue
        if found and found[-1][1] == start and found[-1][2] == row["name"]:
            found[-1] = (found[-1][0], end, row["name"])
        else:
            found.append((start, end, row["name"]))
    return found


def names(pid):
    return [name for _, _, name in shown(pid)]


def comes_true(question):
    return mkmem.comes_true(question, NOTICED_S)


def is_there(pid):
    stat = mkmem.stat_of(pid)
    return stat is not None and stat[0] != "Z"


def memoir_run(*command, **options):
    """(return code, stdout, stderr)"""
    done = subprocess.run([memoir.program(), "run", "--", *map(str, command)], capture_output=True,
                          text=True, timeout=SOON_S, check=False, **options)
    return done.returncode, done.stdout, done.stderr


# ---- names -------------------------------------------------------------------------------------

def test_shown(tap):
    code = ("a=anonymous(8)\nr=[set_vma(a,4*PAGE,b'run: four'),set_vma(a+4*PAGE,PAGE,b'y'*79),"
            "set_vma(a+PAGE,PAGE,None)]\nsay([os.getpid(),a,r])\nsys.stdin.read()")
    with Running(*python(code)) as program:
        pid, at, results = program.said()
        tap.check(results == [0, 0, 0], "a program's names are taken", [str(results)])
        expected = [(at, at + PAGE, "run: four"), (at + 2 * PAGE, at + 4 * PAGE, "run: four"),
                    (at + 4 * PAGE, at + 5 * PAGE, "y" * 79)]
        for engine in ("auto", "text"):
            rows = memoir.rows("map", pid, "--json", f"--engine={engine}", codes=(0, 3))
            found = [(*memoir.span(r), r["name"]) for r in rows
                     if r["name_source"] == "supervisor"]
            tap.check(found == expected, f"memoir map shows them ({engine})",
                      [str(found), str(expected)])
        rows = memoir.rows("names", "name:run?*", "--json", codes=(0, 3))
        tap.check([(r["name"], r["rss_bytes"], r["name_source"]) for r in rows] ==
                  [("run: four", 3 * PAGE, "supervisor")], "memoir names sums them", [str(rows)])


# What the kernel answers (6.2 and later, with CONFIG_ANON_VMA_NAME), in this order.
RULES = """
import mmap as m, ctypes
a = anonymous(16); hole = anonymous(4); libc.munmap(hole + 2 * PAGE, PAGE)
file = libc.mmap(None, 4 * PAGE, 1, m.MAP_PRIVATE, os.open("/proc/self/exe", os.O_RDONLY), 0)
memory = anonymous(4); libc.mmap(memory + 2 * PAGE, PAGE, 1, m.MAP_PRIVATE | 0x10, os.open("/proc/self/exe", os.O_RDONLY), 0)
shared = anonymous(4, m.MAP_SHARED | m.MAP_ANONYMOUS)
text = anonymous(2); libc.munmap(text + PAGE, PAGE)
ctypes.memmove(text + PAGE - 8, b"at end\\0", 8); ctypes.memset(text, 0x61, PAGE - 8)
edge = anonymous(2); libc.munmap(edge + PAGE, PAGE); ctypes.memset(edge, 0x61, PAGE)
heap = int(next(l for l in open("/proc/self/maps") if "[heap]" in l).split("-")[0], 16)
stack = int(next(l for l in open("/proc/self/maps") if "[stack]" in l).split("-")[0], 16)
vdso = int(next(l for l in open("/proc/self/maps") if "[vdso]" in l).split("-")[0], 16)
EINVAL, ENOMEM, EBADF, EFAULT = -22, -12, -9, -14
top = (1 << 64) - PAGE
cases = [
 ("a page", set_vma(a, PAGE, b"a page"), 0),
 ("one byte means its page", set_vma(a + PAGE, 1, b"one byte"), 0),
 ("a length of 0", set_vma(a + 2 * PAGE, 0, b"nothing"), 0),
 ("a length of 0 where nothing is mapped", set_vma(hole + 2 * PAGE, 0, b"nothing"), 0),
 ("79 bytes", set_vma(a + 3 * PAGE, PAGE, b"n" * 79), 0),
 ("80 bytes", set_vma(a + 4 * PAGE, PAGE, b"n" * 80), EINVAL),
 ("no bytes", set_vma(a + 5 * PAGE, PAGE, b""), 0),
 *((f"the character {c}", set_vma(a + 4 * PAGE, PAGE, bytes([0x61, c])), 0 if 0x20 <= c < 0x7f and c not in b"\\\\`$[]" else EINVAL)
   for c in (1, 9, 10, 27, 31, 32, 33, 36, 91, 92, 93, 96, 126, 127, 128, 255)),
 ("an address within a page", set_vma(a + 1, PAGE, b"x"), EINVAL),
 ("a range that wraps around", set_vma(top, 2 * PAGE, b"x"), EINVAL),
 ("a length that rounds up to 0", set_vma(a, (1 << 64) - 1, b"x"), EINVAL),
 ("the last page", set_vma(top - PAGE, PAGE, b"x"), ENOMEM),
 ("address 0", set_vma(0, PAGE, b"x"), ENOMEM),
 ("a hole in the middle", set_vma(hole, 4 * PAGE, b"around a hole"), ENOMEM),
 ("a hole at the end", set_vma(hole + PAGE, 2 * PAGE, b"before a hole"), ENOMEM),
 ("a file's mapping", set_vma(file, PAGE, b"x"), EBADF),
 ("memory and then a file's mapping", set_vma(memory, 4 * PAGE, b"before a file"), EBADF),
 ("shared anonymous memory", set_vma(shared, PAGE, b"shared"), 0),
 ("the heap", set_vma(heap, PAGE, b"in the heap"), 0),
 ("the stack", set_vma(stack, PAGE, b"in the stack"), 0),
 ("the vdso", set_vma(vdso, PAGE, b"vdso"), 0),
 ("a name that can't be read", set_vma(a, PAGE, 16), EFAULT),
 ("a name that ends where its memory does", set_vma(a + 6 * PAGE, PAGE, text + PAGE - 8), 0),
 ("a name that goes on where nothing is mapped", set_vma(a, PAGE, edge + PAGE - 8), EFAULT),
 ("80 bytes before nothing is mapped", set_vma(a, PAGE, edge + PAGE - 80), EINVAL),
 ("a bad name comes before a bad address", set_vma(a + 1, PAGE, 16), EFAULT),
 ("a name taken away", set_vma(a + 7 * PAGE, PAGE, None), 0),
 ("a name taken away where nothing is mapped", set_vma(hole + 2 * PAGE, PAGE, None), ENOMEM),
 ("another option of PR_SET_VMA", set_vma(a, PAGE, b"x", 1), EINVAL),
 ("an option with the same low half", set_vma(a, PAGE, b"x", 1 << 32), EINVAL),
]
other = libc.prctl(15, 0, 0, 0, 0)  # PR_SET_NAME of a NULL
named = ctypes.create_string_buffer(b"other prctl"); libc.prctl(15, ctypes.addressof(named), 0, 0, 0)
say([os.getpid(), cases, a, hole, memory, heap, stack, open("/proc/self/comm").read().strip()])
sys.stdin.read()
"""


def test_rules(tap):
    with Running(*python(RULES)) as program:
        pid, cases, at, hole, memory, heap, stack, comm = program.said()
        for what, result, wanted in cases:
            tap.check(result == wanted, f"{what}: {errno.errorcode.get(-wanted, '0')}",
                      [f"the answer is {result}"])
        tap.check(comm == "other prctl", "other prctls are the kernel's", [comm])
        found = shown(pid)
        for start, end, name in (
                (at, at + PAGE, "a page"), (at + PAGE, at + 2 * PAGE, "one byte"),
                (at + 3 * PAGE, at + 4 * PAGE, "n" * 79), (at + 6 * PAGE, at + 7 * PAGE, "at end"),
                (hole, hole + PAGE, "around a hole"), (hole + PAGE, hole + 2 * PAGE, "before a hole"),
                (hole + 3 * PAGE, hole + 4 * PAGE, "around a hole"),
                (memory, memory + 2 * PAGE, "before a file"),
                (heap, heap + PAGE, "in the heap"), (stack, stack + PAGE, "in the stack")):
            tap.check((start, end, name) in found, f"named: {name[:20]} at {start:x}",
                      [str(row) for row in found])
        strange = [row for row in found if row[2] in ("x", "nothing", "shared", "vdso")]
        tap.check(not strange, "nothing else is", [str(strange)])


def test_static(tap):
    with Running(RAWNAME) as program:
        at, result = (int(word, 16) for word in program.front.stdout.readline().split())
        pid = child_of(program.supervisor())
        expected = [(at, at + 4 * PAGE, "static: once")]
        tap.check(result == 0 and shown(pid) == expected,
                  "a static program that tries once, without a C library", [hex(result), str(shown(pid))])


def test_threads(tap):
    threads, pages = 8, 1000
    with Running(MKNAMED, "threads", str(threads), str(pages)) as program:
        at = program.said()["at"]
        pid, bad, looks = child_of(program.supervisor()), [], 0
        while not select.select([program.front.stdout], [], [], 0)[0]:
            looks += 1
            bad += strays(shown(pid), at, pages)
        tap.check(not bad, "while 8 threads name 1000 pages each, no name is where it never was",
                  [f"{looks} looks", *map(str, bad[:5])])
        result = program.said()["result"]
        wanted = [(at + n * PAGE, at + (n + 1) * PAGE, f"thread {n // pages} page {n % pages}")
                  for n in range(threads * pages)]
        found = shown(pid)
        tap.check(result == 0 and found == wanted, "then all names are there",
                  [f"result {result}, {len(found)} of {len(wanted)}"])


def strays(rows, at, pages):
    """Names that are not on the page that they say."""
    bad = []
    for start, end, name in rows:
        words = name.split()
        place = at + (int(words[1]) * pages + int(words[3])) * PAGE
        if (start, end) != (place, place + PAGE):
            bad.append((hex(start), hex(end), name))
    return bad


# ---- forks and exec ----------------------------------------------------------------------------

FORKS = """
a = anonymous(4)
set_vma(a, PAGE, b"parent: first"); set_vma(a + PAGE, PAGE, b"parent: kept")
def fork(then):
    pid = os.fork()
    if pid == 0: then(); time.sleep(60); os._exit(0)
    return pid
ready, wrote = os.pipe()
def grandchild():
    set_vma(a + 3 * PAGE, PAGE, b"grandchild"); os.write(wrote, b"%d\\n" % os.getpid())
silent = fork(lambda: fork(grandchild))
alone = fork(lambda: None)
deep = int(os.read(ready, 100))
set_vma(a, PAGE, b"parent: second")
later = fork(lambda: None)
say([os.getpid(), silent, alone, deep, later, a])
sys.stdin.readline()
for pid in (deep, silent, alone, later): os.kill(pid, 9)
"""


def test_forks(tap):
    with Running(*python(FORKS)) as program:
        pid, silent, alone, deep, later, at = program.said()

        def rows(*names_of_pages):
            return [(at + i * PAGE, at + (i + 1) * PAGE, name)
                    for i, name in enumerate(names_of_pages) if name]
        tap.check(shown(pid) == rows("parent: second", "parent: kept"), "a parent has its names",
                  [str(shown(pid))])
        tap.check(shown(deep) == rows("parent: first", "parent: kept", None, "grandchild"),
                  "a grandchild has those of before the fork, and its own", [str(shown(deep))])
        tap.check(shown(silent) == rows("parent: first", "parent: kept"),
                  "a child that names nothing has those of its fork", [str(shown(silent))])
        tap.check(shown(alone) == rows("parent: first", "parent: kept"),
                  "so does one without children of its own", [str(shown(alone))])
        tap.check(comes_true(lambda: shown(later) == rows("parent: second", "parent: kept")),
                  "so does one after which nobody named anything, before long", [str(shown(later))])
        program.step()


EXEC = """
a = anonymous(2)
set_vma(a, PAGE, b"before exec")
say([os.getpid(), a]); os.read(0, 1)  # and no more: the rest is for the next
os.execv(sys.executable, [sys.executable, "-B", "-c", sys.argv[-1], str(a)])
"""
AFTER_EXEC = """
import sys,json,os
sys.path.insert(0,PATH)
from run_user import *
libc.mmap(int(sys.argv[1]), 2 * PAGE, 3, 0x100022, -1, 0)  # MAP_FIXED_NOREPLACE
a = anonymous(2)
if sys.stdin.readline() == "name\\n": r = set_vma(a, PAGE, b"after exec")
else: r = None
print(json.dumps([a, r]), flush=True)
sys.stdin.read()
""".replace("PATH", repr(str(HERE)))


def test_exec(tap):
    for words, wanted, what in ((b"name\n", ["after exec"], "exec drops names when others come"),
                                (b"no\n", [], "and without that, before long")):
        with Running(*python(EXEC), AFTER_EXEC) as program:
            pid, _ = program.said()
            tap.check(names(pid) == ["before exec"], "named before exec", [str(names(pid))])
            program.step()
            program.front.stdin.write(words)
            program.front.stdin.flush()
            program.said()
            tap.check(names(pid) == wanted if wanted else
                      comes_true(lambda p=pid: not names(p)), what, [str(names(pid))])


# With memory where its parent's had a name, as it may come about without address space randomisation.
EXECED = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from run_user import *
at, pages = int(sys.argv[1]), int(sys.argv[2])
libc.mmap(at, pages * PAGE, 3, 0x100022, -1, 0)  # MAP_FIXED_NOREPLACE
print("there", flush=True)
sys.stdin.read()
"""


def test_fork_and_exec(tap):
    """What was forked and called exec before anybody looked has none of its parent's names."""
    code = ("import subprocess\na=anonymous(64)\nset_vma(a,64*PAGE,b'not for children')\n"
            "c=subprocess.Popen([sys.executable,'-B','-c',sys.argv[1],str(a),'64'],"
            "stdin=subprocess.PIPE,stdout=subprocess.PIPE)\nc.stdout.readline()\n"
            "set_vma(a,PAGE,b'again')\nsay(c.pid)\nsys.stdin.read()\nc.stdin.close()\nc.wait()")
    with Running("setarch", "-R", *python(code), EXECED) as program:
        pid = program.said()
        tap.check(not names(pid), "a child that called exec has no names", [str(names(pid))])
        time.sleep(1.5)
        tap.check(not names(pid), "nor has it later", [str(names(pid))])


REUSED = """
import ctypes
a = anonymous(2)
def thread(): set_vma(a, PAGE, b"thread"); tids.append(threading.get_native_id())
for _ in range(50):
    tids = []
    t = threading.Thread(target=thread); t.start(); t.join(); time.sleep(.01)
    with open("/proc/sys/kernel/ns_last_pid", "w") as file: file.write(str(tids[0] - 1))
    ready, wrote = os.pipe()
    pid = os.fork()
    if pid == 0:
        set_vma(a + PAGE, PAGE, b"child"); os.write(wrote, b"x"); sys.stdin.read(); os._exit(0)
    if pid == tids[0]: break
    os.kill(pid, 9); os.wait(); os.close(ready); os.close(wrote)
os.read(ready, 1) if pid == tids[0] else None
say([os.getpid(), pid if pid == tids[0] else None])
sys.stdin.read()
os.wait()
"""


def test_number_used_again(tap):
    """A child with the number that a thread of its parent had."""
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        tap.skip("a number used again", "ns_last_pid can't be written")
        return
    with Running(*python(REUSED)) as program:
        parent, child = program.said()
        if child is None:
            raise mkmem.Broken("no child got the thread's number")
        tap.check((names(parent), names(child)) == (["thread"], ["thread", "child"]),
                  "a child with the number of its parent's thread is not taken for it",
                  [str(names(parent)), str(names(child))])


def test_vfork(tap):
    with Running(MKNAMED, "vfork") as program:
        truth = program.said()
        pid = child_of(program.supervisor())
        tap.check(truth["result"] == 0 and
                  shown(pid) == [(truth["at"], truth["at"] + PAGE, "vfork: child")],
                  "what a vfork child names is its parent's", [str(truth), str(shown(pid))])


UNMAPPED_S = (2.5, 10)


def test_unmapped(tap):
    code = ("a=anonymous(8)\nset_vma(a,8*PAGE,b'was here')\nlibc.munmap(a+2*PAGE,2*PAGE)\n"
            "say([os.getpid(),a])\nsys.stdin.readline()\n"
            "libc.mmap(a+2*PAGE,2*PAGE,3,0x32,-1,0)\nsay(0)\nsys.stdin.read()")
    # The supervisor looks every second; where there is little of a CPU for it, later.
    for seconds in UNMAPPED_S:
        with Running(*python(code)) as program:
            pid, at = program.said()
            wanted = [(at, at + 2 * PAGE, "was here"), (at + 4 * PAGE, at + 8 * PAGE, "was here")]
            first = shown(pid)
            time.sleep(seconds)
            program.step()
            program.said()
            later = shown(pid)
        if first != wanted or later == wanted:
            break
    tap.check(first == wanted, "what is unmapped is not shown", [str(first)])
    tap.check(later == wanted, "what comes there later does not get its name", [str(later)])


# ---- hostile callers ---------------------------------------------------------------------------

def test_name_comes_and_goes(tap):
    with Running(MKNAMED, "unmapped", "500") as program:
        truth = program.said()
        tap.check(truth["other"] == 0 and truth["named"] and truth["no_name"],
                  "a name that is unmapped while it is read is EFAULT", [str(truth)])


def test_flood(tap):
    with Running(MKNAMED, "flood", "400000") as program:
        truth = program.said()
        tap.check(truth["refused"] == -errno.ENOMEM and truth["taken"] > 100000,
                  "names without end are refused in the end", [str(truth)])
        with open(f"/proc/{program.supervisor()}/status", encoding="ascii") as file:
            rss = int(next(line for line in file if line.startswith("VmRSS:")).split()[1])
        tap.check(rss < 24 << 10, "the supervisor has not grown beyond bounds", [f"{rss} kB"])
        rows = memoir.rows("names", "name:0000*", "--json", codes=(0, 3))
        tap.check(len(rows) <= truth["taken"], "memoir names copes with them", [str(len(rows))])
        program.step()
        after = program.said()
        pid = child_of(program.supervisor())
        tap.check((after["cleared"], after["again"]) == (0, 0) and
                  shown(pid) == [(after["at"], after["at"] + PAGE, "after the flood")],
                  "they can all be taken away, and others given", [str(after), str(shown(pid))])


FLOODS = 24


def test_floods(tap):
    """Each fills its own table; together they may not take as much."""
    code = ("import subprocess\n"
            f"c=[subprocess.Popen([{str(MKNAMED)!r},'flood','400000'],stdin=subprocess.PIPE,"
            f"stdout=subprocess.PIPE) for _ in range({FLOODS})]\n"
            "say([json.loads(p.stdout.readline())['taken'] for p in c])\nsys.stdin.read()\n"
            "for p in c: p.stdin.close()\nfor p in c: p.wait()")
    with Running(*python(code)) as program:
        taken = program.said(300)
        with open(f"/proc/{program.supervisor()}/status", encoding="ascii") as file:
            rss = int(next(line for line in file if line.startswith("VmRSS:")).split()[1])
        tap.check(rss < 340 << 10, "the tables of many are bounded together", [f"{rss} kB", str(taken)])


# ---- what else is to stay as it is -------------------------------------------------------------

def test_exit_codes(tap):
    for code in (0, 1, 2, 3, 42, 126, 127, 255):
        tap.check(memoir_run("sh", "-c", f"exit {code}")[0] == code, f"exit code {code}")
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT,
                   signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE, signal.SIGUSR1, signal.SIGRTMIN):
        code = memoir_run("sh", "-c", f"ulimit -c 0; kill -{number} $$")[0]
        tap.check(code == -number, f"death by signal {number}", [str(code)])
    code, _, err = memoir_run("no-such-program")
    tap.check(code == 127 and err.count("\n") == 1 and "no-such-program" in err,
              "what is not there: 127", [str(code), err])
    code, _, err = memoir_run("/etc/passwd")
    tap.check(code == 126 and err.count("\n") == 1, "what can't be run: 126", [str(code), err])
    done = subprocess.run([memoir.program(), "run"], capture_output=True, text=True, check=False)
    tap.check(done.returncode == 2 and "CMD" in done.stderr, "nothing to run: 2", [done.stderr])
    done = subprocess.run([memoir.program(), "run", "echo", "-n", "--json"], capture_output=True,
                          text=True, check=False)
    tap.check(done.stdout == "--json", "options behind the program are the program's", [done.stdout])


INHERITED = """
import signal
status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status"))
say({"signals": [status[key] for key in ("SigBlk", "SigIgn", "SigCgt")],
     "fds": sorted(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}" for fd in os.listdir("/proc/self/fd")
                   if os.path.exists(f"/proc/self/fd/{fd}")),
     "group": os.getpgrp(), "session": os.getsid(0), "cwd": os.getcwd(),
     "limits": open("/proc/self/limits").read()})
sys.stdin.read()
"""


def test_inherited(tap):
    """The same program started the same way, without and with memoir run."""
    found = []
    blocked = {signal.SIGUSR2, signal.SIGTSTP}
    for words in ((), (memoir.program(), "run", "--")):
        def setup():
            signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        read, write = os.pipe()
        done = subprocess.run([*words, *python(INHERITED)], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False, preexec_fn=setup, pass_fds=(read,))
        os.close(read)
        os.close(write)
        say = json.loads(done.stdout)
        say["fds"] = [fd.split("[")[0] for fd in say["fds"]]
        found.append(say)
    for key in found[0]:
        tap.check(found[0][key] == found[1][key], f"{key} are as without memoir run",
                  [str(found[0][key]), str(found[1][key])])
    code, out, _ = memoir_run("sh", "-c", "cat; echo err >&2", input="in")
    tap.check((code, out) == (0, "in"), "standard input and output are the program's", [out])
    # Python ignores SIGPIPE by itself; memoir's own commands do.
    found = [subprocess.run([*words, "grep", "^Sig[BI]", "/proc/self/status"], capture_output=True,
                            check=False, restore_signals=restored).stdout
             for restored in (True, False) for words in ((), (memoir.program(), "run"))]
    tap.check(found[0] == found[1] and found[2] == found[3] and found[0] != found[2],
              "SIGPIPE is ignored or not as before", list(map(repr, found)))
    closed = "exec 0<&- 1>&-; exec \"$@\""
    done = subprocess.run(["sh", "-c", closed, "sh", memoir.program(), "run", "sh", "-c",
                           "test ! -e /proc/$$/fd/0 -a ! -e /proc/$$/fd/1"], check=False)
    tap.check(done.returncode == 0, "closed standard fds stay closed", [str(done.returncode)])


WAITER = """
got = []
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH, signal.SIGCONT):
    signal.signal(s, lambda n, f: (got.append(n), say(n)))
say(0)
while True:
    line = sys.stdin.readline()
    if not line: break
os._exit(7)
"""


def test_signals(tap):
    with Running(*python(WAITER)) as program:
        program.said()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP,
                       signal.SIGWINCH):
            os.kill(program.front.pid, number)
            got = program.said()
            tap.check(got == number, f"signal {number} to memoir is passed on", [str(got)])
        program.front.stdin.close()
        tap.check(program.front.wait(timeout=SOON_S) == 7, "and it goes on until the program ends",
                  [str(program.front.returncode)])


def wait_stopped(pid, options):
    """The status that waitpid has within some time, or None."""
    got = mkmem.comes_true(lambda: (answer := os.waitpid(pid, options | os.WNOHANG))[0] and answer, SOON_S)
    return got[1] if got else None


class Terminal:
    """A process that leads the foreground of a terminal of its own, and what that says."""

    def __init__(self, *command):
        self.rest = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execv(command[0], [str(word) for word in command])

    def write(self, text):
        os.write(self.master, text)

    def read_until(self, word):
        while word not in self.rest:
            if not select.select([self.master], [], [], SOON_S)[0]:
                raise mkmem.Broken(f"the terminal only says {self.rest!r}")
            self.rest += os.read(self.master, 4096)
        said, _, self.rest = self.rest.partition(word)
        return said

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)


def test_terminal(tap):
    """A shell's view: stops, goes on, is interrupted."""
    # pty.fork's child leads a session, whose group is orphaned: the job has a group of its own below it.
    shell = f"""
import os, sys, signal, time, json
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv({memoir.program()!r}, ["memoir", "run", "--", sys.executable, "-c",
        "import time,os\\nprint('READY', os.getpid(), flush=True)\\nwhile True: time.sleep(.05)"])
def tell(status):
    print("STATUS", "stopped %d" % os.WSTOPSIG(status) if os.WIFSTOPPED(status) else
          "continued" if os.WIFCONTINUED(status) else
          "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "exit", "END", flush=True)
while True:
    _, status = os.waitpid(job, os.WUNTRACED | os.WCONTINUED)
    tell(status)
    if os.WIFSTOPPED(status):
        time.sleep(.2)
        os.killpg(job, signal.SIGCONT)
    elif not os.WIFCONTINUED(status):
        break
"""
    terminal = Terminal(sys.executable, "-c", shell)
    try:
        ready = terminal.read_until(b"\n")
        program = int(ready.split()[1])
        terminal.write(b"\x1a")
        text = terminal.read_until(b"END")
        tap.check(b"stopped %d" % signal.SIGTSTP in text, "^Z stops it, as the shell sees", [repr(text)])
        text = terminal.read_until(b"END")
        tap.check(b"continued" in text, "the shell lets it go on", [repr(text)])
        tap.check(bool(comes_true(lambda: mkmem.stat_of(program)[0] in "SR")), "so the program does")
        os.kill(program, signal.SIGSTOP)
        text = terminal.read_until(b"END")
        tap.check(b"stopped %d" % signal.SIGSTOP in text, "a stop of the program alone is seen too",
                  [repr(text)])
        terminal.read_until(b"END")
        terminal.write(b"\x03")
        text = terminal.read_until(b"END")
        tap.check(b"signal %d" % signal.SIGINT in text, "^C ends both by SIGINT", [repr(text)])
    finally:
        terminal.end()


def test_continued_alone(tap):
    """SIGCONT to the program only: memoir must not stay behind."""
    with Running(*python(WAITER)) as running:
        running.said()
        program = child_of(running.supervisor())
        os.kill(program, signal.SIGSTOP)
        status = wait_stopped(running.front.pid, os.WUNTRACED)
        tap.check(status is not None and os.WIFSTOPPED(status), "memoir stops with the program")
        os.kill(program, signal.SIGCONT)
        status = wait_stopped(running.front.pid, os.WCONTINUED)
        tap.check(status is not None and os.WIFCONTINUED(status), "and goes on with it")
        got = running.said()
        tap.check(got == signal.SIGCONT, "which hears of SIGCONT", [str(got)])
        os.kill(program, signal.SIGSTOP)
        wait_stopped(running.front.pid, os.WUNTRACED)
        os.kill(running.front.pid, signal.SIGCONT)
        got = running.said()
        tap.check(got == signal.SIGCONT and comes_true(lambda: mkmem.stat_of(program)[0] in "SR"),
                  "SIGCONT to memoir only reaches the program", [str(got)])


# ---- memoir dies, others live ------------------------------------------------------------------

STEPS = ("a=anonymous(1)\nsay([os.getpid(),set_vma(a,PAGE,b'first')])\n"
         "for line in sys.stdin: say(set_vma(a,PAGE,b'next'))\nos._exit(9)")


def test_supervisor_killed(tap):
    with Running(*python(STEPS), stderr=subprocess.PIPE) as program:
        pid, result = program.said()
        tap.check(result == 0, "named", [str(result)])
        os.kill(program.supervisor(), signal.SIGKILL)
        comes_true(lambda: not names(pid))
        program.step()
        result = program.said()
        tap.check(result == -errno.ENOSYS, "without its supervisor the program goes on: ENOSYS",
                  [str(result)])
        program.front.stdin.close()
        code = program.front.wait(timeout=SOON_S)
        err = program.front.stderr.read().decode()
        program.front.stderr.close()
        # Its exit code can be asked for since Linux 6.15.
        tap.check(code == 9 or (code == 1 and "only its supervisor" in err),
                  "memoir waits for it all the same", [str(code), err])
        tap.check(err.count("names are no longer kept") == 1, "and says what happened", [err])


def test_front_killed(tap):
    with Running(*python(STEPS)) as program:
        pid, _ = program.said()
        supervisor = program.supervisor()
        os.kill(program.front.pid, signal.SIGKILL)
        program.front.wait()
        program.step()
        result = program.said()
        tap.check(result == 0 and names(pid) == ["next"], "without its front, names are kept",
                  [str(result), str(names(pid))])
        program.front.stdin.close()
        tap.check(bool(comes_true(lambda: not is_there(pid) and not is_there(supervisor))),
                  "the supervisor ends with the program")


def test_daemon(tap):
    """The program ends, what it started goes on in the background."""
    code = ("a=anonymous(1)\nset_vma(a,PAGE,b'parent')\nready,wrote=os.pipe()\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK,[signal.SIGUSR1])\npid=os.fork()\n"
            "if pid:\n  os.read(ready,1); say(pid); os._exit(5)\n"
            "signal.alarm(300)\n"
            "os.setsid()\nset_vma(a,PAGE,b'daemon')\nos.write(wrote,b'x')\nos.close(0); os.close(1)\n"
            "os.closerange(2,100)\n"
            "signal.sigwait([signal.SIGUSR1])\nset_vma(a,PAGE,b'daemon, later')\n"
            "signal.sigwait([signal.SIGUSR1])\n")
    others = supervisors()
    read, write = os.pipe()
    done = subprocess.run([memoir.program(), "run", *python(code)], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=SOON_S, check=False, pass_fds=(write,))
    os.close(write)
    closed = bool(select.select([read], [], [], SOON_S)[0])
    os.close(read)
    pid = int(done.stdout)
    tap.check(done.returncode == 5 and is_there(pid), "memoir ends with its program, and so do its pipes",
              [str(done.returncode)])
    tap.check(closed and is_there(pid), "memoir keeps no fd of its caller's open")
    own = supervisors() - others
    tap.check(names(pid) == ["daemon"], "what is left has its names", [str(names(pid))])
    os.kill(pid, signal.SIGUSR1)
    tap.check(comes_true(lambda: names(pid) == ["daemon, later"]), "and new ones", [str(names(pid))])
    os.kill(pid, signal.SIGUSR1)
    tap.check(bool(comes_true(lambda: not is_there(pid))), "then it ends")
    tap.check(own and bool(comes_true(lambda: not own & supervisors())), "and then nobody is left",
              [str(own)])


def comm_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None


def supervisors():
    return {name for name in filter(str.isdigit, os.listdir("/proc")) if comm_of(name) == "memoir-run"}


def zombies():
    return [pid for pid in filter(str.isdigit, os.listdir("/proc"))
            if (stat := mkmem.stat_of(int(pid))) and stat[0] == "Z" and
            comm_of(pid) in ("memoir", "memoir-run")]


def test_no_zombies(tap):
    for _ in range(20):
        memoir_run("true")
    # Those of others, and such as are just about to be waited for, do not stay.
    tap.check(comes_true(lambda: not zombies()), "no zombies are left", [str(zombies())])


# ---- who may -----------------------------------------------------------------------------------

def test_nobody(tap):
    """Without any privilege; root, and that user, see the names."""
    if os.geteuid():
        tap.skip("memoir run as nobody", "needs root to become nobody")
        return
    code = ("a=anonymous(2)\nr=set_vma(a,2*PAGE,b'unprivileged')\n"
            "p=dict(l.split(':',1) for l in open('/proc/self/status'))['NoNewPrivs'].strip()\n"
            "say([os.getpid(),r,p])\nsys.stdin.read()")
    with Running(*python(code, SYSTEM_PYTHON), before=AS_NOBODY) as program:
        pid, result, no_new_privs = program.said()
        tap.check(result == 0 and names(pid) == ["unprivileged"], "an unprivileged user's names",
                  [str(result), str(names(pid))])
        tap.check(no_new_privs == "1", "no_new_privs is set for it", [no_new_privs])
        done = subprocess.run([*AS_NOBODY, memoir.program(), "map", str(pid), "--json"],
                              capture_output=True, check=False)
        seen = [row["name"] for row in json.loads(done.stdout)["rows"]
                if row["name_source"] == "supervisor"]
        tap.check(seen == ["unprivileged"], "that user sees them too", [str(seen), done.stderr.decode()])


YAMA = "/proc/sys/kernel/yama/ptrace_scope"


def test_yama(tap):
    """Where only ancestors may look into a process: the program and its children, and the tables themselves."""
    if os.geteuid() or not os.path.exists(YAMA):
        tap.skip("memoir run below Yama", "needs root and Yama")
        return
    code = ("a=anonymous(1)\nif os.fork()==0:\n  say([os.getpid(),set_vma(a,PAGE,b'below Yama')])\n"
            "  sys.stdin.read()\nelse: os.wait()")
    with open(YAMA, "r+", encoding="ascii") as file:
        before = file.read()
        file.write("1")
    try:
        with Running(*python(code, SYSTEM_PYTHON), before=AS_NOBODY) as program:
            pid, result = program.said()
            tap.check(result == 0, "a child's names are taken below Yama", [str(result)])
            done = subprocess.run([*AS_NOBODY, memoir.program(), "map", str(pid), "--json"],
                                  capture_output=True, check=False)
            tap.check("below Yama" in done.stdout.decode(), "and that user's other programs see them",
                      [done.stdout.decode()[:500], done.stderr.decode()])
    finally:
        Path(YAMA).write_text(before, encoding="ascii")


def test_kernel_keeps_names(tap):
    """Where the kernel has CONFIG_ANON_VMA_NAME memoir run gets out of the way."""
    code = ("a=anonymous(1)\ns=dict(l.split(':',1) for l in open('/proc/self/status'))\n"
            "say([os.getpid(),set_vma(a,PAGE,b'kernel'),s['Seccomp'].strip(),s['NoNewPrivs'].strip()])\n"
            "sys.stdin.read()")
    with Running(*python(code)) as program:
        pid, result, seccomp, no_new_privs = program.said()
        if result == 0 and pid != program.front.pid and seccomp == "2":
            tap.skip("the kernel's own names", "this kernel has none")
            return
        rows = [(row["name"], row["name_source"]) for row in
                memoir.rows("map", pid, "--json", codes=(0, 3)) if row["name"]]
        tap.check(result == 0 and ("kernel", "kernel") in rows, "the kernel keeps the name",
                  [str(result), str(rows)])
        tap.check((pid, seccomp, no_new_privs) == (program.front.pid, "0", "0"),
                  "the program is where memoir was, without a filter", [seccomp, no_new_privs])


def test_undumpable(tap):
    """What may not be read (of an unprivileged supervisor) is answered by the kernel."""
    if os.geteuid():
        tap.skip("undumpable programs", "needs root to become nobody")
        return
    code = ("a=anonymous(1)\nlibc.prctl(4,0,0,0,0)\nsay(set_vma(a,PAGE,b'secret'))\nsys.stdin.read()")
    with Running(*python(code, SYSTEM_PYTHON), before=AS_NOBODY) as program:
        result = program.said()
        tap.check(result == -errno.EINVAL, "a program that lets nobody look is refused as before",
                  [str(result)])


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def listen_in_vain():
    """In a child, before exec: a listener of its own, which never answers anything; its fd stays open."""
    instructions = b"".join(struct.pack("HBBI", *i) for i in (
        (0x20, 0, 0, 0),                  # the number of the call
        (0x15, 0, 1, 0x7fffff00),         # none has this one
        (0x06, 0, 0, 0x7fc00000),         # ask the listener
        (0x06, 0, 0, 0x7fff0000)))        # allow
    text = ctypes.create_string_buffer(instructions, len(instructions))
    program = Filter(4, ctypes.addressof(text))
    number = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    fd = libc.syscall(ctypes.c_long(number), ctypes.c_long(1), ctypes.c_long(8), ctypes.byref(program))
    os.set_inheritable(fd, True)


def test_listener_there(tap):
    code = "a=anonymous(1)\nsay(set_vma(a,PAGE,b'in vain'))\nos._exit(6)"
    done = subprocess.run([memoir.program(), "run", *python(code)], preexec_fn=listen_in_vain,
                          close_fds=False, capture_output=True, text=True, check=False)
    tap.check(done.stderr.count("\n") == 1 and "listener" in done.stderr and done.returncode == 6 and
              json.loads(done.stdout) == -errno.EINVAL,
              "where there is a listener already, the program runs without, and memoir says so once",
              [str(done.returncode), done.stdout, done.stderr])
    code = "a=anonymous(1)\nsay([os.getpid(),set_vma(a,PAGE,b'nested')])\nsys.stdin.read()"
    with Running(memoir.program(), "run", "--", *python(code), stderr=subprocess.PIPE) as program:
        pid, result = program.said()
        tap.check(result == 0 and names(pid) == ["nested"],
                  "within another memoir run, that one keeps the names", [str(result), str(names(pid))])
        program.front.stdin.close()
        program.front.wait(timeout=SOON_S)
        err = program.front.stderr.read()
        program.front.stderr.close()
        tap.check(not err, "and nothing is said", [err.decode()])


# Tried in virtual machines, as this one may have neither; and in the soak suite.
ELSEWHERE = ("yama", "kernel_keeps_names", "floods")
TESTS = {name.removeprefix("test_"): test for name, test in list(globals().items())
         if name.startswith("test_")}


def main():
    tap = Tap()
    # What a shell starts in the background without job control ignores them, and so would all from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    return scenes.run(tap, TESTS, [name for name in TESTS if name not in ELSEWHERE])


if __name__ == "__main__":
    sys.exit(main())
