#!/usr/bin/env python3
"""Random worlds with swap on, where there can be any: runs random_worlds, which says in TAP what it
found. It must not judge anything itself.

    test_worlds.py ENGINE FIRST-SEED COUNT [WHO-PAGES]
"""
import os
import subprocess
import sys
from pathlib import Path

import mkmem
import zram

BUILD = Path(os.environ.get("MEMOIR_BUILD", Path(__file__).parents[2] / "build"))


def main():
    mkmem.exit_on_signals()
    with zram.swap_if_any():
        sys.stdout.flush()
        with subprocess.Popen([BUILD / "tests/live/random_worlds", BUILD / "tests/helpers/mkworld",
                               *sys.argv[1:]], stdin=subprocess.DEVNULL) as worlds:
            try:
                return worlds.wait()
            finally:
                worlds.kill()


if __name__ == "__main__":
    sys.exit(main())
