"""Runs the tests of a program by name; one that breaks is a failed point and not the end of the others."""
import subprocess
import sys

import memoir
import mkmem

BREAKS = (memoir.Failed, mkmem.Broken, OSError, LookupError, StopIteration, ValueError,
          subprocess.SubprocessError)


def run(tap, tests, default=None):
    """tests: {name: function of tap}; those that the command line names, or the default, or all. The exit code."""
    mkmem.exit_on_signals()
    for name in sys.argv[1:] or default or tests:
        try:
            tests[name](tap)
        except mkmem.Skip as why:
            tap.skip(name, why)
        except BREAKS as error:
            tap.check(False, f"{name} ran", [f"{type(error).__name__}: {error}"])
    return tap.done()
