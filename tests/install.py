#!/usr/bin/env python3
"""Installs the build into a temporary directory and uses it from there as a stranger would: the program,
each header alone, the examples by pkg-config. It must not touch the system. Prints TAP.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD = Path(os.environ["MEMOIR_BUILD"])
SOURCE = Path(os.environ["MEMOIR_SOURCE"])
HAVE_AUTO = (BUILD / "src/libmemoir-auto.so").exists()
WARNINGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")
FUNCTION = re.compile(r"\b(memoir_[a-z0-9_]+)\s*\([^;{}]*\)\s*;")


# Of the headers that are not libmemoir's.
LIBRARY_OF = {"name.h": "libmemoir-name", "track.h": "libmemoir-name", "name-weak.h": None}


class Failed(Exception):
    """What was wrong, as text."""


def run(args, **kwargs):
    done = subprocess.run([str(arg) for arg in args], check=False, text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    if done.returncode != 0:
        raise Failed(f"{shlex.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


class Installed:
    """The installed tree."""

    def __init__(self, destdir):
        run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", destdir])
        self.root = Path(destdir)
        self.pc_dir = self.one("**/pkgconfig/memoir.pc").parent
        self.lib_dir = self.pc_dir.parent
        self.bin = self.one("**/bin/memoir")
        self.include = self.one("**/include/memoir").parent

    def one(self, pattern):
        found = list(self.root.glob(pattern))
        if len(found) != 1:
            raise Failed(f"{len(found)} files match {pattern}, not one")
        return found[0]

    def pkg_config(self, *args, package="memoir"):
        env = {**os.environ, "PKG_CONFIG_PATH": str(self.pc_dir),
               "PKG_CONFIG_SYSROOT_DIR": str(self.root)}
        # System libraries named by the .pc files lie outside the temporary tree.
        flags = shlex.split(run(["pkg-config", *args, package], env=env))
        return [flag for flag in flags if not flag.startswith(("-I", "-L"))
                or Path(flag[2:]).exists()]


def check_files(tree, _temp):
    for header in (SOURCE / "include" / "memoir").glob("*.h"):
        tree.one(f"**/include/memoir/{header.name}")
    for library in ("libmemoir", "libmemoir-name"):
        tree.one(f"**/{library}.a")
        if not tree.one(f"**/{library}.so").resolve().name.startswith(f"{library}.so.0"):
            raise Failed(f"{library}.so is no link to version 0")
    for page in (SOURCE / "docs").glob("*.[1-8].scd"):
        tree.one(f"**/man/man*/{page.stem}")
    if HAVE_AUTO:
        tree.one("**/memoir/libmemoir-auto.so")
    tree.one("**/bash-completion/completions/memoir")
    tree.one("**/zsh/site-functions/_memoir")


def check_program(tree, _temp):
    version = run([tree.bin, "--version"], env={"PATH": "/usr/bin:/bin"})
    if not re.search(r"\b0\.\d+", version):
        raise Failed(f"memoir --version says {version!r}")


def check_headers(tree, temp):
    for header in sorted((tree.include / "memoir").glob("*.h")):
        source = temp / "alone.c"
        source.write_text(f"#include <memoir/{header.name}>\nint main(void) {{ return 0; }}\n")
        run(["cc", *WARNINGS, *tree.pkg_config("--cflags"), "-fsyntax-only", source])


def declared(tree, library):
    """The functions that the library's public headers declare."""
    names = set()
    for header in (tree.include / "memoir").glob("*.h"):
        if LIBRARY_OF.get(header.name, "libmemoir") != library:
            continue
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", header.read_text(), flags=re.DOTALL)
        # Types of functions are no functions.
        names.update(FUNCTION.findall(re.sub(r"\btypedef\b[^;{]*;", " ", text)))
    return names


def check_exports(tree, _temp):
    for name in ("libmemoir", "libmemoir-name"):
        library = tree.one(f"**/{name}.so")
        rows = [line.split() for line in run(["nm", "-D", "--defined-only", library]).splitlines()]
        exported = {row[2].split("@")[0] for row in rows if row[1] in "TWVBDR"}
        headers = declared(tree, name)
        if exported != headers or not headers:
            raise Failed(f"{name}: declared but not exported: {sorted(headers - exported)}\n"
                         f"exported but not declared: {sorted(exported - headers)}")


def check_example(tree, temp, libs, env):
    """examples/pss.c prints a row of sane figures for this very process."""
    program = temp / "pss"
    run(["cc", *WARNINGS, *tree.pkg_config("--cflags"), SOURCE / "examples" / "pss.c",
         *libs, "-o", program])
    rows = dict(line.split() for line in run([program], env=env).splitlines())
    mine = rows.get(str(os.getpid()))
    if mine is None or not mine.isdigit() or not 1 << 20 < int(mine) < 1 << 30:
        raise Failed(f"this process, {os.getpid()}, has the PSS {mine!r} among {len(rows)} rows")


def check_shared(tree, temp):
    check_example(tree, temp, tree.pkg_config("--libs"),
                  {**os.environ, "LD_LIBRARY_PATH": str(tree.lib_dir)})


def check_static(tree, temp):
    libs = [f"-l:lib{flag[2:]}.a" if flag == "-lmemoir" else flag
            for flag in tree.pkg_config("--static", "--libs")]
    check_example(tree, temp, libs, os.environ)


