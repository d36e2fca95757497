"""Reads /proc/PID/smaps into regions, in kB as the kernel prints them; it computes no shares."""
import os
import re
from dataclasses import dataclass, field

HEADER = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) (\S+) (\d+) *(.*)", re.DOTALL)

# What memoir's figures are, in the lines of smaps.
FIGURES = {
    "rss_bytes": ("Rss",),
    "pss_bytes": ("Pss",),
    "uss_bytes": ("Private_Clean", "Private_Dirty"),
    "shared_bytes": ("Shared_Clean", "Shared_Dirty"),
    "swap_bytes": ("Swap",),
    "swap_pss_bytes": ("SwapPss",),
    "anon_bytes": ("Anonymous",),
    "thp_bytes": ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped"),
    "hugetlb_bytes": ("Private_Hugetlb", "Shared_Hugetlb"),
}
WANTED = {line.encode(): line for lines in FIGURES.values() for line in lines}
# Cut off once a region, so that a sum of n regions may be n - 1 too small.
ROUNDED = ("pss_bytes", "swap_pss_bytes")


@dataclass(frozen=True)
class Region:
    """One VMA. Equal when all that memoir reports is equal."""

    start: int
    end: int
    perms: str
    offset: int
    device: str
    inode: int
    path: bytes = field(compare=False)  # as printed: only newlines are escaped
    kb: dict = field(compare=False)
    figures: tuple = ()

    def get(self, name):
        return dict(self.figures)[name]

    def __str__(self):
        path = self.path.decode(errors="backslashreplace")
        return f"{self.start:x}-{self.end:x} {self.perms} {path}".rstrip()


def _figures(kb):
    known = [(name, sum(kb.get(line, 0) for line in lines)) for name, lines in FIGURES.items()]
    return tuple(known) + (("file_shmem_bytes", kb["Rss"] - kb["Anonymous"]),)


def _region(header, kb):
    start, end, perms, offset, device, inode, path = header.groups()
    return Region(int(start, 16), int(end, 16), perms.decode(), int(offset, 16), device.decode(),
                  int(inode), path, kb, _figures(kb))


def _field(line, kb):
    """Takes a line `Name:  123 kB`; returns whether it is one, wanted or not."""
    name, colon, value = line.partition(b":")
    if name in WANTED:
        kb[WANTED[name]] = int(value[:-3])
    # A header has a colon too, in the device, but begins with an address.
    return colon and 65 <= line[0] <= 90


def parse(text):
    """All regions of a smaps file but [vsyscall], which belongs to no process."""
    regions, header, kb = [], None, {}
    for line in text.split(b"\n") + [b"0-0 ---- 0 0:0 0 "]:
        if _field(line, kb):
            continue
        found = HEADER.fullmatch(line)
        if found:
            if header and header[7] != b"[vsyscall]":
                regions.append(_region(header, kb))
            header, kb = found, {}
    return regions


def _proc_file(pid, name):
    """The leader's file, or that of a living thread where the leader has exited."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            text = file.read()
    except ProcessLookupError:  # smaps_rollup of a leader that has exited
        text = b""
    for thread in [] if text else os.listdir(f"/proc/{pid}/task"):
        if thread != str(pid):
            with open(f"/proc/{pid}/task/{thread}/{name}", "rb") as file:
                text = file.read()
        if text:
            break
    return text


def read(pid):
    return parse(_proc_file(pid, "smaps"))


def read_rollup(pid):
    """The kernel's own sums, in kB, by the names in FIGURES; None where there are none."""
    kb = {}
    for line in _proc_file(pid, "smaps_rollup").split(b"\n")[1:]:
        _field(line, kb)
    return dict(_figures(kb)) if kb else None


def by_start(regions):
    return {region.start: region for region in regions}
