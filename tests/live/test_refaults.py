#!/usr/bin/env python3
"""memoir refaults against memory that is paged out and touched again at known times; it knows nothing of
how memoir tells.

    test_refaults.py     TAP
"""
import contextlib
import ctypes
import os
import signal
import struct
import subprocess
import sys
import time

import memoir
import mkmem
import zram
from tap import Tap

PAGE = 4096
PAGES = {"a": 1000, "b": 500}
PROCESS_MADVISE, MADV_PAGEOUT = 440, 21
LATE_TRIES = 4
# One that every user may run.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable

# What the target does: a line for each word of input.
PROGRAM = f"""
import ctypes, mmap, sys
PAGE = {PAGE}
regions = {{}}
for name, pages in {PAGES!r}.items():
    m = mmap.mmap(-1, (pages + 2) * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    at = ctypes.addressof(ctypes.c_char.from_buffer(m))
    libc = ctypes.CDLL(None)
    for guard in (at, at + (pages + 1) * PAGE):
        libc.mprotect(ctypes.c_void_p(guard), PAGE, 0)
    libc.madvise(ctypes.c_void_p(at), (pages + 2) * PAGE, 15)  # no huge pages
    for i in range(1, pages + 1):
        m[i * PAGE] = i % 200 + 1
        m[i * PAGE + 8:i * PAGE + 16] = i.to_bytes(8, "little")
    regions[name] = m
    print(f"{{at + PAGE:x}}", flush=True)
for line in sys.stdin:
    what, name, first, last = line.split()
    m, sum = regions[name], 0
    if what == "drop":
        m.madvise(4, (int(first) + 1) * PAGE, (int(last) - int(first)) * PAGE)
    else:
        for i in range(int(first) + 1, int(last) + 1):
            sum += m[i * PAGE] == i % 200 + 1
    print(sum, flush=True)
"""


