#!/usr/bin/env python3
"""Tests run.py and kernels.py themselves, as TAP, in real guests; it must not test memoir.

test_harness.py [--cache DIR] [--kernel NAME]...   all known kernels, if none is named
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kernels

HERE = Path(__file__).resolve().parent
RUN = HERE / "run.py"
BOOT_LIMIT_S = 120

# Exits with 7. Prints what its own smaps adds up to, and whether the kernel names memory.
GUEST_DRIVER = r'''
import ctypes, json, mmap, os, re, sys
def total(path, key):
    text = open(f"/proc/self/{path}").read()
    return sum(int(kb) for kb in re.findall(rf"^{key}:\s+(\d+) kB", text, re.M))
memory = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.write(b"x" * (8 << 20))
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
prctl = ctypes.CDLL(None).prctl
PR_SET_VMA, PR_SET_VMA_ANON_NAME = 0x53564d41, 0
named = prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, ctypes.c_ulong(address),
              ctypes.c_ulong(8 << 20), b"harness") == 0
print(json.dumps({"python": sys.version_info[:2], "uid": os.getuid(),
                  "anonymous_kb": total("smaps", "Anonymous"),
                  "rollup_kb": total("smaps_rollup", "Anonymous"),
                  "prctl": named, "shown": "[anon:harness]" in open("/proc/self/maps").read()}))
sys.exit(7)
'''

ZRAM_SCRIPT = """set -e
echo 64M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null
swapon /dev/zram0
tail -n +2 /proc/swaps
"""

BASICS_SCRIPT = r"""uname -r
echo to-stderr >&2
printf 'a\r\nb\tc\001\n'
cat /opt/moved "$1/same"
"$1/tool"
env --version | head -n 1
tty <&1
for where in /proc /sys /dev /tmp /dev/shm /sys/fs/cgroup; do
	awk -v w=$where '$2 == w { print "mounted", w, $3 }' /proc/mounts
