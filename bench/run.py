#!/usr/bin/env -S python3 -B
"""Compares memoir with its peers, both measured in the same run; it must not hide what did not run.

Each case starts a workload, checks once that memoir's answer covers it, then times memoir and a
peer in turn, A B A B, as whole processes with their output to /dev/null, and compares medians.
"""

import argparse
import contextlib
import datetime
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass, field

import measure
from load import (Load, Workload, available_bytes, measure_load, shared_frames,
                  widest_page)
from measure import RunFailed

MIB = 1 << 20
GIB = 1 << 30
# 3 is "done, but part of the data was not readable", which peers meet too.
MEMOIR_EXITS = (0, 3)
QUIET_PROCESSES = 100
PARTIAL_NOTE = "memoir says that part of the data was not readable"
SETTLE_S = 1.0
BUILT_HERE = ("rollup-loop", "workload", "peak-rss", "lib-load", "lib-map", "frames-loop",
              "lib-ledger", "lib-capture", "lib-who", "lib-whatif", "lib-name", "lib-announce",
              "name-read", "name-weak", "watch-cost", "fds-loop", "lib-files", "lib-watch",
              "auto-malloc", "lib-idle", "name-run")
# Ours that time themselves, and say so on standard output.
LIBRARY = ("lib-map", "lib-ledger", "lib-files", "lib-capture", "name-run")
RSS_TOLERANCE = 0.01
THP_PART = 0.95
PEAK_BYTES_PER_FRAME = 16
PEAK_BASE_BYTES = 64 * MIB
PEAK_RUNS = 3
WHO_LIBRARY_RUNS = 3
WHO_COMMAND_RUNS = 11
WHO_LIBRARY_MS = 5
WHO_COMMAND_MS = 40
# A page of a file: for each region that maps this part of it.
WHO_REGION_MS = 0.05
# All questions about sets, asked of a captured machine.
SETS_NS = 20e6


@dataclass(frozen=True)
class Versus:
    """One comparison: memoir's time may be at most ratio times the peer's, plus plus_ms."""

    memoir: tuple
    peer: tuple
    ratio: float = 1.0
    plus_ms: float = 0.0
    pairs: int = 11
    quick_pairs: int = 5
    # Words whose number is the time, for programs that time themselves; None: the whole process.
    memoir_key: str | None = None
    peer_key: str | None = None

    def bar(self):
        return f"peer + {self.plus_ms:g} ms" if self.plus_ms else f"<= {self.ratio:g}"

    def allowed(self, peer_ms):
        return self.ratio * peer_ms + self.plus_ms


@dataclass(frozen=True)
class Limit:
    """One figure that a program of ours prints behind a key, and the most that it may be."""

    words: tuple
    key: str | None  # None: the time of the whole process
    allowed: float
    unit: str = "ns"
    runs: int = 7


@dataclass(frozen=True)
class Case:
    """One workload and what is compared on it."""

    name: str
    versus: tuple = ()
    limits: tuple = ()
    workload: tuple = ()
    beside: tuple = ()  # a second workload
    needs_bytes: int = 0
    thp_bytes: int = 0
    peak: bool = False
    who: bool = False
    quiet: bool = False
    # What the workload's other run has in its environment, to compare with; and how often both run.
    peer_environment: tuple = ()
    rounds: int = 3


@dataclass
class Row:
    """One line of the table and one object of the JSON; None is a figure that there is not."""

    case: str
    what: str
    peer: str
    bar: str
    verdict: str = "not run"
    unit: str = "ms"
    memoir: float | None = None
    peer_value: float | None = None
    ratio: float | None = None
    memoir_cpu_ms: float | None = None
    peer_cpu_ms: float | None = None
    notes: list = field(default_factory=list)
    memoir_all: list = field(default_factory=list)
    peer_all: list = field(default_factory=list)


PS = ("memoir", "ps", "--json")
MAP = ("memoir", "map", "{pid}", "--json")
LIB_MAP = ("lib-map", "{pid}")
LOOP = ("rollup-loop",)
LOOP_ONE = ("rollup-loop", "{pid}")
FDS_LOOP = ("fds-loop",)
FRAMES_LOOP = ("frames-loop",)
RUN = ("memoir", "run")
# Real programs that name nothing, of different shares of system calls.
REAL = (("cc", "-O2", "-D_GNU_SOURCE", "-c", "{bench}/name-run.c", "-o", "/dev/null"),
        ("python3", "-Ic", "import email, json, sqlite3, unittest"),
        ("grep", "-rsc", "memory", "/usr/include"),
        ("find", "/usr", "-name", "*.h", "-newer", "/usr"))

