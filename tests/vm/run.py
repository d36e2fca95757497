#!/usr/bin/env python3
"""Runs one command as root in a small emulated machine and exits as the command did; it must never
take the program's own output for the guest's word, nor leave qemu behind.
"""
import argparse
import ctypes
import os
import re
import secrets
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import initramfs
import kernels
import kmodules

EXIT_HARNESS = 125  # the run itself failed: no exit code of the command is known
TAINT_DIE = 128
TAIL_BYTES = 64 * 1024
PR_SET_PDEATHSIG = 1

Ending = namedtuple("Ending", "code taint")


class RunError(Exception):
    """The command's exit code cannot be told; the text is one sentence."""


class Console:
    """Splits the serial stream at lines that begin with the token, which only guest-init knows.

    before "begin": firmware and kernel, kept for error messages; then the command's output, passed
    on byte for byte; after "log": the kernel log, for stderr; "exit" and "fail" end it.
    """

    def __init__(self, token, output, log):
        self.token = token
        self.sinks = {"boot": None, "begin": output, "log": log}
        self.state = "boot"
        self.held = b""
        self.tail = b""
        self.begin_s = None
        self.ending = None

    def _pass_on(self, data):
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        sink = self.sinks[self.state]
        if sink is not None and data:
            sink.write(data)
            sink.flush()

    def _could_be_token(self):
        """Length of the end of what is held that may be the first part of a token."""
        for size in range(min(len(self.token) - 1, len(self.held)), 0, -1):
            if self.held.endswith(self.token[:size]):
                return size
        return 0

    def feed(self, data):
        self.held += data
        while self.ending is None:
            before, found, after = self.held.partition(self.token)
            if not found:
                keep = self._could_be_token()
                self._pass_on(self.held[:len(self.held) - keep])
                self.held = self.held[len(self.held) - keep:]
                return
            line, newline, rest = after.partition(b"\n")
            self._pass_on(before)
            self.held = found + after
            if not newline:
                return
            self.held = rest
            self._word(line.decode("utf-8", "replace").strip())

    def _word(self, line):
        word, _, rest = line.partition(" ")
        if word == "exit":
            code, taint = rest.split()
            self.ending = Ending(int(code), int(taint))
        elif word == "fail":
            raise RunError(f"the guest could not be set up: {rest}")
        elif word in self.sinks:
            self.state = word
            if word == "begin":
                self.begin_s = time.monotonic()

    def last_lines(self, count=15):
        """Of all that came, without the carriage returns and escapes of a serial console."""
        text = (self.tail + self.held).decode("utf-8", "replace")
        text = re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1bc|[^\n\t -~]", "", text)
        return "\n".join(text.splitlines()[-count:])

    def panic(self):
        found = re.search(rb"Kernel panic - not syncing: ([^\r\n]*)", self.tail + self.held)
        return found.group(1).decode("utf-8", "replace") if found else None


def die_with_parent():
    """So that qemu goes even when this process is killed by SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def find_qemu():
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise RunError("qemu-system-x86_64 is not on this machine: "
                       "apt-get install qemu-system-x86")
    return qemu


def qemu_command(qemu, vmlinuz, image_fd, args):
    # The kernel's test whether its timer ticks can fail, and then it panics, where qemu gets little of a CPU.
    words = f"console=ttyS0 quiet panic=-1 no_timer_check {args.append}".strip()
    return [qemu, "-accel", "tcg", "-smp", "1", "-m", args.mem, "-kernel", str(vmlinuz),
            "-initrd", f"/proc/self/fd/{image_fd}", "-append", words,
            "-nographic", "-no-reboot", "-nic", "none"]


def pump(process, console, timeout_s):
    """Feed the console until the guest has said how it ended."""
    deadline_s = time.monotonic() + timeout_s
    stream = process.stdout.fileno()
    while console.ending is None:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            where = "booting" if console.begin_s is None else "running the command"
            raise RunError(f"timeout: the guest was still {where} after {timeout_s:g} s")
        if not select.select([stream], [], [], left_s)[0]:
            continue
        data = os.read(stream, 65536)
        if not data:
            raise RunError(why_it_stopped(process, console))
        console.feed(data)


def why_it_stopped(process, console):
    code = process.wait()
    if console.panic() is not None:
        return f"the guest kernel panicked: {console.panic()}"
    if console.begin_s is None:
        return f"qemu ended (exit code {code}) while the guest was booting (is --mem too small?)"
    return f"qemu ended (exit code {code}) before the command did"


def boot(command, image_fd, console, timeout_s):
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, pass_fds=(image_fd,),
                          preexec_fn=die_with_parent) as process:
        try:
            pump(process, console, timeout_s)
        finally:
            process.kill()


def command_script(args, library_dirs):
    """What guest-init runs: settings by env, then the command in the shell's place."""
    settings = list(args.env)
    if library_dirs:
        settings.insert(0, "LD_LIBRARY_PATH=" + ":".join(library_dirs))
    words = (["env", *settings] if settings else []) + args.command
    return f"exec {shlex.join(words)}\n"


