"""Processes that hold shared buffers in every way there is, and what is true of each. Nothing here may ask
memoir."""
import contextlib
import ctypes
import json
import mmap
import os
import resource
import signal
import socket

PAGE = 4096
LIFETIME_S = 300
IO_URING_SETUP, IO_URING_REGISTER = 425, 427
REGISTER_BUFFERS, REGISTER_FILES = 0, 2
PR_SET_PDEATHSIG = 1
IPC_PRIVATE, IPC_CREAT, IPC_RMID = 0, 0o1000, 0
MFD_HUGETLB = 4

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p


class Unavailable(Exception):
    """This machine can't make it; the text says why."""


def object_id(kind, fd):
    st = os.fstat(fd)
    return f"{kind}:{os.major(st.st_dev):02x}:{os.minor(st.st_dev):02x}:{st.st_ino}"


class Actor:
    """A child that runs make(), which returns what is true, and stays until it is killed."""

    def __init__(self, make, *arguments):
        told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(told)
            self._act(tell, make, arguments)
        os.close(tell)
        with os.fdopen(told, "rb") as file:
            said = file.readline()
        self.truth = json.loads(said) if said else {"broken": "it died"}

    @staticmethod
    def _act(tell, make, arguments):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.alarm(LIFETIME_S)
        try:
            truth, kept = make(*arguments)
        except Unavailable as why:
            truth, kept = {"skip": str(why)}, None
        except OSError as error:
            truth, kept = {"broken": str(error)}, None
        os.write(tell, json.dumps(truth).encode() + b"\n")
        os.close(tell)
        while True:
            signal.pause()
        del kept

    def fds_by_pid(self, what):
        """Of something that its child has inherited: JSON has made strings of pids."""
        own = self.truth[what]
        return {self.pid: own, **{int(pid): fds for pid, fds in self.truth["child"].items()}}

    def kill(self):
        """By its own pid, and only once."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid = 0


def fork_child(stays=True):
    """A child that dies with its parent."""
    pid = os.fork()
    if pid == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.alarm(LIFETIME_S)
        while stays:
            signal.pause()
    return pid


def memfd(name, pages, written=None):
    fd = os.memfd_create(name)
    os.ftruncate(fd, pages * PAGE)
    os.pwrite(fd, b"x" * PAGE * (pages if written is None else written), 0)
    return fd


def truth_of(kind, fd, tag, pages, resident, **more):
    return {"object": object_id(kind, fd), "kind": kind, "tag": tag, "size_bytes": pages * PAGE,
            "resident_bytes": resident * PAGE, **more}


# ---- one process --------------------------------------------------------------------------------

def fd_only(name):
    fd = memfd(name, 64, 48)
    return truth_of("memfd", fd, name, 64, 48, fds=[fd]), fd


def duplicated(name):
    fd = memfd(name, 64)
    return truth_of("memfd", fd, name, 64, 64, fds=[fd, os.dup(fd)]), fd


def map_file(fd, pages, offset_pages=0, touched=0, flags=mmap.MAP_SHARED):
    """Python's mmap keeps an fd of its own: this one does not. The address."""
    libc.mmap.restype = ctypes.c_void_p
    start = libc.mmap(None, ctypes.c_size_t(pages * PAGE), 3, flags, fd,
                      ctypes.c_long(offset_pages * PAGE))
    for i in range(touched):
        ctypes.memset(start + i * PAGE, 1, 1)
    return start


def mapped_only(name):
    fd = memfd(name, 64, 0)
    truth = truth_of("memfd", fd, name, 64, 16, fds=[])
    start = map_file(fd, 64, touched=16)
    os.close(fd)
    return {**truth, "ranges": [[start, start + 64 * PAGE]], "rss_bytes": 16 * PAGE}, None


def mapped_in_part_and_twice(name):
    fd = memfd(name, 64)
    starts = sorted([map_file(fd, 32, touched=32), map_file(fd, 32, 16, touched=32)])
    return truth_of("memfd", fd, name, 64, 64, fds=[fd], rss_bytes=64 * PAGE,
                    ranges=[[s, s + 32 * PAGE] for s in starts], extra_bytes=16 * PAGE), None


def copied_in_part(name):
    """Mapped privately: of the 40 pages there are, which it has read, 16 are copies of its own by now."""
    fd = memfd(name, 64, 40)
    start = map_file(fd, 64, flags=mmap.MAP_PRIVATE)
    for i in range(40):
        ctypes.string_at(start + i * PAGE, 1)
    ctypes.memset(start, 1, 16 * PAGE)
    return truth_of("memfd", fd, name, 64, 40, fds=[fd], rss_bytes=24 * PAGE,
                    mapped_share_bytes=24 * PAGE, ranges=[[start, start + 64 * PAGE]]), None


def posix_shm(name):
    path = f"/dev/shm/memoir-test-{os.getpid()}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, name.encode()[:1] * PAGE * 8)
    os.unlink(path)
    return truth_of("shmem", fd, path, 8, 8, fds=[fd]), fd


def shared_anon(_):
    libc.mmap.restype = ctypes.c_void_p
    start = libc.mmap(None, ctypes.c_size_t(32 * PAGE), 3, 0x21, -1, ctypes.c_long(0))
    ctypes.memset(start, 1, 8 * PAGE)
    return {"object": None, "kind": "shared-anon", "tag": None, "size_bytes": 32 * PAGE,
            "resident_bytes": 8 * PAGE, "fds": [], "rss_bytes": 8 * PAGE,
            "ranges": [[start, start + 32 * PAGE]]}, None


