"""Starts a workload, says what it maps, and ends it; it must not leave a process behind."""

import array
import os
import subprocess
from dataclasses import dataclass

from measure import RunFailed

PAGE_BYTES = 4096
KPAGECOUNT_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Load:
    """What a workload maps, as the kernel itself counts it."""

    processes: int
    vmas: int
    rss_bytes: int
    pss_bytes: int
    thp_bytes: int

    def sentence(self):
        return (f"{self.processes} processes, {self.vmas} VMAs, "
                f"{self.rss_bytes // PAGE_BYTES} pages mapped (Rss {self.rss_bytes >> 20} MiB, "
                f"Pss {self.pss_bytes >> 20} MiB, THP {self.thp_bytes >> 20} MiB)")


def _rollup_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as lines:
        next(lines)
        return {key: int(value.split()[0]) * 1024
                for key, value in (line.split(":", 1) for line in lines)}


def measure_load(pids):
    """Counts the VMAs and pages of the processes."""
    vmas, rollups = 0, []
    for pid in pids:
        with open(f"/proc/{pid}/maps", "rb") as lines:
            vmas += sum(1 for _ in lines)
        rollups.append(_rollup_bytes(pid))

    def total(key):
        return sum(rollup[key] for rollup in rollups)

    return Load(len(pids), vmas, total("Rss"), total("Pss"), total("AnonHugePages"))


def shared_frames():
    """Distinct frames that are mapped more than once; None where that may not be read."""
    count = 0
    try:
        with open("/proc/kpagecount", "rb", buffering=0) as counts:
            while chunk := counts.read(KPAGECOUNT_CHUNK_BYTES):
                count += sum(1 for mapped in array.array("Q", chunk) if mapped > 1)
    except OSError:
        return None
    return count


@dataclass(frozen=True)
class Page:
    """A page to ask about, and how many regions the kernel says map it."""

    target: str
    regions: int


def _pages(pid, start, end):
    """(mappings, address) of every 64th page that is in RAM."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as words, \
            open("/proc/kpagecount", "rb", buffering=0) as counts:
        for address in range(start, end, 64 * PAGE_BYTES):
            words.seek(address // PAGE_BYTES * 8)
            word = int.from_bytes(words.read(8), "little")
            if word >> 63:
                counts.seek((word & (1 << 55) - 1) * 8)
                yield int.from_bytes(counts.read(8), "little"), address


def widest_page(pid, path):
    """The page of a process that most map: anonymous with an empty path, else of such a file."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            span, _, _, _, inode, *rest = line.split(maxsplit=5)
            start, end = (int(part, 16) for part in span.split("-"))
            if inode == "0" if not path else path in "".join(rest):
                found += [(count, address, end) for count, address in _pages(pid, start, end)
                          if start < 1 << 47]
    if not found:
        raise RunFailed(f"process {pid} has no such page")
    count, address, _ = max(found)
    return Page(f"{pid}:{address:x}", count)


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    raise RunFailed("no MemAvailable in /proc/meminfo")


class Workload:
    """A running workload, for `with`; pids are its children, all_pids the starter as well."""

    def __init__(self, program, arguments, environment=()):
        """An environment variable whose value is None is taken out."""
        settings = {**os.environ, **dict(environment)}
        self._environment = {name: value for name, value in settings.items() if value is not None}
        self._argv = [program, *arguments]
        self._process = None
        self.pids = []

    @property
    def all_pids(self):
        return [self._process.pid, *self.pids]

    def __enter__(self):
        try:
            self._process = subprocess.Popen(
                self._argv, env=self._environment, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise RunFailed(f"{self._argv[0]}: {error.strerror}") from None
        try:
            self._read_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _read_ready(self):
        words = self._process.stdout.readline().split()
        ready = self._process.stdout.readline().strip()
        if words[:1] != ["pids"] or ready != "READY":
            raise RunFailed(f"{' '.join(self._argv)}: it did not start")
        self.pids = [int(word) for word in words[1:]]

    def __exit__(self, *_exception):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
