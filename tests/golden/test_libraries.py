#!/usr/bin/env python3
"""Which libraries memoir loads: SQLite's for snapshot files only, and what it says where that can't be loaded.
It must not look at the machine it runs on. Prints TAP.

    test_libraries.py MAKE_SNAPSHOT
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from test_golden import ENV, HERE, MEMOIR, TIMEOUT_S

TREE = ["--root", str(HERE / "root-processes")]
ANSWERED = (0, 3)  # 3: of the trees, too, not all can be read
LOADED = re.compile(r"calling init: (\S*/libsqlite3\.so\.0)\n")
SENTENCE = re.compile(r"memoir: snapshot files take SQLite's library, which can't be loaded \([^\n]*\): it is the "
                      r"package libsqlite3-0 [^\n]*\n")
HIDDEN = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"']


class Failed(Exception):
    """What was wrong, as text."""


class Skip(Exception):
    """Why it can't be seen here."""


def run(*args, **env):
    return subprocess.run([str(arg) for arg in args], env={**ENV, **env}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def library(*args):
    """SQLite's library as the loader itself says that it loads it, or None."""
    done = run(MEMOIR, *args, LD_DEBUG="files")
    if done.returncode not in ANSWERED or "calling init: " not in done.stderr:
        raise Failed(f"{args[0]}: exit code {done.returncode}: {done.stderr[-300:]}")
    found = LOADED.search(done.stderr)
    return found and found[1]


def check_loaded(saved, _new):
    if not library("ps", "--from", saved):
        raise Failed("ps --from loads no libsqlite3, so this is no test")
    for args in (["--version"], ["ps", *TREE], ["map", "101", *TREE], ["names", *TREE], ["check", *TREE]):
        if library(*args):
            raise Failed(f"{args[0]} loads libsqlite3")


def check_missing(saved, new):
    hidden = [*HIDDEN, library("ps", "--from", saved)]
    if run(*hidden, "true").returncode != 0:
        raise Skip("a mount over the library takes CAP_SYS_ADMIN")
    done = run(*hidden, MEMOIR, "ps", *TREE)
    if done.returncode not in ANSWERED:
        raise Failed(f"without libsqlite3 ps ends with {done.returncode}: {done.stderr}")
    for args in (["ps", "--from", saved], ["diff", saved, saved], ["capture", *TREE, "-o", new / "file"]):
        done = run(*hidden, MEMOIR, *args)
        if done.returncode != 1 or done.stdout or not SENTENCE.fullmatch(done.stderr):
            raise Failed(f"{args[0]}: exit code {done.returncode}, {done.stdout!r}, {done.stderr!r}")
    if list(new.iterdir()):
        raise Failed("capture leaves a file behind")


CHECKS = (
    ("commands that read and write no snapshot file do not load SQLite", check_loaded),
    ("where SQLite can't be loaded a sentence says so, and nothing is written", check_missing),
)


def main():
    good = True
    print(f"1..{len(CHECKS)}")
    with tempfile.TemporaryDirectory(prefix="memoir-libraries-") as temp:
        saved, new = Path(temp) / "db", Path(temp) / "new"
        new.mkdir()
        subprocess.run([sys.argv[1], saved, HERE / "rows.sql"], check=True)
        for number, (what, check) in enumerate(CHECKS, 1):
            try:
                check(saved, new)
                print(f"ok {number} - {what}")
            except Skip as why:
                print(f"ok {number} - {what} # SKIP {why}")
            except Failed as why:
                good = False
                print(f"not ok {number} - {what}")
                print("".join(f"# {line}\n" for line in str(why).splitlines()), end="")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