CASES = (
    Case("quiet", (Versus(PS, LOOP, plus_ms=20, pairs=31, quick_pairs=11),), quiet=True),
    # As often as it is asked for in one process; the first time in a process it is a millisecond more.
    Case("load", limits=(Limit(("lib-load",), "load_ns", 5e6),)),
    Case("forked",
         (Versus(PS, LOOP, ratio=0.5),
          Versus(PS, ("rollup-loop", "-t", "{cpus}"), ratio=0.9),
          Versus(PS, ("smem", "-t", "-k"), ratio=0.2, pairs=5, quick_pairs=3)),
         workload=("forked", "300"), needs_bytes=2 * GIB, peak=True),
    Case("programs", (Versus(PS, LOOP, ratio=0.4),),
         workload=("programs", "300"), needs_bytes=4 * GIB),
    Case("pages",
         (Versus(MAP, LOOP_ONE, ratio=0.5, pairs=15),
          Versus(LIB_MAP, LOOP_ONE, ratio=0.35, pairs=15,
                 memoir_key="lib_map_ns", peer_key="loop_ns")),
         workload=("pages", str(4 * GIB)), needs_bytes=6 * GIB),
    Case("pages-thp", (Versus(MAP, LOOP_ONE, plus_ms=15, pairs=31, quick_pairs=11),),
         workload=("pages", str(4 * GIB), "thp"), needs_bytes=6 * GIB, thp_bytes=4 * GIB),
    Case("vmas",
         (Versus(MAP[:3], ("rollup-loop", "-f", "smaps", "{pid}"), ratio=0.5),
          Versus(MAP, ("rollup-loop", "-f", "smaps", "{pid}"), ratio=0.5)),
         workload=("vmas", "60000"), needs_bytes=GIB),
    Case("named",
         (Versus(PS, (), ratio=1.1),
          Versus(("lib-capture",), (), ratio=1.1, quick_pairs=1, memoir_key="lib_capture_ns"),
          # These have 15,000 rows more to make, and sums to make and to show.
          Versus(("lib-capture", "rows"), (), ratio=1.4, quick_pairs=1,
                 memoir_key="lib_capture_ns"),
          Versus(("memoir", "names", "--json"), (), ratio=1.4)),
         workload=("named", "300"), needs_bytes=3 * GIB,
         peer_environment=("MEMOIR_NAMES", "off")),
    Case("who", (), workload=("forked", "400"), needs_bytes=3 * GIB, who=True),
    Case("whatif",
         limits=tuple(Limit(("lib-whatif",), f"lib_{question}_ns", SETS_NS, runs=3)
                      for question in ("sharing", "whatif_all", "whatif_half", "footprints")),
         workload=("forked", "400"), beside=("programs", "280"), needs_bytes=7 * GIB),
    # By the tracepoint of all calls; where functions may be traced only prctl and mappings get slower.
    Case("watch",
         limits=(Limit(("watch-cost",), "call_extra_ns", 300),
                 Limit(("watch-cost",), "name_extra_ns", 8000))),
    Case("names",
         limits=(Limit(("lib-name", "100"), "again_ns", 60),
                 Limit(("lib-name", "100"), "clear_and_name_ns", 60),
                 Limit(("lib-name", "100000"), "again_ns", 150),
                 Limit(("lib-name", "100000"), "clear_and_name_ns", 150),
                 Limit(("lib-name", "100000"), "bytes_per_range", 32, "B"),
                 Limit(("lib-announce", "1000"), "announced_ratio", 1000, "/1000"),
                 Limit(("name-read", "100000"), "name_read_ns", 10e6),
                 Limit(("name-weak",), "weak_ps", 1000, "ps"))),
    Case("buffers",
         (Versus(("lib-files",), FDS_LOOP, ratio=0.15, memoir_key="lib_files_ns",
                 peer_key="loop_ns"),
          Versus(("lib-files", "text"), FDS_LOOP, ratio=1.1, memoir_key="lib_files_ns",
                 peer_key="loop_ns")),
         limits=(Limit(("memoir", "buffers", "--json"), None, 100e6, runs=11),
                 Limit(("lib-watch",), "watch_ppm", 50000, "ppm", runs=3)),
         workload=("fds", "300"), needs_bytes=GIB),
    Case("auto",
         limits=(Limit(("auto-malloc",), "small_ratio", 1040, "/1000", runs=3),
                 Limit(("auto-malloc",), "small_more_ps", 1500, "ps", runs=3),
                 Limit(("auto-malloc",), "large_more_ps", 200000, "ps", runs=3),
                 Limit(("auto-malloc",), "mmap_more_ps", 1000000, "ps", runs=3))),
    # 1 % of a CPU for looking every 60 s at 1 GiB, with what it costs the watched process.
    Case("idle", limits=(Limit(("lib-idle", str(GIB)), "idle_ppm", 10000, "ppm", runs=3),),
         needs_bytes=2 * GIB),
    Case("run",
         tuple(Versus((*RUN, "name-run", work), ("name-run", work), ratio=ratio, pairs=31,
                      quick_pairs=11, memoir_key="run_ns", peer_key="run_ns")
               for work, ratio in (("cpu", 1.01), ("walk", 1.03), ("copy", 1.1),
                                   ("getppid", 1.2))) +
         tuple(Versus((*RUN, "name-run", "program", *program), ("name-run", "program", *program),
                      ratio=1.01, pairs=31, quick_pairs=11, memoir_key="run_ns",
                      peer_key="run_ns") for program in REAL),
         limits=(Limit((*RUN, "name-run", "calls"), "call_ns", 47000),
                 Limit((*RUN, "name-run", "calls"), "forgotten_ns", 1000))),
    Case("ledger",
         (Versus(("lib-ledger",), FRAMES_LOOP, ratio=1.3, pairs=5, quick_pairs=3,
                 memoir_key="lib_ledger_ns", peer_key="loop_ns"),
          Versus(("lib-ledger", "1"), FRAMES_LOOP, ratio=1.3, pairs=5, quick_pairs=3,
                 memoir_key="lib_ledger_ns", peer_key="loop_ns"))),
    Case("ledger-thp",
         (Versus(("lib-ledger", "1"), FRAMES_LOOP, ratio=1.3, pairs=5, quick_pairs=3,
                 memoir_key="lib_ledger_ns", peer_key="loop_ns"),),
         workload=("pages", str(4 * GIB), "thp"), needs_bytes=6 * GIB, thp_bytes=4 * GIB),
)


