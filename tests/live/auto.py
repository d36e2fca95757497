"""Runs programs under the preload library, and compares what memoir says of them with what they say."""
import contextlib
import json
import os
import subprocess
from pathlib import Path

import memoir

TIMEOUT_S = 60


def build():
    return Path(os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build"))


def library():
    return build() / "src/libmemoir-auto.so"


def environment(*behind, **more):
    """Names by table; `behind`: what else is preloaded, after ours."""
    preload = ":".join(map(str, (library(), *behind)))
    return {**os.environ, "LD_PRELOAD": preload, "MEMOIR_NAMES": "table", **more}


@contextlib.contextmanager
def running(arguments, env):
    """The process, with pipes; it has to end by itself when its input does."""
    with subprocess.Popen([*map(str, arguments)], env=env, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def steps(process):
    """What mkauto says, step by step; it waits meanwhile."""
    for line in iter(process.stdout.readline, b""):
        yield json.loads(line)
        process.stdin.write(b"\n")
        process.stdin.flush()


def rows_of(pid, engine="auto"):
    rows = memoir.rows("map", pid, "--json", f"--engine={engine}", codes=(0, 3))
    return sorted(rows, key=memoir.span)


def pieces(rows, start, end):
    """[(start, end, name)] of the range, neighbours of one name joined; what is not mapped has none."""
    found = []
    for row in rows:
        first, last = max(memoir.span(row)[0], start), min(memoir.span(row)[1], end)
        if first >= last:
            continue
        if found and found[-1][1] == first and found[-1][2] == row["name"]:
            found[-1] = (found[-1][0], last, row["name"])
        else:
            found.append((first, last, row["name"]))
    return found


def differences(ranges, rows):
    """Of what mkauto says from what memoir does."""
    bad = []
    for start, end, name in ranges:
        found = pieces(rows, start, end)
        if found != [(start, end, name)]:
            bad.append(f"{start:x}-{end:x} {name}: {[(f'{s:x}-{e:x}', n) for s, e, n in found]}")
    return bad
