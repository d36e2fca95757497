"""Turns KSM on while a test waits for its pages to be merged, and restores what was set before."""
import contextlib
import fcntl
import os
import time

BASE = "/sys/kernel/mm/ksm/"
LOCK = "/tmp/mkmem-ksm.lock"  # mkmem's too: two at once would restore each other's settings
# The smart scan (6.7) passes over pages that did not merge at once.
FAST = {"smart_scan": "0", "pages_to_scan": "20000", "sleep_millisecs": "2", "run": "1"}
TIMEOUT_S = 60


class Unavailable(Exception):
    """Pages cannot be merged here; the text says why."""


def _read(name):
    with open(BASE + name, encoding="ascii") as file:
        return file.read().strip()


def _write(name, value):
    with open(BASE + name, "w", encoding="ascii") as file:
        file.write(value)


def _merged_pages(pids):
    """Pages of these processes that are merged with others."""
    count = 0
    for pid in pids:
        with open(f"/proc/{pid}/ksm_merging_pages", encoding="ascii") as file:
            count += int(file.read())
    return count


@contextlib.contextmanager
def _fast():
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = {name: _read(name) for name in FAST if os.path.exists(BASE + name)}
        try:
            for name in before:
                _write(name, FAST[name])
            yield
        finally:
            for name, value in before.items():
                _write(name, value)
    finally:
        os.close(lock)


def merge(pids, pages):
    """Returns when so many pages of these processes in all are merged."""
    try:
        with _fast():
            until = time.monotonic() + TIMEOUT_S
            while _merged_pages(pids) < pages:
                if time.monotonic() > until:
                    raise Unavailable(f"KSM merged {_merged_pages(pids)} of {pages} pages")
                time.sleep(0.02)
    except OSError as error:
        raise Unavailable(f"KSM cannot be turned on: {error}") from error