class Programs:
    """Where memoir and its peers are, and what stands for the words in braces."""

    def __init__(self, build):
        self._build = build
        self.cpus = len(os.sched_getaffinity(0))

    def path(self, name):
        """The program's path; raises RunFailed, with what would help, when it is not there."""
        if name == "memoir":
            path = os.path.join(self._build, name)
        elif name in BUILT_HERE:
            path = os.path.join(self._build, "bench", name)
        else:
            path = shutil.which(name)
            if path is None:
                raise RunFailed(f"{name} is not installed (on Debian: apt-get install {name})")
        if not os.access(path, os.X_OK):
            raise RunFailed(f"{path} is not built")
        return path

    def argv(self, words, pid):
        return [self.path(words[0]), *(
            self.path(word) if word in BUILT_HERE else
            word.format(pid=pid, cpus=self.cpus, bench=os.path.dirname(os.path.abspath(__file__)))
            for word in words[1:])]

    def shown(self, words):
        return " ".join(words).format(pid="PID", cpus=self.cpus, bench="bench")


@dataclass(frozen=True)
class Scene:
    """What a comparison runs in: the programs, the workload under way (or None) and its load."""

    programs: Programs
    workload: Workload | None
    load: Load | None
    quick: bool

    def runner(self, words):
        """A function that runs the command once; what times itself on stdout has it kept."""
        argv = self.programs.argv(words, self.workload.pids[0] if self.workload else None)
        exits = MEMOIR_EXITS if words[0] == "memoir" else (0,)
        keeps = words[0] in LIBRARY or words[:2] == RUN
        return lambda keep=keeps: measure.run(argv, keep, exits)


def say(text):
    print(text, flush=True)


