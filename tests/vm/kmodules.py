"""Finds a kernel module and what it depends on, in the order to insert; it never loads one itself.

Dependencies are read from the modules' own .modinfo ("depends=", "softdep="): modules.dep is made
by depmod when a package is installed, and a package that is only unpacked has none.
"""
import gzip
import lzma
import subprocess
from pathlib import Path


class ModuleError(Exception):
    """A module cannot be had; the text is one sentence."""


def canonical(name):
    return name.replace("-", "_")


def unpack(path):
    """The bytes of a .ko, whichever way it is packed."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        try:
            return subprocess.run(["zstd", "-dcq"], input=data, check=True,
                                  stdout=subprocess.PIPE).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise ModuleError(f"{path} cannot be unpacked by zstd: {error}") from None
    return data


def modinfo(data, key):
    """The values of KEY=value strings in .modinfo; the strings are NUL-terminated."""
    values = []
    mark = b"\0" + key.encode() + b"="
    at = data.find(mark)
    while at >= 0:
        start = at + len(mark)
        end = data.index(b"\0", start)
        values.append(data[start:end].decode("ascii", "replace"))
        at = data.find(mark, end)
    return values


def softdeps(data):
    """Names after "pre:"; "post:" ones are not needed for the module to work."""
    names = []
    for value in modinfo(data, "softdep"):
        before_post = value.partition("post:")[0]
        names += before_post.replace("pre:", " ").split()
    return names


class Modules:
    """The modules of one lib/modules/VERSION; None stands for a kernel with no modules at all."""

    def __init__(self, modules_dir):
        self.where = modules_dir
        self.files = {}
        self.builtin = set()
        if modules_dir is None:
            return
        for path in Path(modules_dir).rglob("*.ko*"):
            self.files[canonical(path.name.partition(".ko")[0])] = path
        builtin = Path(modules_dir) / "modules.builtin"
        if builtin.is_file():
            for line in builtin.read_text().split():
                self.builtin.add(canonical(Path(line).stem))

    def closure(self, names):
        """[(name, bytes)] in the order to insert, and the names the guest must find built in:
        modules.builtin does not list what could never be a module."""
        order, check = {}, []
        for name in map(canonical, names):
            if name not in self.files and name not in self.builtin:
                check.append(name)
            else:
                self._visit(name, order, required=True)
        return [(name, data) for name, data in order.items() if data is not None], check

    def _visit(self, name, order, required):
        if name in order or name in self.builtin:
            return
        if name not in self.files:
            if required:
                raise ModuleError(f"{self.where} lacks {name}, which another module needs")
            return
        order[name] = None  # marks the visit, should softdeps form a circle
        data = unpack(self.files[name])
        for dep in ",".join(modinfo(data, "depends")).split(","):
            if dep:
                self._visit(canonical(dep), order, required=True)
        for dep in softdeps(data):
            self._visit(canonical(dep), order, required=False)
        del order[name]
        order[name] = data