done
"""
MOUNTS = {"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs", "/tmp": "tmpfs",
          "/dev/shm": "tmpfs", "/sys/fs/cgroup": "cgroup2"}


class Tap:
    """Numbers the results; the plan comes last, when their number is known."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def result(self, passed, what, detail=""):
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {what}", flush=True)
        if not passed:
            for line in str(detail).splitlines():
                print(f"# {line}", flush=True)

    def equal(self, found, wanted, what, detail=""):
        self.result(found == wanted, what, f"found  {found!r}\nwanted {wanted!r}\n{detail}")

    def skip(self, what, why):
        self.count += 1
        print(f"ok {self.count} - {what} # SKIP {why}", flush=True)

    def finish(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


class Runner:
    """Calls run.py as a test would."""

    def __init__(self, cache):
        self.cache = ["--cache", str(cache)]

    def words(self, kernel, options, command):
        return [sys.executable, str(RUN), *self.cache, "--kernel", str(kernel),
                "--timeout", str(BOOT_LIMIT_S), *options, "--", *command]

    def __call__(self, kernel, options, command, env=None):
        return subprocess.run(self.words(kernel, options, command), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=env, check=False)


def release_of(vmlinuz):
    """uname -r as the boot header of the image gives it (Documentation/arch/x86/boot.rst)."""
    data = Path(vmlinuz).read_bytes()
    start = int.from_bytes(data[0x20E:0x210], "little") + 0x200
    return data[start:start + 200].split(b"\0")[0].split()[0].decode()


def test_basics(tap, run, kernel, work):
    (work / "same").write_text("same path\n")
    (work / "tool").write_text("#!/bin/sh\necho tool ran\n")
    (work / "tool").chmod(0o755)
    options = ["--add", f"{work}/same:/opt/moved", "--add", str(work), "--add", "/usr/bin/env"]
    done = run(kernel.vmlinuz, options, ["sh", "-c", BASICS_SCRIPT, "sh", str(work)])
    error = done.stderr.decode()
    lines = done.stdout.decode(errors="replace").split("\n")
    tap.equal(done.returncode, 0, f"{kernel.name}: exit code 0 passes through", error)
    tap.equal(lines[0], release_of(kernel.vmlinuz), f"{kernel.name}: uname is the kernel's", error)
    tap.equal(lines[1:4], ["to-stderr", "a\r", "b\tc\x01"],
              f"{kernel.name}: output passes byte for byte, stderr too", error)
    tap.equal(lines[4:7], ["same path", "same path", "tool ran"],
              f"{kernel.name}: added files are at both paths, scripts run", error)
    tap.result("GNU coreutils" in lines[7],
               f"{kernel.name}: a host binary runs with its libraries, not busybox's", lines[7:8])
    mounted = dict(line.split()[1:] for line in lines if line.startswith("mounted "))
    tap.equal(mounted, MOUNTS, f"{kernel.name}: all that tests need is mounted", error)


def test_python(tap, run, kernel, work):
    driver = work / "driver.py"
    driver.write_text(GUEST_DRIVER)
    done = run(kernel.name if kernel.name in kernels.NAMES else kernel.vmlinuz,
               ["--python", "--add", str(driver)], ["python3", str(driver)])
    detail = done.stderr.decode() + done.stdout.decode(errors="replace")
    tap.equal(done.returncode, 7, f"{kernel.name}: exit code 7 passes through", detail)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        told = {}
    tap.result(told.get("python") == [3, 11] and told.get("uid") == 0
               and told.get("anonymous_kb", 0) >= 8192
               and abs(told["anonymous_kb"] - told["rollup_kb"]) <= 256,
               f"{kernel.name}: python3 as root reads smaps, and it adds up", detail)
    wanted = kernel.name == "anon-vma-name"
    if kernel.name in kernels.NAMES:
        tap.equal((told.get("prctl"), told.get("shown")), (wanted, wanted),
                  f"{kernel.name}: has {'' if wanted else 'no '}ANON_VMA_NAME", detail)


def test_zram(tap, run, kernel):
    done = run(kernel.vmlinuz, ["--modules", "zram"], ["sh", "-c", ZRAM_SCRIPT])
    words = done.stdout.decode(errors="replace").split()
    tap.equal((done.returncode, words[:2], words[2:3]), (0, ["/dev/zram0", "partition"], ["65532"]),
              f"{kernel.name}: zram loads or is built in, and swapon works", done.stderr.decode())


def without_qemu(work):
    """An environment with all tools that run.py uses but qemu."""
    tools = work / "tools"
    tools.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for tool in ("busybox", "dash", "ldd"):
            if Path(folder, tool).exists() and not (tools / tool).exists():
                (tools / tool).symlink_to(Path(folder, tool))
    return {**os.environ, "PATH": str(tools)}


def test_failures(tap, run, kernel, work):
    """(what, options, command, exit code, what stderr says)"""
    token = "@vm-" + "0" * 32
    table = [
        ("a forged ending is only output", [], ["sh", "-c", f"echo '{token} exit 0 0'; exit 9"],
         9, ""),
        ("the token is out of the command's sight", [],
         ["sh", "-c", "grep -rq '@[v]m-[0-9a-f]' /.vm /init /proc/cmdline /proc/self/environ "
          "/proc/1/environ && exit 1; exit 11"], 11, ""),
        ("death by a signal is 128 + its number", [], ["sh", "-c", "kill -9 $$"], 137, ""),
        ("a command that is not there is 127", [], ["no-such-command"], 127, ""),
        ("a guest that ends early is 125", [], ["reboot", "-f"], 125, "before the command did"),
        ("an oops is 125", [], ["sh", "-c", "echo 128 >/proc/sys/kernel/tainted"], 125, "oopsed"),
        ("a timeout is 125", ["--timeout", "20"], ["sleep", "1000"], 125, "timeout: "),
        ("a module that is nowhere is 125", ["--modules", "no_such"], ["true"], 125, "no_such"),
        ("a file that is not there is 125", ["--add", "/no/such"], ["true"], 125, "does not exist"),
    ]
    for what, options, command, code, said in table:
        done = run(kernel.vmlinuz, options, command)
        error = done.stderr.decode()
        tap.result(done.returncode == code and said in error, what,
                   f"exit code {done.returncode}, wanted {code}\n{error}")
    done = run(kernel.vmlinuz, [], ["true"], env=without_qemu(work))
    tap.result(done.returncode == 125 and b"qemu-system-x86_64 is not on this machine"
               in done.stderr, "a missing qemu is 125", done.stderr.decode())


def test_panic(tap, run, kernel):
    what = "a panic is 125"
    done = run(kernel.vmlinuz, [], ["sh", "-c", "echo c >/proc/sysrq-trigger || exit 77"])
    if done.returncode == 77:
        tap.skip(what, f"{kernel.name} has no sysrq-trigger to panic by")
        return
    error = done.stderr.decode()
    tap.result(done.returncode == 125 and "the guest kernel panicked: sysrq" in error, what, error)


def children_of(pid):
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_killed(tap, run, kernel, how):
    words = run.words(kernel.vmlinuz, [], ["sh", "-c", "echo started; sleep 1000"])
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        guests = children_of(process.pid)
        process.send_signal(how)
        process.wait()
    deadline_s = time.monotonic() + 5
    while any(map(is_running, guests)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    left = [pid for pid in guests if is_running(pid)]
    tap.result(len(guests) == 1 and not left, f"no qemu outlives a run.py killed by {how.name}",
               f"guests {guests}, left {left}")
    for pid in left:
        os.kill(int(pid), signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser(description="Test the VM harness; TAP on stdout.")
    parser.add_argument("--cache", type=Path, default=kernels.DEFAULT_CACHE)
    parser.add_argument("--kernel", action="append", help="a path, or a name of kernels.py")
    args = parser.parse_args()
    tap, run, first = Tap(), Runner(args.cache), None
    with tempfile.TemporaryDirectory(prefix="memoir-vm-test-") as folder:
        for name in args.kernel or kernels.NAMES:
            try:
                kernel = kernels.find(name, args.cache)
            except kernels.Unavailable as why:
                tap.skip(f"{name}: all of its tests", f"not available: {why}")
                continue
            first = first or kernel
            work = Path(folder, kernel.name)
            work.mkdir()
            test_basics(tap, run, kernel, work)
            test_python(tap, run, kernel, work)
            test_zram(tap, run, kernel)
        if first is None:
            tap.result(False, "there is a kernel to test with", "none of them is available")
        else:
            test_failures(tap, run, first, Path(folder))
            test_panic(tap, run, first)
            test_killed(tap, run, first, signal.SIGKILL)
            test_killed(tap, run, first, signal.SIGTERM)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
