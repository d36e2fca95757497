"""Turns on 1 GiB of swap in zram while a test runs; it must not touch the swap of anyone else."""
import contextlib
import fcntl
import os
import subprocess
import time

LOCK = "/tmp/memoir-zram.lock"
LOCK_WAIT_S = 300
SIZE_BYTES = 1 << 30


class Unavailable(Exception):
    """No swap can be had here; the text says why."""


def _swaps():
    with open("/proc/swaps", encoding="utf-8") as file:
        return [line.split()[0] for line in file.readlines()[1:]]


def _lock():
    """Waits for whoever else uses zram."""
    fd = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(fd)
                raise Unavailable(f"{LOCK} stays locked") from None
            time.sleep(0.2)


def _write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(value)


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def _free_device():
    """The name of a zram device nobody has set up."""
    if not os.path.exists("/sys/block/zram0"):
        subprocess.run(["modprobe", "zram"], check=False, stderr=subprocess.DEVNULL)
    for name in sorted(os.listdir("/sys/block")):
        if name.startswith("zram") and _read(f"/sys/block/{name}/disksize") == "0":
            return name
    return "zram" + _read("/sys/class/zram-control/hot_add")


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")


def _set_up(size_bytes):
    name = None
    try:
        name = _free_device()
        _write(f"/sys/block/{name}/disksize", str(size_bytes))
        _run("mkswap", f"/dev/{name}")
        _run("swapon", f"/dev/{name}")
        return name
    except (OSError, Unavailable) as error:
        if name:
            _reset(name)
        raise Unavailable(f"no swap on zram: {error}") from error


def _reset(name):
    with contextlib.suppress(OSError):
        _write(f"/sys/block/{name}/reset", "1")


@contextlib.contextmanager
def swap(size_bytes=SIZE_BYTES):
    """Swap is on inside, of this size unless there is some already. Raises Unavailable where it cannot be."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    lock = _lock()
    name = None
    try:
        if not _swaps():
            name = _set_up(size_bytes)
        yield
    finally:
        if name:
            _run("swapoff", f"/dev/{name}")
            _reset(name)
        os.close(lock)


@contextlib.contextmanager
def swap_if_any():
    """Swap is on inside if there can be any; else says why not, as TAP does."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(swap())
        except Unavailable as why:
            print(f"# {why}")
        yield
