#!/usr/bin/env python3
"""Holds the layers apart: each includes only itself and what is to its left, and only src/kernel talks to
the kernel. It reads the sources as text; it must not need a build.

    layers.py [--self-test]     TAP; the self-test shows that each rule finds a breach
"""
import re
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent

# From left to right; those on one line must not call each other.
ORDER = (
    ("base",),
    ("kernel",),
    ("names", "buffers"),
    ("snapshot",),
    ("analysis",),
    ("hints", "policy", "store", "present"),
    ("cli", "daemon", "top", "view", "preload"),
)
LEVEL = {layer: level for level, layers in enumerate(ORDER) for layer in layers}

# The layer that implements a public header. memoir.h: base has the errors and its types.
PUBLIC = {
    "memoir/memoir.h": "base",
    "memoir/snapshot.h": "snapshot",
    "memoir/tag.h": "snapshot",
    "memoir/who.h": "snapshot",
    "memoir/select.h": "analysis",
    "memoir/analysis.h": "analysis",
    "memoir/buffers.h": "analysis",
    "memoir/diff.h": "analysis",
    "memoir/name.h": "names",
    "memoir/name-weak.h": "names",
    "memoir/track.h": "names",
    "memoir/hint.h": "hints",
    "memoir/idle.h": "hints",
    "memoir/refault.h": "hints",
    "memoir/subject.h": "analysis",
}

# (file, include): why it may. Keep this short.
INCLUDE_EXCEPTIONS = {
}

# Files of no layer, in src itself.
LOOSE = {"public.h"}

# What only src/kernel may do. Strings are looked at with comments taken out, calls with strings
# taken out as well.
KERNEL_PATH = re.compile(r'"/?(?:proc|sys)/')
ERROR_CALL = re.compile(r"\berror_set(?:_about)?\s*\([^;]*;")  # may speak of /proc
KERNEL_CALL = re.compile(
    r"\b(?:ioctl|bpf|syscall|process_vm_readv|process_vm_writev|process_madvise|process_mrelease"
    r"|madvise|mincore|mlock|mlockall|mremap|prctl|ptrace|pidfd_open|pidfd_getfd|pidfd_send_signal"
    r"|perf_event_open|userfaultfd|swapon|swapoff)\s*\(")
KERNEL_NUMBER = re.compile(r"\b(?:SYS|__NR)_[a-z]\w*")
KERNEL_HEADER = re.compile(r"<(?:linux/|asm/|bpf/|sys/(?:ioctl|ptrace|prctl|syscall|pidfd)\.h)")
# (file, word): why it may.
KERNEL_EXCEPTIONS = {
    # libmemoir-name is on its own: what it asks the kernel is about its own process.
    ("src/names/system.c", "prctl("),
    ("src/names/system.c", "madvise("),
    ("src/names/system.c", "mremap("),
    ("src/names/system.c", "<sys/prctl.h"),
    # A dma-buf of the program's own gets a name.
    ("src/names/system.c", "ioctl("),
    ("src/names/system.c", "<sys/ioctl.h"),
    # What it stands in front of has these names.
    ("src/preload/mappings.c", "prctl("),
    ("src/preload/mappings.c", "mremap("),
    ("src/preload/next.c", "prctl("),
    ("src/preload/next.c", "mremap("),
}

# Rows are made at the first look: what reads a snapshot goes by snapshot_regions(). The loader fills them.
ROWS = re.compile(r"\b(?:s|snap|snapshot)->regions\b")
ROWS_READERS = re.compile(r"src/(?!snapshot/|store/load)")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.MULTILINE)
COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return COMMENT_OR_STRING.sub(
        lambda m: blank(m[0]) if m[0].startswith(("//", "/*")) else m[0], text)


