#!/usr/bin/env python3
"""memoir run on this kernel, which keeps no names by itself: what programs are answered, and what memoir shows.
It must leave no process behind."""
import json
import subprocess
import sys
from pathlib import Path

import memoir
import mkmem
from tap import Tap

HERE = Path(__file__).parent


def shown(pid):
    """[(start, end, name)] by memoir map, all from a supervisor."""
    rows = memoir.rows("map", pid, "--json", codes=(0, 3))
    return [(*memoir.span(row), row["name"]) for row in rows if row["name"] and
            row["name_source"] == "supervisor"]


def started(code, *before):
    """A Python program below memoir run that says something in JSON and then waits for its input."""
    script = f"import json,os,sys\nsys.path.insert(0,{str(HERE)!r})\nfrom run_user import *\n{code}"
    return subprocess.Popen([*before, memoir.program(), "run", "--", sys.executable, "-B", "-c", script],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def said(process):
    return json.loads(process.stdout.readline())


def end(process):
    process.stdin.close()
    process.wait(timeout=10)


def test_names(tap):
    code = ("a=anonymous(8)\nr=[set_vma(a,4*PAGE,b'run: four'),set_vma(a+4*PAGE,PAGE,b'y'*79),"
            "set_vma(a+PAGE,PAGE,None)]\n"
            "print(json.dumps([os.getpid(),a,r]),flush=True)\nsys.stdin.read()")
    process = started(code)
    pid, at, results = said(process)
    page = 4096
    tap.check(results == [0, 0, 0], "a program's names are taken", [str(results)])
    expected = [(at, at + page, "run: four"), (at + 2 * page, at + 4 * page, "run: four"),
                (at + 4 * page, at + 5 * page, "y" * 79)]
    tap.check(shown(pid) == expected, "memoir map shows them", [str(shown(pid)), str(expected)])
    rows = memoir.rows("names", "name:run?*", "--json", codes=(0, 3))
    tap.check([(r["name"], r["rss_bytes"]) for r in rows] == [("run: four", 3 * page)],
              "memoir names sums them", [str(rows)])
    end(process)


def main():
    tap = Tap()
    mkmem.exit_on_signals()
    for test in (test_names,):
        try:
            test(tap)
        except (mkmem.Broken, memoir.Failed, OSError, ValueError, subprocess.SubprocessError) as error:
            tap.check(False, f"{test.__name__} ran", [f"{type(error).__name__}: {error}"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
