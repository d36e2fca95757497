#!/usr/bin/env python3
"""What bash completes of memoir's command lines, and that zsh's file knows every command and option. Nothing
is captured. Prints TAP.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests/live"))

from tap import Tap  # noqa: E402

MEMOIR = os.environ["MEMOIR"]
BASH = TREE / "completions/memoir.bash"
ZSH = TREE / "completions/_memoir"
# Words before the cursor, as bash splits them, and what has to be among what is offered.
CASES = (
    (["wh"], {"who", "whatif"}),
    (["whatif", ""], {"kill", "trim"}),
    (["whatif", "kill", "co"], {"comm:"}),
    (["ps", "-o", "pid,rs"], {"pid,rss_bytes"}),
    (["ps", "--sort", "", ], {"pid", "rss_bytes"}),
    (["ps", "--sort", "=", "rs"], {"rss_bytes"}),
    (["diff", "--by", "="], {"process", "name", "object"}),
    (["who", "pf"], {"pfn:"}),
    (["buffers", "--by-"], {"--by-process", "--by-tag"}),
    (["help", "sha"], {"sharing"}),
)
# Options that each command has, and that no completion needs to offer.
COMMON = {"--help", "--usage", "--version"}


def offered(words):
    script = """source "$1"; shift; compopt() { :; }
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _memoir; printf '%s\\n' "${COMPREPLY[@]}\""""
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", BASH, MEMOIR, *words],
                          capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split()), done.stderr


def help_of(command):
    return subprocess.run([MEMOIR, command, "--help"], capture_output=True, text=True, timeout=60,
                          check=True).stdout


def commands():
    listed = help_of("overview").split("\nCommands:\n")[1].split("\n\n")[0]
    return re.findall(r"(?m)^  ([a-z]+) ", listed)


def options(command):
    """Long options in its list of options; others are spoken of elsewhere in --help."""
    return set(re.findall(r"(?m)^ +(?:-\S, )?(--[a-z-]+)", help_of(command))) - COMMON


def zsh_options(command, text):
    """Those in the arrays that its case takes, and in the case itself."""
    case = re.search(rf"(?ms)^\t(?:\w+\|)*{command}(?:\|\w+)*\)\n(.*?);;", text)
    if not case:
        return None
    arrays = "".join(re.search(rf"(?ms)^\t{name}=\((.*?)\)$", text).group(1)
                     for name in ("rows", "snapshot", "root") if f"${name}" in case.group(1) or
                     f"${{{name}" in case.group(1))
    return set(re.findall(r"--[a-z-]+", arrays + case.group(1)))


def main():
    tap = Tap()
    for words, wanted in CASES:
        got, err = offered(words)
        tap.check(wanted <= got and not err, f"bash completes memoir {' '.join(words)}",
                  [f"offered: {sorted(got)}", err] if not wanted <= got or err else ())
    zsh = ZSH.read_text(encoding="utf-8")
    known = commands()
    tap.check({"ps", "who", "sharing"} <= set(known), "memoir --help lists the commands")
    for command in known:
        there = zsh_options(command, zsh)
        lacking = options(command) - there if there is not None else {"the command"}
        tap.check(not lacking, f"zsh completes the options of {command}", sorted(lacking))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
