#!/usr/bin/env -S python3 -B
"""What memoir trim costs beside a bare loop over process_madvise(2), and what its target feels of it. Sets up swap on
zram for the time it runs; needs root. It must not use the swap of anyone else.

    bench/trim.py [MIB [ROUNDS]]    1024 MiB, 5 rounds of floor, bare, race, check, freeze, default in turn

The default takes longer than the bare loop, for its pauses, and so meets more of what the machine does besides: its
longest lateness is compared twice, that of as many touches and that of all. The floor is what is seen without hints.
"""
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SOURCE / "tests/live"))
import zram  # noqa: E402

MIB = 1 << 20
# (what, figure, by which, bar: at most)
BARS = (
    ("planning / one PAGEMAP_SCAN and maps", "plan_ns", "scan_and_maps_ns", 0.2),
    ("time, no guard, no pauses / bare loop", "race_ns", "bare_ns", 1 / 0.95),
    ("time, --check, no pauses / bare loop", "check_ns", "bare_ns", 1 / 0.93),
    ("p99 of a touch, --check / bare loop", "check_touch_p99_ns", "bare_touch_p99_ns", 1.5),
    ("p99 of a touch, as it is by default / bare loop", "default_touch_p99_ns",
     "bare_touch_p99_ns", 1.5),
    ("longest lateness of 5000 touches, default / bare", "default_late_even_ns",
     "bare_late_even_ns", 0.5),
    ("longest lateness of all touches, default / bare", "default_late_most_ns",
     "bare_late_most_ns", 0.5),
    ("longest lateness of 5000 touches, floor / bare", "floor_late_even_ns", "bare_late_even_ns", None),
    ("longest lateness of all touches, floor / bare", "floor_late_most_ns", "bare_late_most_ns", None),
    ("p99 of lateness, default / bare", "default_late_p99_ns", "bare_late_p99_ns", None),
    ("time, as it is by default / bare loop", "default_ns", "bare_ns", None),
    ("longest wait for mmap(2), default / bare loop", "default_map_most_ns", "bare_map_most_ns",
     0.5),
    ("longest wait for mmap(2), --freeze / bare loop", "freeze_map_most_ns", "bare_map_most_ns",
     None),
)


def main():
    build = Path(os.environ.get("MEMOIR_BUILD", SOURCE / "build"))
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    rounds = sys.argv[2] if len(sys.argv) > 2 else "5"
    with zram.swap(mib * MIB * 5 // 4):
        done = subprocess.run([build / "bench/lib-trim", str(mib), rounds], text=True,
                              stdout=subprocess.PIPE, check=True)
    words = done.stdout.split()
    figures = dict(zip(words[::2], map(int, words[1::2])))
    for what, figure, by, bar in BARS:
        ratio = figures[figure] / max(figures[by], 1)
        verdict = "" if bar is None else "ok" if ratio <= bar else "over"
        print(f"{what:52} {figures[figure] / 1e6:10.3f} ms {figures[by] / 1e6:10.3f} ms  {ratio:6.3f}  "
              f"{'' if bar is None else f'<= {bar:.3f}'}  {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