def without_strings(text):
    return COMMENT_OR_STRING.sub(lambda m: '""' if m[0].startswith('"') else m[0], text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def layer_of(include):
    """The layer that an include belongs to, or None for a system header."""
    name = include[1:-1]
    if name.startswith("memoir/"):
        return PUBLIC.get(name, "unknown public header")
    first = name.split("/")[0]
    return first if "/" in name and first in LEVEL and include.startswith('"') else None


def may_include(layer, other):
    return other == layer or LEVEL.get(other, len(ORDER)) < LEVEL[layer]


def include_breaches(path, text):
    layer = path.split("/")[1]
    if layer not in LEVEL:
        return [f"{path}: {layer} is no layer: add it to ORDER"]
    breaches = []
    code = without_comments(text)
    for match in INCLUDE.finditer(code):
        other = layer_of(match[1])
        if match[1].startswith('"') and ".." in match[1]:
            breaches.append(f"{path}:{line_of(code, match.start(1))}: {match[1]}: name it from src")
        elif other and not may_include(layer, other) and \
                (path, match[1][1:-1]) not in INCLUDE_EXCEPTIONS:
            breaches.append(f"{path}:{line_of(code, match.start(1))}: {layer} includes {match[1]}, "
                            f"which is of {other}")
    return breaches


def kernel_breaches(path, text):
    """What a file outside src/kernel does that only src/kernel may do."""
    if path.startswith("src/kernel/"):
        return []
    code = without_comments(text)
    bare = without_strings(code)
    paths = ERROR_CALL.sub(lambda m: blank(m[0]), code)
    breaches = []
    for pattern, where in ((KERNEL_PATH, paths), (KERNEL_HEADER, code),
                           (KERNEL_CALL, bare), (KERNEL_NUMBER, bare)):
        for match in pattern.finditer(where):
            if (path, match[0]) not in KERNEL_EXCEPTIONS:
                breaches.append(f"{path}:{line_of(where, match.start())}: {match[0].strip()} "
                                "belongs into src/kernel")
    return breaches


def row_breaches(path, text):
    """Where regions are read that may not be there yet."""
    if not ROWS_READERS.match(path):
        return []
    code = without_strings(without_comments(text))
    return [f"{path}:{line_of(code, match.start())}: {match[0]}: say snapshot_regions()"
            for match in ROWS.finditer(code)]


def sources():
    for file in sorted((TREE / "src").rglob("*.[ch]")):
        path = file.relative_to(TREE).as_posix()
        if path.removeprefix("src/") not in LOOSE:
            yield path, file.read_text(encoding="utf-8")


def check_tree():
    files = list(sources())
    includes = [b for path, text in files for b in include_breaches(path, text)]
    kernel = [b for path, text in files for b in kernel_breaches(path, text)]
    rows = [b for path, text in files for b in row_breaches(path, text)]
    stale = [f"{key} is excepted, but there is no such file" for key in
             [*INCLUDE_EXCEPTIONS, *KERNEL_EXCEPTIONS] if not (TREE / key[0]).exists()]
    return [
        (f"each of {len(files)} files includes only what is to its left", includes),
        ("only src/kernel opens /proc and /sys and makes memory calls", kernel),
        ("what reads a snapshot does not rely on rows being there", rows),
        ("there are sources, and no stale exceptions", stale if files else ["no sources found"]),
    ]


GOOD = '''/* ioctl(1) and "/proc/1" in a comment */
#include <errno.h>
#include "base/grow.h"
const char *help = "see /proc/PID/smaps; madvise() and ioctl() are not called";
return error_set_about(error, err, 0, "/proc/meminfo",
		       "/proc/meminfo can't be read: %s", strerror(-err));
x = snapshot_regions(s)[i].object + run->regions[i]; /* s->regions */
'''
BREACHES = (
    ("include to the right", include_breaches, "src/base/x.c", '#include "kernel/root.h"\n'),
    ("include beside", include_breaches, "src/store/x.c", '#include "present/json.h"\n'),
    ("public header to the right", include_breaches, "src/kernel/x.c",
     "#include <memoir/analysis.h>\n"),
    ("public header of no layer", include_breaches, "src/cli/x.c", "#include <memoir/new.h>\n"),
    ("relative include", include_breaches, "src/cli/x.c", '#include "../base/grow.h"\n'),
    ("directory of no layer", include_breaches, "src/new/x.c", "int x;\n"),
    ("path of /proc", kernel_breaches, "src/cli/x.c", 'open("/proc/self/maps", 0);\n'),
    ("path after an error", kernel_breaches, "src/cli/x.c",
     'error_set(e, 1, "x"); open("/proc/1", 0);\n'),
    ("path below a root", kernel_breaches, "src/cli/x.c", 'openat(fd, "sys/kernel", 0);\n'),
    ("ioctl", kernel_breaches, "src/snapshot/x.c", "ioctl (fd, 1);\n"),
    ("madvise after a string", kernel_breaches, "src/base/x.c", 'f("/*"); madvise(p, 1, 2);\n'),
    ("system call number", kernel_breaches, "src/base/x.c", "call(SYS_bpf);\n"),
    ("rows of a snapshot", row_breaches, "src/analysis/x.c", "x = run->s->regions[i].object;\n"),
    ("kernel header", kernel_breaches, "src/base/x.c", "#include <linux/fs.h>\n"),
)


def self_test():
    results = [("what is allowed is left alone",
                include_breaches("src/kernel/x.c", GOOD) + kernel_breaches("src/cli/x.c", GOOD) +
                row_breaches("src/analysis/x.c", GOOD))]
    for what, rule, path, text in BREACHES:
        results.append((f"{what} is found", [] if rule(path, text) else ["nothing was found"]))
    return results


def main():
    results = self_test() if "--self-test" in sys.argv[1:] else check_tree()
    print(f"1..{len(results)}")
    for number, (what, breaches) in enumerate(results, 1):
        print(f"{'not ok' if breaches else 'ok'} {number} - {what}")
        for breach in breaches:
            print(f"# {breach}")
    return 1 if any(breaches for _, breaches in results) else 0


if __name__ == "__main__":
    sys.exit(main())
