#!/usr/bin/env python3
"""What a call by memoir/name-weak.h is made of where the library is not there: one load with its test, and
one branch. It must not look at anything but what the compiler made.

    tests/weak_call.py [--show]     # TAP; or the disassembly that docs/NAMES.md has
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests/live"))

from tap import Tap  # noqa: E402

SOURCE = """#include <memoir/name-weak.h>
int weak_call(void *addr, size_t len);
int weak_call(void *addr, size_t len)
{
	return memoir_name_weak(addr, len, "a name");
}
"""
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
OPTIONS = ("-fPIE", "-fPIC", "-fno-pic")


def disassemble(compiler, option):
    """[(address, mnemonic, operands)] of weak_call(), and objdump's own lines."""
    with tempfile.TemporaryDirectory() as where:
        path = Path(where) / "weak.c"
        path.write_text(SOURCE, encoding="ascii")
        subprocess.run([compiler, "-O2", option, f"-I{TREE}/include", "-c", path, "-o",
                        path.with_suffix(".o")], check=True)
        text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", path.with_suffix(".o")],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = text[text.index("<weak_call>:"):].splitlines()[1:]
    found = [re.match(r"\s*([0-9a-f]+):\t([a-z]+)\s*([^#<]*)", line) for line in lines]
    return [(int(one[1], 16), one[2], one[3].strip()) for one in found if one], lines


def absent_path(code):
    """The instructions that run where the symbol is 0, so that comparing it with 0 finds them equal."""
    at, path = 0, []
    while len(path) < 20:
        address, mnemonic, operands = code[at]
        path.append(mnemonic)
        if mnemonic.startswith("ret"):
            return path
        at += 1
        if mnemonic in ("je", "jz", "jmp"):
            at = next(i for i, one in enumerate(code) if one[0] == int(operands, 16))
    return path


def check(tap, compiler, option):
    code, lines = disassemble(compiler, option)
    path = absent_path(code)
    branches = [word for word in path if word.startswith("j") and word != "jmp"]
    tap.check(path[-1].startswith("ret") and len(branches) == 1 and "call" not in path and
              len(path) <= 6, f"one predictable branch where there is no library ({compiler} {option})",
              [" ".join(path), *lines])


def main():
    if sys.argv[1:] == ["--show"]:
        print("\n".join(disassemble(COMPILERS[0], OPTIONS[0])[1]))
        return 0
    tap = Tap()
    if os.uname().machine != "x86_64":
        tap.skip("name-weak.h", "reads x86-64 instructions")
        return tap.done()
    for compiler in COMPILERS:
        for option in OPTIONS:
            check(tap, compiler, option)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
