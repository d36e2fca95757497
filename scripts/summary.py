#!/usr/bin/env python3
"""Sums up meson's test logs: failures with their diagnostics, every skip with its reason, and the last
line `N passed, N failed, N skipped` (TAP points). It runs no test, and passes nothing it has not seen.

    summary.py BUILD-DIR...

Exit code 1: something failed, nothing ran, or a skip that tests/allowed-skips does not excuse here.
"""
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ALLOWED = Path(__file__).resolve().parent.parent / "tests" / "allowed-skips"
POINT = re.compile(r"(?P<bad>not )?ok\b\s*\d*\s*(?:-\s*)?(?P<what>[^#]*)"
                   r"(?:#\s*(?P<word>SKIP|TODO)\S*\s*(?P<why>.*))?", re.IGNORECASE)
PLAN = re.compile(r"1\.\.(?P<count>\d+)\s*(?:#\s*SKIP\S*\s*(?P<why>.*))?", re.IGNORECASE)
MESON_GOOD = ("OK", "EXPECTEDFAIL")
STDERR_LINES = 40


@dataclass
class Counts:
    """What is known so far; failures and skips are texts to print."""

    passed: int = 0
    failures: list = field(default_factory=list)
    skips: list = field(default_factory=list)  # (test, reason)


@dataclass
class Point:
    """One TAP point, or a whole program that was skipped."""

    what: str
    verdict: str  # passed, failed, skipped
    why: str = ""
    diagnostics: list = field(default_factory=list)


def parse_point(line):
    """The Point that a line of TAP is, or None."""
    plan = PLAN.fullmatch(line)
    if plan:
        skip_all = int(plan["count"]) == 0
        return Point("all of it", "skipped", (plan["why"] or "").strip()) if skip_all else None
    match = POINT.fullmatch(line)
    if not match:
        return None
    word = (match["word"] or "").upper()
    if word == "SKIP":
        return Point(match["what"].strip(), "skipped", match["why"].strip())
    failed = bool(match["bad"]) and word != "TODO"
    return Point(match["what"].strip(), "failed" if failed else "passed")


def parse_tap(text):
    """The points of a program's output, each with the comments that follow it."""
    points = []
    for line in text.splitlines():
        point = parse_point(line.strip())
        if point:
            points.append(point)
        elif points and line.strip() and not PLAN.fullmatch(line.strip()):
            points[-1].diagnostics.append(line)
    return points


def tail(text):
    return "\n".join(text.strip().splitlines()[-STDERR_LINES:])


def indent(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


def add_points(counts, test, points, stderr):
    for point in points:
        if point.verdict == "passed":
            counts.passed += 1
        elif point.verdict == "skipped":
            counts.skips.append((f"{test}: {point.what}", point.why))
        else:
            more = "\n".join(point.diagnostics + ([tail(stderr)] if stderr.strip() else []))
            counts.failures.append(f"{test}: {point.what}\n{indent(more)}")


def add_test(counts, build, log):
    """One line of testlog.json: a program with TAP points, or one that only has an exit code."""
    test = f"{build}: {log['name']}"
    stdout, stderr = log.get("stdout") or "", log.get("stderr") or ""
    points = parse_tap(stdout)
    add_points(counts, test, points, stderr)
    if log["result"] in MESON_GOOD:
        if not points:
            counts.passed += 1
    elif log["result"] == "SKIP":
        if not points:
            counts.skips.append((test, tail(stdout) or tail(stderr)))
    elif not any(point.verdict == "failed" for point in points):
        how = f"{log['result']}, exit code {log['returncode']}, {log['duration']:.0f} s"
        counts.failures.append(f"{test}: {how}\n{indent(tail(stdout))}{indent(tail(stderr))}")


def add_build(counts, build):
    path = Path(build) / "meson-logs" / "testlog.json"
    try:
        logs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        counts.failures.append(f"{build}: no test log, so nothing ran ({error})\n")
        return
    if not logs:
        counts.failures.append(f"{build}: its test log is empty\n")
    for log in logs:
        add_test(counts, build, log)


def read_allowed():
    """The rows of tests/allowed-skips: (pattern, probe)."""
    rows = []
    for line in ALLOWED.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            pattern, probe, _why = (part.strip() for part in line.split(" | ", 2))
            rows.append((re.compile(pattern), probe))
    return rows


def could_have_run(probe):
    """Whether this machine has what the test missed: the probe is a shell command that says so."""
    return subprocess.run(["sh", "-c", probe], check=False, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def is_allowed(why, allowed):
    return any(pattern.search(why) and not could_have_run(probe) for pattern, probe in allowed)


def report(counts):
    """Print everything; returns whether all is well."""
    for failure in counts.failures:
        print(f"FAILED  {failure}", end="")
    allowed = read_allowed()
    good = not counts.failures
    for test, why in counts.skips:
        fine = is_allowed(why, allowed)
        print(f"SKIPPED {test}: {why or 'no reason given'}" +
              ("" if fine else "  [not allowed here: see tests/allowed-skips]"))
        good = good and fine
    print(f"{counts.passed} passed, {len(counts.failures)} failed, {len(counts.skips)} skipped")
    return good and counts.passed > 0


def main():
    counts = Counts()
    for build in sys.argv[1:]:
        add_build(counts, build)
    return 0 if report(counts) else 1


if __name__ == "__main__":
    sys.exit(main())
