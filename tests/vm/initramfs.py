"""Builds the initramfs of a VM test: busybox, named host files with their shared libraries, python
and modules; it must not need root, device nodes on the host, or anything but Debian's own tools.
"""
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
# As on Debian: so that a host path and a path that ldd names are one path in the guest, too.
USR_MERGED = ("bin", "sbin", "lib", "lib64")
COVERED = ("dev", "proc", "sys", "run", ".vm")  # the guest mounts something there, or uses it
EMPTY_DIRS = ("dev", "proc", "sys", "tmp", "mnt", "run", "root", "etc", "usr/bin", "usr/sbin",
              "usr/lib", "usr/lib64", ".vm/modules")
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n"
              "nobody:x:65534:65534:nobody:/:/bin/false\n",
    "group": "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n",
}
# Of the standard library, what no test in a guest has a use for: most of its size.
PYTHON_WITHOUT = re.compile(
    r"/(test|tests|idlelib|lib2to3|distutils|ensurepip|tkinter|turtledemo|pydoc_data|venv|"
    r"__pycache__|config-[^/]*)(/|$)"
    r"|/lib-dynload/(_test|xx|_xx|_ssl|_hashlib|_codecs_|_multibytecodec|_curses|_dbm|_tkinter|"
    r"readline|nis|ossaudiodev|audioop)")


class BuildError(Exception):
    """The initramfs cannot be built; the text is one sentence."""


def guest_path(path):
    """A guest path as the archive names it: no leading slash, through /usr."""
    path = os.path.normpath("/" + str(path)).lstrip("/")
    head = path.split("/", 1)[0]
    return "usr/" + path if head in USR_MERGED else path


