"""Measures what really came back: free pages and the per-CPU lists, with what the kernel itself gave
back kept apart. It must not know what was expected."""
import contextlib
import glob
import re
import time
from dataclasses import dataclass, fields

KB = 1024
PAGE = 4096
SETTLE_S = 0.1  # page tables and stacks are freed after a grace period of RCU


@dataclass(frozen=True)
class Reading:
    """In bytes, all of the machine. A difference of two is what came back in between."""

    free: int = 0
    tables: int = 0  # page tables and kernel stacks
    other_kernel: int = 0  # slab and per-CPU memory
    zram: int = 0
    swap_free: int = 0

    def __sub__(self, other):
        return Reading(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))

    def ram(self):
        """Of a difference: memory of processes that came back. The kernel's own counts were freed
        too where they fell."""
        return self.free + self.tables + self.other_kernel + self.zram


def _meminfo():
    with open("/proc/meminfo", encoding="ascii") as file:
        return {line.split(":")[0]: int(line.split()[1]) * KB for line in file}


def _free():
    """In the zones and on the per-CPU lists, by one look: pages go from the ones to the others by themselves."""
    with open("/proc/zoneinfo", encoding="ascii") as file:
        text = file.read()
    return PAGE * sum(map(int, re.findall(r"(?:cpu: \d+\n\s*count:|pages free)\s*(\d+)", text)))


def _zram():
    used = 0
    for path in glob.glob("/sys/block/zram*/mm_stat"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            used += int(file.read().split()[2])
    return used


def read():
    """Counters of CPUs are summed up first: each may keep some hundred pages to itself."""
    with open("/proc/sys/vm/stat_refresh", "w", encoding="ascii") as file:
        file.write("1")
    about = _meminfo()
    return Reading(_free(), about["PageTables"] + about["KernelStack"],
                   about["Slab"] + about.get("Percpu", 0), _zram(), about["SwapFree"])


def change(action=lambda: None):
    """What came back while something was done."""
    before = read()
    action()
    time.sleep(SETTLE_S)
    return read() - before