def build(args, kernel, token):
    """The bytes of the initramfs."""
    builder = initramfs.Builder()
    builder.skeleton()
    for item in args.add:
        host, _, guest = item.partition(":")
        builder.add(host, guest or None)
    if args.python:
        builder.python()
    wanted = [name for names in args.modules for name in names.split(",") if name]
    where = args.modules_dir or kernel.modules_dir
    inserted, must_be_builtin = kmodules.Modules(where).closure(wanted) if wanted else ([], [])
    builder.run_files(token, command_script(args, builder.library_dirs), inserted,
                      must_be_builtin)
    if args.dmesg:
        builder.archive.file(".vm/dmesg", b"")
    builder.shell()
    builder.busybox()
    return builder.archive.finish()


def image_file(image):
    """A memfd: no file is left behind, however this process ends."""
    image_fd = os.memfd_create("initramfs")
    with open(image_fd, "wb", closefd=False) as file:
        file.write(image)
    return image_fd


def prepare(args, token, times_s):
    """The kernel and the initramfs, with all that may be missing turned into a RunError."""
    try:
        started_s = time.monotonic()
        kernel = kernels.find(args.kernel, args.cache)
        times_s["kernel"] = time.monotonic() - started_s
        started_s = time.monotonic()
        image = build(args, kernel, token)
        times_s["initramfs"] = time.monotonic() - started_s
    except (kernels.Unavailable, kmodules.ModuleError, initramfs.BuildError, OSError) as why:
        raise RunError(str(why)) from None
    return kernel, image


def run(args):
    times_s = {}
    token = b"@vm-" + secrets.token_hex(16).encode()
    qemu = find_qemu()
    kernel, image = prepare(args, token, times_s)
    image_fd = image_file(image)
    console = Console(token, sys.stdout.buffer, sys.stderr.buffer)
    started_s = time.monotonic()
    try:
        boot(qemu_command(qemu, kernel.vmlinuz, image_fd, args), image_fd, console, args.timeout)
    except RunError:
        print(f"run.py: the guest's last lines:\n{console.last_lines()}", file=sys.stderr)
        raise
    times_s["boot"] = console.begin_s - started_s
    times_s["command"] = time.monotonic() - console.begin_s
    if args.times:
        print(f"run.py: {len(image) / 2**20:.1f} MiB; "
              + ", ".join(f"{what} {s:.2f} s" for what, s in times_s.items()), file=sys.stderr)
    if console.ending.taint & TAINT_DIE:
        raise RunError("the guest kernel oopsed; the command exited with "
                       f"{console.ending.code}, which is not to be trusted")
    return console.ending.code


def parse(argv):
    parser = argparse.ArgumentParser(
        description="Run a command as root in a small emulated machine; exit as it did.",
        epilog=f"Exit code {EXIT_HARNESS}: the run itself failed, the reason is on stderr.")
    parser.add_argument("--kernel", required=True,
                        help=f"a path, or one of {', '.join(kernels.NAMES)}")
    parser.add_argument("--mem", default="1G")
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS",
                        help="for boot and command together")
    parser.add_argument("--add", action="append", default=[], metavar="HOSTPATH[:GUESTPATH]",
                        help="a file or directory, with the shared libraries ldd names")
    parser.add_argument("--python", action="store_true", help="add Debian's python3.11")
    parser.add_argument("--modules", action="append", default=[], metavar="NAME[,NAME...]",
                        help="modules to insert before the command runs")
    parser.add_argument("--modules-dir", help="lib/modules/VERSION, if not beside the kernel")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--append", default="", help="more words for the kernel command line")
    parser.add_argument("--cache", default=kernels.DEFAULT_CACHE, help="where kernels are kept")
    parser.add_argument("--dmesg", action="store_true", help="kernel log to stderr at the end")
    parser.add_argument("--times", action="store_true", help="say on stderr how long it took")
    parser.add_argument("command", nargs="+", metavar="CMD ARGS...")
    args = parser.parse_args(argv)
    for setting in args.env:
        if "=" not in setting:
            parser.error(f"--env {setting}: NAME=VALUE is wanted")
    return args


def main():
    args = parse(sys.argv[1:])
    # A plain kill must pass through the `with` blocks, which end qemu and remove the image.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_HARNESS))
    try:
        return run(args)
    except RunError as why:
        print(f"run.py: {why}", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("run.py: interrupted", file=sys.stderr)
    return EXIT_HARNESS


if __name__ == "__main__":
    sys.exit(main())