class Target:
    def __init__(self, **popen):
        self.process = subprocess.Popen([PYTHON, "-c", PROGRAM], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, cwd="/", **popen)
        self.pid = self.process.pid
        self.starts = {name: int(self.process.stdout.readline(), 16) for name in PAGES}

    def do(self, what, name, first, last):
        self.process.stdin.write(f"{what} {name} {first} {last}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def span(self, name):
        return self.starts[name], self.starts[name] + PAGES[name] * PAGE

    def page_out(self, name):
        """MADV_PAGEOUT from outside, twice: pages in other CPUs' batches need it."""
        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.pidfd_open(self.pid)
        start, end = self.span(name)
        vector = struct.pack("QQ", start, end - start)
        for _ in range(3):
            libc.syscall(PROCESS_MADVISE, fd, vector, 1, MADV_PAGEOUT, 0)
        os.close(fd)

    def swapped(self, name, first=0, last=None):
        """How many of the pages are swapped out, by pagemap."""
        last = PAGES[name] if last is None else last
        with open(f"/proc/{self.pid}/pagemap", "rb") as file:
            file.seek((self.starts[name] // PAGE + first) * 8)
            words = struct.unpack(f"{last - first}Q", file.read((last - first) * 8))
        return sum(word >> 62 == 1 for word in words)


@contextlib.contextmanager
def target(**popen):
    it = Target(**popen)
    try:
        yield it
    finally:
        it.end()


def start(*arguments, **popen):
    return subprocess.Popen([memoir.program(), "refaults", *map(str, arguments), "--json"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **popen)


def finish(process):
    out, err = process.communicate(timeout=memoir.TIMEOUT_S)
    return process.returncode, memoir.decode(out) if out else None, err.decode()


def row_of(answer, it, name):
    found = [row for row in answer["rows"] if row["start"] == f"{it.starts[name]:x}"]
    return found[0] if len(found) == 1 else None


def pages(row, *names):
    return [None if row[name] is None else row[name] // PAGE for name in names] if row else None


def watch_touches(it, **popen):
    """The answer about 300 pages touched at once, 200 later, and 100 others dropped; and the truth."""
    for name in PAGES:
        it.page_out(name)
    truth = {name: it.swapped(name) for name in PAGES}
    early, late = it.swapped("a", 0, 300), it.swapped("a", 300, 500)
    dropped = it.swapped("b", 0, 100)
    process = start(it.pid, "--watch", "3.5", "--by", "region", **popen)
    mkmem.wait_until_waiting(process.pid)
    good = it.do("touch", "a", 0, 300) == 300
    time.sleep(1.6)
    good &= it.do("touch", "a", 300, 500) == 200
    it.do("drop", "b", 0, 100)
    return finish(process), truth, (early, late, dropped, good)


def test_touches(tap, who, **popen):
    for _ in range(LATE_TRIES):
        # Each time another, as what was dropped is gone.
        with target(**popen) as it:
            (code, answer, err), truth, (early, late, dropped, good) = watch_touches(it, **popen)
        if code != 0:
            break
        a, b = row_of(answer, it, "a"), row_of(answer, it, "b")
        # A loaded machine: the first were touched too late.
        if pages(a, "swapped_bytes", "back_1s_bytes") == [truth["a"], early]:
            break
    if not tap.check(code == 0 and good, f"{who}: works, and what comes back is what went out", [err]):
        return
    tap.check(early > 280 and late > 180 and dropped > 90, f"{who}: most of it was paged out",
              [truth, early, late, dropped])
    names = ("swapped_bytes", "back_1s_bytes", "back_10s_bytes", "back_bytes", "gone_bytes", "out_bytes")
    want = [truth["a"], early, None, early + late, 0, truth["a"] - early - late]
    tap.check(pages(a, *names) == want, f"{who}: what was touched at once, later and never",
              [pages(a, *names), f"truth {want}"])
    want = [truth["b"], 0, None, 0, dropped, truth["b"] - dropped]
    tap.check(pages(b, *names) == want, f"{who}: what was dropped is gone, not back",
              [pages(b, *names), f"truth {want}"])
    tap.check(answer["major_faults"] >= early + late and
              answer["machine_swapped_in_bytes"] >= (early + late) * PAGE and
              3500 <= answer["watched_ms"] < 15000, f"{who}: the kernel's own counts agree",
              [answer["major_faults"], answer["machine_swapped_in_bytes"], answer["watched_ms"]])
    rate = a["back_bytes"] * 1000 / answer["watched_ms"]
    tap.check(abs(a["back_per_second_bytes"] - rate) <= rate / 100, f"{who}: the rate")


def test_by(tap):
    with target() as it:
        it.page_out("a")
        it.page_out("b")
        swapped = sum(map(it.swapped, PAGES))
        code, answer, err = finish(start(it.pid, "--watch", "0.3", "--by", "process"))
        row = answer["rows"][0]
        tap.check(code == 0 and row["pid"] == it.pid and row["swapped_bytes"] >= swapped * PAGE and
                  row["major_faults"] is not None and len(answer["rows"]) == 1,
                  "by process: one row, with its major faults", [row, err])
        code, answer, _ = finish(start(it.pid, "--watch", "0.3"))
        names = {row["name"]: row for row in answer["rows"]}
        tap.check(code == 0 and answer["by"] == "name" and
                  names["[anon]"]["swapped_bytes"] >= swapped * PAGE and
                  names["[anon]"]["back_1s_bytes"] is None,
                  "by name unless said; what it was not watched for long enough is not known",
                  [sorted(names)])
        begin, end = it.span("b")
        code, answer, _ = finish(start(f"{it.pid}:{begin:x}-{end:x}", "--watch", "0.3", "--by", "region"))
        tap.check(len(answer["rows"]) == 1 and row_of(answer, it, "b"), "a range leaves what is in it")


def test_ends(tap):
    with target() as it:
        it.page_out("a")
        swapped = it.swapped("a")
        process = start(it.pid, "--watch", "2", "--by", "region")
        mkmem.wait_until_waiting(process.pid)
        it.process.kill()
        it.process.wait()
        code, answer, err = finish(process)
        row = row_of(answer, it, "a")
        tap.check(code == 0 and answer["ended"] == 1 and pages(row, "gone_bytes", "back_bytes") == [swapped, 0],
                  "of a process that ended all is gone", [code, row, err])
    with target() as it:
        process = start(it.pid, "--watch", "60")
        mkmem.wait_until_waiting(process.pid)
        process.send_signal(signal.SIGINT)
        code, answer, err = finish(process)
        tap.check(code == 3 and answer["watched_ms"] < 30000 and "interrupted" in err + str(answer["notes"]),
                  "interrupted, it tells what it saw until then", [code, err])
    for arguments, said in ((("1", "--watch", "soon"), "takes a time"), ((), "say which process")):
        code, _, err = finish(start(*arguments))
        tap.check(code == 2 and said in err, f"{' '.join(arguments) or 'no selector'}: a sentence", [err])


def main():
    tap = Tap()
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        with zram.swap():
            test_touches(tap, "root")
            test_touches(tap, "one's own process without privileges", **nobody)
            test_by(tap)
            test_ends(tap)
    except zram.Unavailable as why:
        tap.skip("what comes back from swap", str(why))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