class Archive:
    """A cpio archive in the "newc" format, written in order; a path is taken once."""

    def __init__(self):
        self.parts = []
        self.seen = set()
        self.inode = 0

    def _entry(self, name, mode, data=b"", rdev=(0, 0), mtime_s=0):
        self.inode += 1
        fields = (self.inode, mode, 0, 0, 1, mtime_s, len(data), 0, 0, *rdev,
                  len(name.encode()) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        for part in (head, data):
            self.parts.append(part)
            self.parts.append(b"\0" * (-len(part) % 4))

    def _take(self, name):
        if name in self.seen or name in ("", "."):
            return False
        self.directory(os.path.dirname(name))
        self.seen.add(name)
        return True

    def directory(self, name):
        if self._take(name):
            self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644, mtime_s=0):
        if self._take(name):
            self._entry(name, stat.S_IFREG | mode, data, mtime_s=mtime_s)

    def symlink(self, name, target):
        if self._take(name):
            self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, name, major, minor):
        if self._take(name):
            self._entry(name, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def finish(self):
        self._entry("TRAILER!!!", 0)
        return b"".join(self.parts)


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def shared_libraries(path):
    """What ldd names, as it names it: the loader looks at just these paths."""
    try:
        done = subprocess.run(["ldd", path], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
    except FileNotFoundError:
        raise BuildError("ldd is not on this machine") from None
    libraries = []
    for line in done.stdout.splitlines():
        if "not found" in line:
            raise BuildError(f"{path} needs a library that is not here: {line.strip()}")
        match = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if match:
            libraries.append(match.group(1))
    return libraries


class Builder:
    """Puts host files with all they need into an archive."""

    def __init__(self):
        self.archive = Archive()
        self.library_dirs = []  # for LD_LIBRARY_PATH, where $ORIGIN no longer helps
        self.with_libraries = set()

    def skeleton(self):
        for name in EMPTY_DIRS:
            self.archive.directory(name)
        for name in USR_MERGED:
            self.archive.symlink(name, f"usr/{name}")
        self.archive.char_device("dev/console", 5, 1)
        for name, text in ETC.items():
            self.archive.file(f"etc/{name}", text.encode())

    def shell(self):
        """Debian's own sh: busybox's takes its applets for programs, whatever is in the PATH."""
        dash = shutil.which("dash")
        if dash is None:
            raise BuildError("dash is not on this machine: apt-get install dash")
        self.add_file(dash, "usr/bin/sh")

    def busybox(self):
        """Last of all: an applet gives way to a real program of the same path."""
        busybox = shutil.which("busybox")
        if busybox is None:
            raise BuildError("busybox is not on this machine: apt-get install busybox-static")
        if shared_libraries(busybox):
            raise BuildError(f"{busybox} is not static: apt-get install busybox-static")
        self.copy(busybox, "usr/bin/busybox")
        listed = subprocess.run([busybox, "--list-full"], text=True, stdout=subprocess.PIPE,
                                check=True).stdout.split()
        for applet in listed:
            self.archive.symlink(guest_path(applet), "/usr/bin/busybox")

    def copy(self, host, guest):
        """One file, links followed; a link would need its goal to be there as well."""
        info = os.stat(host)
        if not stat.S_ISREG(info.st_mode):
            raise BuildError(f"{host} is neither a file nor a directory")
        self.archive.file(guest, Path(host).read_bytes(), stat.S_IMODE(info.st_mode),
                          int(info.st_mtime))

    def add_file(self, host, guest):
        self.copy(host, guest)
        if not is_elf(host) or host in self.with_libraries:
            return
        self.with_libraries.add(host)
        moved = guest != guest_path(os.path.abspath(host))
        for library in shared_libraries(host):
            self.copy(library, guest_path(library))
            place = os.path.dirname(library)
            if moved and not place.startswith(("/lib", "/usr/lib")):
                if place not in self.library_dirs:
                    self.library_dirs.append(place)

    def add(self, host, guest=None):
        """A file, or a directory with all below it but links to directories; at the same path, or
        at the one given."""
        host = os.path.abspath(host)
        guest = guest_path(guest or host)
        if not os.path.exists(host):
            raise BuildError(f"{host} does not exist")
        if guest.split("/", 1)[0] in COVERED:
            raise BuildError(f"/{guest} would be hidden in the guest: give another path, as in "
                             f"{host}:/opt/{os.path.basename(host)}")
        if not os.path.isdir(host):
            self.add_file(host, guest)
            return
        self.archive.directory(guest)
        for folder, _, files in os.walk(host):
            inside = os.path.normpath(os.path.join(guest, os.path.relpath(folder, host)))
            self.archive.directory(inside)
            for name in sorted(files):
                if os.path.isfile(os.path.join(folder, name)):
                    self.add_file(os.path.join(folder, name), os.path.join(inside, name))

    def python(self):
        """Debian's python 3.11, whatever python3 means in the PATH of the host."""
        binary, library = "/usr/bin/python3.11", "/usr/lib/python3.11"
        if not os.path.isfile(binary) or not os.path.isfile(library + "/json/__init__.py"):
            raise BuildError(f"{binary} or {library} is missing: apt-get install python3")
        self.add(binary)
        self.archive.symlink("usr/bin/python3", "python3.11")
        for folder, names, files in os.walk(library):
            names[:] = [name for name in names
                        if not PYTHON_WITHOUT.search(os.path.join(folder, name))]
            for name in files:
                self.python_file(os.path.join(folder, name))

    def python_file(self, path):
        """Compiled files stand in for sources: half the size, and an emulated CPU compiles
        nothing. Beside __pycache__, where python takes them without a look at the times."""
        folder, name = os.path.split(path)
        compiled = f"{folder}/__pycache__/{name[:-3]}.cpython-311.pyc"
        if PYTHON_WITHOUT.search(path):
            return
        if name.endswith(".py") and os.path.isfile(compiled):
            self.copy(compiled, guest_path(path + "c"))
        elif name.endswith((".py", ".so")):
            self.add_file(path, guest_path(path))

    def run_files(self, token, command, modules, must_be_builtin):
        """What guest-init reads."""
        put = self.archive.file
        put("init", (HERE / "guest-init").read_bytes(), 0o755)
        put(".vm/token", token + b"\n", 0o600)
        put(".vm/cmd", command.encode())
        put(".vm/builtin", " ".join(must_be_builtin).encode() + b"\n")
        for number, (name, data) in enumerate(modules):
            put(f".vm/modules/{number:03}-{name}.ko", data)