def sysv(pages, attach, remove):
    segment = libc.shmget(IPC_PRIVATE, ctypes.c_size_t(pages * PAGE), IPC_CREAT | 0o600)
    if segment < 0:
        raise Unavailable("no System V shared memory")
    start = libc.shmat(segment, None, 0)
    ctypes.memset(start, 1, 4 * PAGE)
    if remove:
        libc.shmctl(segment, IPC_RMID, None)
    if not attach:
        libc.shmdt(ctypes.c_void_p(start))
    return segment, start


def sysv_attached(_):
    _, start = sysv(16, True, True)
    return {"object": None, "kind": "sysv", "tag": "SYSV00000000", "size_bytes": 16 * PAGE,
            "resident_bytes": 4 * PAGE, "fds": [], "rss_bytes": 4 * PAGE,
            "ranges": [[start, start + 16 * PAGE]]}, None


def hugetlb(name):
    try:
        fd = os.memfd_create(name, MFD_HUGETLB)
        os.ftruncate(fd, 2 << 20)
        os.posix_fallocate(fd, 0, 2 << 20)
    except OSError as error:
        raise Unavailable(f"no huge page in the pool: {error}") from error
    return truth_of("hugetlb", fd, name, 512, 512, fds=[fd]), fd


class Ring:
    """An io_uring; kept by its fd."""

    def __init__(self):
        self.fd = libc.syscall(IO_URING_SETUP, 8, ctypes.create_string_buffer(120))
        if self.fd < 0:
            raise Unavailable("io_uring_setup: refused")

    def register_memory(self, start, length):
        iovec = (ctypes.c_size_t * 2)(start, length)
        if libc.syscall(IO_URING_REGISTER, self.fd, REGISTER_BUFFERS, iovec, 1) < 0:
            raise Unavailable("io_uring_setup: registers no memory")

    def register_file(self, fd):
        if libc.syscall(IO_URING_REGISTER, self.fd, REGISTER_FILES, (ctypes.c_int * 1)(fd), 1) < 0:
            raise Unavailable("io_uring_setup: registers no files")


def ring_with_memory(_):
    ring, memory = Ring(), mmap.mmap(-1, 16 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    ring.register_memory(ctypes.addressof(ctypes.c_char.from_buffer(memory)), 12 * PAGE)
    return {**truth_of("io-uring", ring.fd, None, 12, 12, fds=[ring.fd]), "own_bytes": 0}, memory


# ---- several processes, and what nobody has ------------------------------------------------------

def ring_with_file(name):
    """Held by the ring alone."""
    ring, fd = Ring(), memfd(name, 1024)
    ring.register_file(fd)
    os.close(fd)
    return {"hidden_bytes": 1024 * PAGE}, ring


def seen(name):
    """Not hidden at all."""
    return {"hidden_bytes": 0}, memfd(f"not {name}", 1024)


def in_flight(name):
    """Passed, and not received."""
    near, far = socket.socketpair()
    fds = [memfd(name, 1024), memfd(name, 1024)]
    socket.send_fds(near, [b"x"], fds)
    for fd in fds:
        os.close(fd)
    fd = far.fileno()
    child = fork_child()
    return {"hidden_bytes": 2048 * PAGE, "socket": [fd, os.dup(fd)], "files": 2,
            "child": {child: [fd]}}, (near, far)


def in_flight_to_listener(name):
    """Passed to who has not accepted the connection yet."""
    near, listener = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    listener.bind("\0memoir-test-" + str(os.getpid()))
    listener.listen(2)
    near.connect(listener.getsockname())
    fd = memfd(name, 1024)
    socket.send_fds(near, [b"x"], [fd, fd])
    os.close(fd)
    return {"hidden_bytes": 1024 * PAGE, "socket": [listener.fileno()], "files": 2,
            "child": {}}, (near, listener)


def fd_of(name, pages):
    fd = memfd(name, pages)
    return {"fds": [fd]}, None


def opened_again(pid, number):
    """Another struct file of the same memfd."""
    return {"fds": [os.open(f"/proc/{pid}/fd/{number}", os.O_RDONLY)]}, None


def maps_again(pid, number, pages):
    """Only mapped, so many pages of it."""
    fd = os.open(f"/proc/{pid}/fd/{number}", os.O_RDWR)
    start = map_file(fd, pages)
    for i in range(pages):
        ctypes.string_at(start + i * PAGE, 1)
    os.close(fd)
    return {"fds": []}, None


def holding(fd):
    """Inherited by fork."""
    return {"fds": [fd]}, None


def received(number):
    """By SCM_RIGHTS, through a socket that is inherited."""
    with socket.socket(fileno=os.dup(number)) as end:
        _, fds, _, _ = socket.recv_fds(end, 1, 1)
    return {"fds": fds}, None


def opens_and_closes(_):
    """Never the same two times."""
    pid = fork_child(stays=False)
    if pid == 0:
        held = []
        while True:
            held.append(memfd("busy", 4))
            if len(held) == 200:
                for fd in held:
                    os.close(fd)
                held = []
    return {"busy": pid}, None


def many(name, buffers, references):
    """So many buffers, each with so many fds; small ones."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < buffers * references + 100:
        raise Unavailable(f"a process may have {most} files open")
    for i in range(buffers):
        fd = memfd(f"{name}-{i}", 1)
        for _ in range(references - 1):
            os.dup(fd)
    return {"buffers": buffers, "references": buffers * references}, None


ALONE = {
    "fd only": fd_only, "duplicated": duplicated, "mapped, its fd closed": mapped_only,
    "mapped in part and twice": mapped_in_part_and_twice, "copied in part": copied_in_part, "POSIX shared memory": posix_shm,
    "shared anonymous memory": shared_anon, "a System V segment": sysv_attached,
    "huge pages": hugetlb, "memory registered with io_uring": ring_with_memory,
}
