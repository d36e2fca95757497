"""Runs memoir and compares its rows with smaps; it must not know how memoir captures."""
import json
import os
import subprocess
from pathlib import Path

import smaps

TIMEOUT_S = 120
KB = 1024


class Failed(Exception):
    """memoir ended as it should not; the text says how."""


def program():
    return os.environ.get("MEMOIR", str(Path(__file__).parents[2] / "build/memoir"))


def run(*arguments):
    """(exit code, standard output, standard error); a signal is a Failed."""
    done = subprocess.run([program(), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=TIMEOUT_S, check=False)
    if done.returncode < 0:
        raise Failed(f"{arguments}: signal {-done.returncode}: "
                     f"{done.stderr.decode(errors='replace')[-500:]}")
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def decode(text):
    """The object that JSON output is; the output has to be UTF-8 and nothing else."""
    try:
        decoded = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise Failed(f"no valid JSON: {error}: {text[:200]!r}") from error
    missing = {"schema", "taken", "partial", "notes", "totals", "rows"} - decoded.keys()
    if missing:
        raise Failed(f"the envelope lacks {sorted(missing)}")
    return decoded


def rows(*arguments, codes=(0,)):
    """The rows of a command's JSON."""
    code, out, err = run(*arguments)
    if code not in codes:
        raise Failed(f"{' '.join(map(str, arguments))}: exit code {code}: {err.strip()[-500:]}")
    return decode(out)["rows"]


def span(row):
    return int(row["start"], 16), int(row["end"], 16)


def inside(items, start, end, span_of):
    """The items within a range, sorted; None unless they lie in it from end to end."""
    found = sorted((item for item in items if span_of(item)[0] >= start and
                    span_of(item)[1] <= end), key=lambda item: span_of(item)[0])
    return found or None


def total(found, name):
    """Sum of a figure over rows, None when one is not known."""
    if name == "file_shmem_bytes":
        parts = [total(found, "file_bytes"), total(found, "shmem_bytes")]
    else:
        parts = [row.get(name) for row in found]
    return None if None in parts else sum(parts)


def printed_path(row):
    """As maps prints it: of all bytes only newlines are escaped."""
    raw = bytes.fromhex(row["path_hex"]) if row.get("path_hex") else (row["path"] or "").encode()
    return raw.replace(b"\n", b"\\012")


def region_differences(region, found):
    """What rows of one region say otherwise than smaps, to the kilobyte."""
    if not found:
        return [f"{region}: no row"]
    bad = []
    if any(row["perms"] != region.perms for row in found):
        bad.append(f"{region}: perms {[row['perms'] for row in found]}")
    if region.path.startswith(b"/") and any(printed_path(row) != region.path for row in found):
        bad.append(f"{region}: path {[row['path'] for row in found[:3]]}")
    if span(found[0])[0] != region.start or span(found[-1])[1] != region.end:
        bad.append(f"{region}: rows {[(row['start'], row['end']) for row in found[:3]]}")
    for name, kb in region.figures:
        if name == "hugetlb_bytes" and name not in found[0]:
            continue
        got = total(found, name)
        slack = len(found) - 1 if name in smaps.ROUNDED else 0
        if got is None or not kb * KB <= got + slack < (kb + 1) * KB:
            bad.append(f"{region}: {name} {got}, smaps {kb * KB}" +
                       ("" if all(row.get("exact", True) for row in found) else " (not exact)"))
    return bad


def group(regions, mapped):
    """{region start: its rows}, and rows that are in no region."""
    starts = smaps.by_start(regions)
    groups, strays, current = {}, [], None
    for row in sorted(mapped, key=span):
        start, end = span(row)
        current = starts.get(start, current)
        if current is None or end > current.end:
            strays.append(row)
        else:
            groups.setdefault(current.start, []).append(row)
    return groups, strays


def hidden_slack():
    """What the pages of vdso and vvar that all processes map can count too much, in bytes: where a policy
    hides a process even from root, memoir can't count it among their mappers, as the kernel does."""
    pids, hidden = [name for name in os.listdir("/proc") if name.isdigit()], 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/maps", "rb") as file:
                file.read(1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError:
            hidden += 1
    mappers = max(len([pid for pid in pids if os.path.exists(f"/proc/{pid}/exe")]), 1)
    return 2 * hidden * VDSO_PAGES * 4096 // mappers ** 2


VDSO_PAGES = 8


def process_differences(pid, regions, rollup, row):
    """What a row of ps says otherwise than the sums of smaps and the kernel's own rollup."""
    bad = []
    for name in [*smaps.FIGURES, "file_shmem_bytes"]:
        if name == "hugetlb_bytes" and name not in row:
            continue
        got = total([row], name)
        kb = rollup[name] if name in smaps.ROUNDED else sum(r.get(name) for r in regions)
        above = hidden_slack() if name == "pss_bytes" else 0
        slack = len(regions) if name in smaps.ROUNDED else 0
        if got is None or not kb * KB <= got + slack or not got < (kb + 1) * KB + above:
            bad.append(f"ps, pid {pid}: {name} {got}, smaps {kb * KB}")
    return bad


def peers(row):
    """All pids of a row of ps."""
    return {row["pid"]} | {peer["pid"] if isinstance(peer, dict) else peer
                           for peer in row.get("peers") or []}