def check_names(tree, temp):
    """examples/name.c by both libraries, runtime.c by one; name-weak.c without, and with the library preloaded."""
    flags = tree.pkg_config("--cflags", package="memoir-name")
    libs = tree.pkg_config("--libs", package="memoir-name")
    static = [f"-l:lib{flag[2:]}.a" if flag == "-lmemoir-name" else flag for flag in libs]
    env = {**os.environ, "MEMOIR_NAMES": "table"}
    shared = {**env, "LD_LIBRARY_PATH": str(tree.lib_dir)}
    preload = {**env, "LD_PRELOAD": str(tree.one("**/libmemoir-name.so"))}
    for way, source, arguments, environment, expected in (
            ("linked", "name.c", libs, shared, "named"),
            ("static", "name.c", static, env, "named"),
            ("runtime", "runtime.c", libs, shared, "3 ranges of 3 names"),
            ("without", "name-weak.c", [], env, "not named"),
            ("preloaded", "name-weak.c", [], preload, "named")):
        program = temp / f"name-{way}"
        run(["cc", *WARNINGS, "-O2", *flags, SOURCE / "examples" / source, *arguments,
             "-o", program])
        if run([program], env=environment).strip() != expected:
            raise Failed(f"{way}: not {expected}")
    needed = run(["readelf", "-d", tree.one("**/libmemoir-name.so")])
    if {line.split("[")[1].rstrip("]") for line in needed.splitlines() if "NEEDED" in line} - \
            {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}:
        raise Failed(f"libmemoir-name needs more than libc: {needed}")


def check_track(tree, temp):
    """examples/track.c announces buffers, which the installed program lists with what is believed of them."""
    program = temp / "track"
    run(["cc", *WARNINGS, *tree.pkg_config("--cflags", package="memoir-name"),
         SOURCE / "examples" / "track.c", *tree.pkg_config("--libs", package="memoir-name"),
         "-o", program])
    env = {**os.environ, "LD_LIBRARY_PATH": str(tree.lib_dir)}
    example = subprocess.Popen([program], env=env, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        said = example.stdout.readline().strip()
        done = subprocess.run([tree.bin, "buffers", "kind:announced", "--json"], check=False, text=True,
                              timeout=60, stdout=subprocess.PIPE)
        # 3: something else of this machine could not be read.
        rows = json.loads(done.stdout)["rows"] if done.returncode in (0, 3) else []
        mine = sorted((row["tag"], row["size_bytes"], [[h["pid"], h["references"]] for h in row["holders"]])
                      for row in rows if int(row["object"].split(":")[3]) >> 20 == example.pid)
        example.communicate("\n", timeout=60)
    finally:
        example.kill()
        example.wait()
    if said != "3 buffers announced" or example.returncode or mine != [
            ("example: frame", 65536, []), ("example: frame", 65536, []),
            ("example: header", 65536, [[example.pid, 2]])]:
        raise Failed(f"the example says {said!r}, exit {example.returncode}, listed are {mine}")


def check_trim(tree, temp):
    """examples/trim.c plans for a process of our own, and as root does it."""
    program, root = temp / "trim", os.geteuid() == 0
    run(["cc", *WARNINGS, *tree.pkg_config("--cflags"), SOURCE / "examples" / "trim.c",
         *tree.pkg_config("--libs"), "-o", program])
    env = {**os.environ, "LD_LIBRARY_PATH": str(tree.lib_dir)}
    target = subprocess.Popen(["sleep", "60"])
    try:
        said = run([program, target.pid, *(["do"] if root else [])], env=env)
    finally:
        target.kill()
        target.wait()
    if f"{target.pid} planned " not in said or root != (f"{target.pid} moved " in said):
        raise Failed(f"the example says {said!r}")


def check_auto(tree, temp):
    """memoir run --auto finds its library where both are installed, and that finds libmemoir-name."""
    if not HAVE_AUTO:
        return
    program = temp / "auto"
    run(["cc", *WARNINGS, *tree.pkg_config("--cflags", package="memoir-name"),
         SOURCE / "examples" / "name-weak.c", "-o", program])
    env = {"PATH": "/usr/bin:/bin", "MEMOIR_NAMES": "table"}
    if run([tree.bin, "run", "--auto", "--", program], env=env).strip() != "named":
        raise Failed("the library is not preloaded")


CHECKS = (
    ("everything is installed where it belongs", check_files),
    ("the installed program runs without the build tree", check_program),
    ("each public header compiles alone as strict C99", check_headers),
    ("the libraries export what their headers declare, no more, no less", check_exports),
    ("the example builds by pkg-config and runs with the shared library", check_shared),
    ("the example builds by pkg-config and runs with the static library", check_static),
    ("the example that pages out plans, moves and verifies", check_trim),
    ("the example that announces buffers is listed with them", check_track),
    ("libmemoir-name names memory linked, static and preloaded, and is not missed", check_names),
    ("memoir run --auto preloads what is installed with it", check_auto),
)


def main():
    failed = False
    print(f"1..{len(CHECKS)}")
    with tempfile.TemporaryDirectory(prefix="memoir-install-") as temp:
        destdir = Path(temp) / "dest"
        tree = Installed(destdir)
        for number, (what, check) in enumerate(CHECKS, 1):
            try:
                check(tree, Path(temp))
                print(f"ok {number} - {what}")
            except (Failed, OSError, subprocess.TimeoutExpired) as error:
                failed = True
                print(f"not ok {number} - {what}")
                print("".join(f"# {line}\n" for line in str(error).splitlines()), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
