#!/usr/bin/env python3
"""Compares what memoir prints of a fixed snapshot with texts that were read and found right. It must not
look at the machine it runs on. Prints TAP.

    test_golden.py MAKE_SNAPSHOT [--update]     --update writes the texts: read the diff before you commit
"""
import argparse
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected"
MEMOIR = os.environ["MEMOIR"]
# Widths, languages and colours are those of a pipe in the C.UTF-8 locale.
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb",
       **{key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}}
TIMEOUT_S = 60
# What each is made of.
SNAPSHOTS = {
    "db": ["rows.sql"],
    "scoped": ["rows.sql", "scoped.sql"],
    "later": ["later.sql"],
    "buffers": ["buffers.sql"],
    "names": ["names.sql"],
}
# What changes with each release only.
VERSION = re.compile(rb"memoir \d+\.\d+\.\d+")


def cases():
    for line in (HERE / "cases").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, arguments = (part.strip() for part in line.split("|", 1))
            yield name, arguments


def run(arguments, snapshots):
    """All that a run shows, in one text: exit code, standard output, standard error."""
    args = [arg.format(**snapshots, golden=HERE) for arg in shlex.split(arguments)]
    done = subprocess.run([MEMOIR, *args], env=ENV, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=TIMEOUT_S, check=False)
    text = (f"$ memoir {arguments}\n# exit code {done.returncode}\n".encode() + done.stdout +
            b"# standard error\n" + done.stderr)
    for name, path in {**snapshots, "golden": HERE}.items():
        text = text.replace(str(path).encode(), b"{%s}" % name.encode())
    return VERSION.sub(b"memoir VERSION", text)


def difference(path, got):
    """Lines of a diff; none where the text is as it should be."""
    wanted = path.read_bytes() if path.exists() else b""
    if wanted == got:
        return []
    return list(difflib.unified_diff(
        wanted.decode(errors="backslashreplace").splitlines(),
        got.decode(errors="backslashreplace").splitlines(), "expected", "got", lineterm="", n=1))


def check(number, name, got):
    """Print a point; returns whether it is good."""
    lines = difference(EXPECTED / name, got)
    print(f"{'not ok' if lines else 'ok'} {number} - {name} prints what it should")
    for line in lines:
        print("# " + line.encode("unicode_escape").decode())
    return not lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("make_snapshot")
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    todo = list(cases())
    good = True
    print(f"1..{len(todo) + 1}")
    with tempfile.TemporaryDirectory(prefix="memoir-golden-") as temp:
        snapshots = {name: Path(temp) / f"{name}.db" for name in SNAPSHOTS}
        for name, rows in SNAPSHOTS.items():
            subprocess.run([args.make_snapshot, snapshots[name], *(HERE / file for file in rows)],
                           check=True)
        for number, (name, arguments) in enumerate(todo, 1):
            got = run(arguments, snapshots)
            if args.update:
                (EXPECTED / name).write_bytes(got)
            good &= check(number, name, got)
    stray = sorted({path.name for path in EXPECTED.iterdir()} - {name for name, _ in todo})
    print(f"{'not ok' if stray else 'ok'} {len(todo) + 1} - every text in expected/ has a case")
    for name in stray:
        print(f"# {name}")
    return 0 if good and not stray else 1


if __name__ == "__main__":
    sys.exit(main())
