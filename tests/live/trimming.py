"""Starts mktrim and runs memoir trim on it; it must not judge what comes out."""
import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import memoir

WAIT_S = 60


def build():
    return Path(os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build"))


class Refused(Exception):
    """mktrim cannot make it here; the text says why."""


class Target:
    """A process of known memory: pid, start, end, moves, why, stays."""

    def __init__(self, scene, scratch, prefix=()):
        self.process = subprocess.Popen(
            [*prefix, build() / "tests/helpers/mktrim", scene, Path(scratch) / "file"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if self.process.stdout.readline() != "READY\n":
            raise Refused(self.process.stderr.read().strip())
        self.truth = json.loads(line)
        self.pid = self.truth["pid"]

    def selector(self):
        return f"{self.pid}:{self.truth['start']}-{self.truth['end']}"

    def checksum(self):
        self.process.stdin.write("sum\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def state(self):
        """(state, pid of the tracer), or None when it is gone."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{self.pid}/status", encoding="utf-8", errors="replace") as file:
                text = file.read()
            return (text.split("\nState:\t")[1][0], int(text.split("\nTracerPid:\t")[1].split()[0]))
        return None

    def end(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


@contextlib.contextmanager
def target(scene, prefix=()):
    """A scene that is up. Files lie on the build's disk."""
    with tempfile.TemporaryDirectory(prefix="memoir-live-", dir=build()) as scratch:
        os.chmod(scratch, 0o777)
        made = Target(scene, scratch, prefix)
        try:
            yield made
        finally:
            made.end()


def trim(*arguments, codes=(0,), prefix=()):
    """(the JSON of trim, or None; exit code; standard error)."""
    done = subprocess.run([*prefix, memoir.program(), "trim", *map(str, arguments), "--json"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S, check=False)
    errors = done.stderr.decode(errors="replace")
    if done.returncode not in codes:
        raise memoir.Failed(f"trim {arguments}: exit code {done.returncode}: {errors[-400:]} "
                            f"{done.stdout[-300:]!r}")
    return (memoir.decode(done.stdout) if done.stdout else None), done.returncode, errors


def skipped(row, why):
    return sum(skip["bytes"] or 0 for skip in row["skipped"] if skip["why"] == why)
