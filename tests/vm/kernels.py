#!/usr/bin/env python3
"""Finds or fetches the kernels that the VM tests boot; it never installs a package and never
changes apt's sources.

kernels.py NAME [--cache DIR] [--refresh]   line 1: vmlinuz; line 2: lib/modules/VERSION, if any
kernels.py --list                           one line for each name: what there is, or why not
"""
import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_CACHE = HERE.parent.parent / "build" / "vm-cache"
ANON_VMA_NAME_FILE = "bzImage-6.12-anon-vma-name"

# name: (prefix for apt-cache pkgnames, what the whole package name must be)
DEBIAN = {
    "debian-6.1": ("linux-image-6.1.0-", re.compile(r"linux-image-6\.1\.0-(\d+)-amd64")),
    "debian-6.12": ("linux-image-6.12.", re.compile(r"linux-image-6\.12\.(\d+)\+deb12-amd64")),
}
NAMES = (*DEBIAN, "anon-vma-name")

# modules_dir is None for a kernel that has everything built in.
Kernel = namedtuple("Kernel", "name vmlinuz modules_dir")


class Unavailable(Exception):
    """The kernel cannot be had here; the text is the reason, as one sentence."""


def run_tool(args, **kwargs):
    try:
        return subprocess.run(args, check=True, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **kwargs).stdout
    except FileNotFoundError:
        raise Unavailable(f"{args[0]} is not on this machine, and fetching a Debian kernel "
                          "needs it") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or "no message").splitlines()[-1]
        raise Unavailable(f"{' '.join(map(str, args))} failed: {last}") from None


def has_candidate(package):
    """pkgnames also lists names that apt only knows from dependencies."""
    policy = run_tool(["apt-cache", "policy", package], env={**os.environ, "LC_ALL": "C"})
    found = re.search(r"Candidate: (\S+)", policy)
    return bool(found) and found.group(1) != "(none)"


def newest_package(name):
    prefix, pattern = DEBIAN[name]
    found = {}
    for package in run_tool(["apt-cache", "pkgnames", prefix]).split():
        match = pattern.fullmatch(package)
        if match:
            found[int(match.group(1))] = package
    for number in sorted(found, reverse=True):
        if has_candidate(found[number]):
            return found[number]
    raise Unavailable(f"apt offers no package that matches {pattern.pattern} "
                      "(apt-get update, or a source that carries it, would help)")


def unpacked(name, tree):
    """The kernel in an unpacked package, or None; /lib and /usr/lib both occur."""
    images = sorted((tree / "boot").glob("vmlinuz-*"))
    if not images:
        return None
    return Kernel(name, images[0], modules_beside(images[0]))


def modules_beside(vmlinuz):
    """lib/modules/VERSION of the tree that vmlinuz-VERSION lies in the boot directory of."""
    version = Path(vmlinuz).name.partition("-")[2]
    root = Path(vmlinuz).resolve().parent.parent
    for lib in ("lib", "usr/lib"):
        modules = root / lib / "modules" / version
        if version and modules.is_dir():
            return modules
    return None


def fetch(name, cache):
    """Download and unpack beside the goal, then rename: a broken fetch leaves nothing half done."""
    package = newest_package(name)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{name}-") as work:
        # As root apt would hand the download to _apt, which may not write here.
        run_tool(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package], cwd=work)
        debs = list(Path(work).glob("*.deb"))
        if len(debs) != 1:
            raise Unavailable(f"apt-get download {package} left {len(debs)} .deb files, not one")
        tree = Path(work) / "tree"
        run_tool(["dpkg-deb", "-x", debs[0], tree])
        if unpacked(name, tree) is None:
            raise Unavailable(f"{package} has no boot/vmlinuz-*")
        shutil.rmtree(cache / name, ignore_errors=True)
        tree.rename(cache / name)


def debian_kernel(name, cache, refresh):
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if refresh or unpacked(name, cache / name) is None:
            fetch(name, cache)
        return unpacked(name, cache / name)


def anon_vma_name_kernel():
    given = os.environ.get("MEMOIR_VM_KERNEL")
    if not given:
        raise Unavailable("MEMOIR_VM_KERNEL does not name a kernel with CONFIG_ANON_VMA_NAME, "
                          f"nor a directory that holds {ANON_VMA_NAME_FILE}")
    path = Path(given)
    if path.is_dir():
        path = path / ANON_VMA_NAME_FILE
    if not path.is_file():
        raise Unavailable(f"MEMOIR_VM_KERNEL is {given}, but there is no file {path}")
    return Kernel("anon-vma-name", path.resolve(), modules_beside(path))


def find(name, cache=DEFAULT_CACHE, refresh=False):
    """The Kernel of a known name, or of a path to a vmlinuz or bzImage; else Unavailable."""
    if name in DEBIAN:
        return debian_kernel(name, Path(cache), refresh)
    if name == "anon-vma-name":
        return anon_vma_name_kernel()
    if Path(name).is_file():
        return Kernel(Path(name).name, Path(name).resolve(), modules_beside(name))
    raise Unavailable(f"{name} is neither a file nor one of {', '.join(NAMES)}")


def describe(name, cache):
    """For --list: must not download anything."""
    try:
        if name not in DEBIAN:
            return str(find(name).vmlinuz)
        here = unpacked(name, cache / name)
        return str(here.vmlinuz) if here else f"not fetched yet; apt offers {newest_package(name)}"
    except Unavailable as why:
        return f"not available: {why}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("name", nargs="?", help=f"{', '.join(NAMES)}, or a path")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--refresh", action="store_true", help="fetch again, perhaps a newer one")
    parser.add_argument("--list", action="store_true", help="say what there is; fetch nothing")
    args = parser.parse_args()
    if args.list == bool(args.name):
        parser.error("give one name, or --list")
    if args.list:
        for name in NAMES:
            print(f"{name}: {describe(name, args.cache)}")
        return 0
    try:
        kernel = find(args.name, args.cache, args.refresh)
    except Unavailable as why:
        print(f"kernels.py: {args.name} is not available: {why}", file=sys.stderr)
        return 1
    print(kernel.vmlinuz)
    if kernel.modules_dir:
        print(kernel.modules_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