def check_json(output, kind, scene):
    """A fast answer that leaves the workload out is no answer: raises RunFailed."""
    report = json.loads(output)
    if not report["schema"].startswith(f"memoir.{kind}/"):
        raise RunFailed(f"schema {report['schema']!r} is not that of {kind}")
    if kind == "ps" and scene.workload:
        missing = set(scene.workload.all_pids) - {row["pid"] for row in report["rows"]}
        if missing:
            raise RunFailed(f"{len(missing)} processes of the workload are not in the answer")
    if kind == "map":
        rss_bytes = sum(row["rss_bytes"] or 0 for row in report["rows"])
        wanted_bytes = scene.load.rss_bytes
        if abs(rss_bytes - wanted_bytes) > RSS_TOLERANCE * wanted_bytes:
            raise RunFailed(f"rows add up to {rss_bytes} bytes, Rss is {wanted_bytes}")


def check_answer(run, words, scene):
    """Reads the answer of memoir's warm-up (the timed runs' is not read); returns notes."""
    shown = scene.programs.shown(words)
    if words[:2] == RUN:
        return []
    if "--json" in words:
        try:
            check_json(run.output, words[1], scene)
        except (ValueError, KeyError, TypeError) as error:
            raise RunFailed(f"{shown}: not the JSON of the contract: {error!r}") from None
    elif run.output.count(b"\n") < scene.load.vmas:
        raise RunFailed(f"{shown}: fewer lines than the {scene.load.vmas} VMAs")
    return [PARTIAL_NOTE] if run.exit_code == 3 else []


def warm_up(row, words, scene):
    """Runs the command once; returns the function that runs it, or None with a note in the row."""
    try:
        run_once = scene.runner(words)
        run = run_once(True)
        if words[0] == "memoir":
            row.notes += check_answer(run, words, scene)
        elif words[0] in LIBRARY:
            # Not what a program that is measured says itself.
            for line in run.output.decode(errors="replace").splitlines():
                if line.split()[1:2] and line.split()[1].isdigit():
                    say(f"  {line}")
        elif words[0] == "rollup-loop" and (unreadable := run.number_after("unreadable")):
            row.notes.append(f"rollup-loop was refused {unreadable} processes")
        return run_once
    except RunFailed as error:
        row.notes.append(str(error))
        return None


def times_ms(runs, key):
    return [(run.number_after(key) if key else run.wall_ns) / 1e6 for run in runs]


def cpu_ms(runs):
    return measure.median(run.cpu_ns / 1e6 for run in runs)


def judge(row, allowed):
    """Sets medians, ratio and verdict; without one side there is none."""
    row.memoir, row.peer_value = measure.median(row.memoir_all), measure.median(row.peer_all)
    if row.memoir is not None and row.peer_value is not None:
        row.ratio = row.memoir / row.peer_value
        row.verdict = "ok" if row.memoir <= allowed(row.peer_value) else "over"


def compare(case, versus, scene):
    """One row: warm-ups, pairs, medians. When one side is missing the other is still timed."""
    row = Row(case.name, scene.programs.shown(versus.memoir), scene.programs.shown(versus.peer),
              versus.bar())
    run_memoir = warm_up(row, versus.memoir, scene)
    run_peer = warm_up(row, versus.peer, scene)
    pairs = versus.quick_pairs if scene.quick else versus.pairs
    try:
        memoir_runs, peer_runs = measure.alternate(run_memoir, run_peer, pairs)
        row.memoir_all = times_ms(memoir_runs, versus.memoir_key)
        row.peer_all = times_ms(peer_runs, versus.peer_key)
    except RunFailed as error:
        row.notes.append(str(error))
        return row
    row.memoir_cpu_ms, row.peer_cpu_ms = cpu_ms(memoir_runs), cpu_ms(peer_runs)
    judge(row, versus.allowed)
    return row


def compare_peak(case, scene):
    """The row of peak memory: what memoir may use depends on the frames that are shared now."""
    row = Row(case.name, scene.programs.shown(PS) + " peak RSS", "allowed", "<= 1", unit="MiB")
    frames = shared_frames()
    if frames is None:
        row.notes.append("/proc/kpagecount could not be read: run as root")
    else:
        row.peer = f"{PEAK_BYTES_PER_FRAME} B x {frames} shared frames + 64 MiB"
        row.peer_all = [(PEAK_BYTES_PER_FRAME * frames + PEAK_BASE_BYTES) / MIB]
    try:
        argv = [scene.programs.path("peak-rss"), *scene.programs.argv(PS, None)]
        runs = [measure.run(argv, True, MEMOIR_EXITS) for _ in range(PEAK_RUNS)]
        row.memoir_all = [run.number_after("max_rss_bytes") / MIB for run in runs]
    except RunFailed as error:
        row.notes.append(str(error))
    judge(row, lambda allowed_mib: allowed_mib)
    return row


def who_times_ms(scene, target, command):
    """One figure for each answer; the library's have no start of a process in them."""
    if command:
        argv = [scene.programs.path("memoir"), "who", target, "--json"]
        runs = [measure.run(argv, False, MEMOIR_EXITS) for _ in range(WHO_COMMAND_RUNS)]
        return [run.wall_ns / 1e6 for run in runs]
    argv = [scene.programs.path("lib-who"), target]
    return [measure.run(argv, True).number_after("lib_who_ns") / 1e6
            for _ in range(WHO_LIBRARY_RUNS)]


def compare_who(case, scene):
    """Who maps a page, against fixed bars; of a file, against one that grows with its mappers."""
    rows = []
    try:
        pages = {"anonymous page": widest_page(scene.workload.pids[-1], ""),
                 "file page": widest_page(scene.workload.pids[-1], "libc.so")}
    except (OSError, RunFailed) as error:
        return [Row(case.name, "who", "allowed", "-", notes=[str(error)])]
    for what, page in pages.items():
        bar = WHO_LIBRARY_MS if what.startswith("anon") else 1 + WHO_REGION_MS * page.regions
        for command, limit in ((False, bar), (True, WHO_COMMAND_MS)):
            row = Row(case.name, f"{'memoir who' if command else 'lib-who'}, {what}",
                      f"allowed, {page.regions} mappers", f"<= {limit:g} ms")
            row.peer_all = [limit]
            try:
                row.memoir_all = who_times_ms(scene, page.target, command)
            except RunFailed as error:
                row.notes.append(str(error))
            judge(row, lambda allowed_ms: allowed_ms)
            rows.append(row)
    return rows

def compare_limit(case, limit, scene):
    """The row of a figure that has a bar of its own; the program measures it."""
    row = Row(case.name, f"{scene.programs.shown(limit.words)} {limit.key or ''}".rstrip(),
              "allowed", "<= 1", unit=limit.unit, peer_all=[limit.allowed])
    try:
        exits = MEMOIR_EXITS if limit.words[0] == "memoir" else (0,)
        runs = [measure.run(scene.programs.argv(limit.words, None), bool(limit.key), exits)
                for _ in range(limit.runs)]
        row.memoir_all = [run.number_after(limit.key) if limit.key else run.wall_ns
                          for run in runs]
    except RunFailed as error:
        row.notes.append(str(error))
    judge(row, lambda allowed: allowed)
    return row


def processes_with_memory():
    """How many processes are not kernel threads."""
    count = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(entry.path + "/statm", "rb") as statm:
                    count += statm.read(2) != b"0 "
            except OSError:
                pass  # it ended since it was listed
    return count


def why_not_judged(case, load):
    """Why the figures of this case would not be what the bar is about; None when they are."""
    if os.geteuid() != 0:
        return "not root: all programs read only this user's processes"
    if case.quiet and (count := processes_with_memory()) >= QUIET_PROCESSES:
        return f"not quiet: {count} processes, the bar is for under {QUIET_PROCESSES}"
    if load and load.thp_bytes < THP_PART * case.thp_bytes:
        return (f"only {load.thp_bytes >> 20} MiB are THP "
                "(see /sys/kernel/mm/transparent_hugepage/enabled)")
    return None


def rows_of(case, scene):
    time.sleep(SETTLE_S)
    reason = why_not_judged(case, scene.load)
    rows = [compare(case, versus, scene) for versus in case.versus]
    rows += [compare_limit(case, limit, scene) for limit in case.limits]
    if case.peak:
        rows.append(compare_peak(case, scene))
    if case.who:
        rows += compare_who(case, scene)
    if reason:
        for row in rows:
            row.verdict = "not run"
            row.notes.append(reason)
    return rows


def compare_environments(case, programs, quick, loads):
    """The same commands with one workload and the other, in turn: not both at once."""
    rows = [Row(case.name, programs.shown(versus.memoir), "=".join(case.peer_environment),
                versus.bar()) for versus in case.versus]
    name, value = case.peer_environment
    for _ in range(1 if quick else case.rounds):
        for mine, setting in ((True, None), (False, value)):
            with Workload(programs.path("workload"), case.workload, {name: setting}) as workload:
                load = measure_load(workload.pids)
                say(f"  {name}={setting}: {load.sentence()}")
                loads[f"{case.name} {setting}"] = load
                time.sleep(SETTLE_S)
                scene = Scene(programs, workload, load, quick)
                for row, versus in zip(rows, case.versus):
                    run_once = warm_up(row, versus.memoir, scene)
                    runs = [run_once() for _ in range(versus.quick_pairs)] if run_once else []
                    times = row.memoir_all if mine else row.peer_all
                    times += times_ms(runs, versus.memoir_key)
    for row, versus in zip(rows, case.versus):
        judge(row, versus.allowed)
    return rows


def run_case(case, programs, quick, loads):
    """All rows of a case, with its workload started and ended; what it maps goes into loads."""
    say(f"{case.name} ...")
    try:
        if case.peer_environment:
            return compare_environments(case, programs, quick, loads)
        if not case.workload:
            say(f"  {processes_with_memory()} processes with memory")
            return rows_of(case, Scene(programs, None, None, quick))
        if available_bytes() < case.needs_bytes:
            raise RunFailed(f"needs {case.needs_bytes >> 20} MiB of available memory")
        with contextlib.ExitStack() as stack:
            workload = stack.enter_context(Workload(programs.path("workload"), case.workload))
            if case.beside:
                beside = stack.enter_context(Workload(programs.path("workload"), case.beside))
                loads[f"{case.name}, beside"] = load = measure_load(beside.all_pids)
                say(f"  {load.sentence()}")
            pids = workload.all_pids if len(workload.pids) > 1 else workload.pids
            loads[case.name] = load = measure_load(pids)
            say(f"  {load.sentence()}")
            return rows_of(case, Scene(programs, workload, load, quick))
    except RunFailed as error:
        return [Row(case.name, programs.shown(versus.memoir), programs.shown(versus.peer),
                    versus.bar(), notes=[str(error)]) for versus in case.versus]


def number(value, digits=1):
    return "-" if value is None else f"{value:.{digits}f}"


def table(rows):
    """The lines of the table, then the notes."""
    lines = [("case", "memoir", "peer", "unit", "memoir median", "peer median", "ratio", "bar",
              "verdict", "cpu ms")]
    for row in rows:
        cpu = f"{number(row.memoir_cpu_ms)} / {number(row.peer_cpu_ms)}"
        lines.append((row.case, row.what, row.peer, row.unit, number(row.memoir),
                      number(row.peer_value), number(row.ratio, 3), row.bar, row.verdict,
                      cpu if row.unit == "ms" else "-"))
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
    notes = dict.fromkeys(f"{row.case}: {row.what} / {row.peer}: {note}"
                          for row in rows for note in row.notes)
    if notes:
        yield ""
        yield from notes


def report(rows, loads, programs):
    """What --json writes."""
    taken = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    return {"schema": "memoir.bench/1", "taken": taken.replace("+00:00", "Z"),
            "kernel": os.uname().release, "cpus": programs.cpus, "load_average": os.getloadavg(),
            "loads": {name: asdict(load) for name, load in loads.items()},
            "rows": [asdict(row) for row in rows]}


def parse_arguments():
    parser = argparse.ArgumentParser(description="Compares memoir with its peers, side by side.")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES],
                        help="only this case (may be given several times)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", metavar="FILE", help="write every figure to FILE as well")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    programs = Programs(os.path.abspath(os.environ.get("MEMOIR_BUILD", "build")))
    rows, loads = [], {}
    for case in CASES:
        if not arguments.case or case.name in arguments.case:
            rows += run_case(case, programs, arguments.quick, loads)
    say("")
    for line in table(rows):
        say(line)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as stream:
            json.dump(report(rows, loads, programs), stream, indent=1)
    verdicts = {row.verdict for row in rows}
    return int("not run" in verdicts or (arguments.check and "over" in verdicts))


if __name__ == "__main__":
    sys.exit(main())
