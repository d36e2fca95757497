"""Buffers of drivers, made as programs make them: of the system's dma-heap, of a memfd by udmabuf, of vgem's GEM
memory; held in every way there is, and what is true of each. Nothing here may ask memoir."""
import ctypes
import fcntl
import os
import signal
import socket
import struct

from buffer_actors import PAGE, fork_child, map_file, truth_of

# <linux/dma-heap.h>, <linux/udmabuf.h>, <linux/dma-buf.h>, <drm/drm.h>.
DMA_HEAP_IOCTL_ALLOC = 0xC0184800
UDMABUF_CREATE = 0x40187542
DMA_BUF_SET_NAME = 0x40086201
DRM_IOCTL_MODE_CREATE_DUMB = 0xC02064B2
DRM_IOCTL_PRIME_HANDLE_TO_FD = 0xC00C642D
UDMABUF_FLAGS_CLOEXEC = 1
SYS_PIDFD_GETFD = 438
PR_SET_DUMPABLE = 4
NOBODY = 65534

libc = ctypes.CDLL(None, use_errno=True)


def ioctl(fd, request, form, *values):
    """A system call's own result, and the structure as the kernel left it."""
    data = bytearray(struct.pack(form, *values))
    return fcntl.ioctl(fd, request, data), struct.unpack(form, data)


def set_name(fd, name):
    """Of a dma-buf, whoever holds it."""
    if libc.ioctl(fd, ctypes.c_ulong(DMA_BUF_SET_NAME), name.encode()) < 0:
        raise OSError(ctypes.get_errno(), "DMA_BUF_SET_NAME")


def take_fd(pid, number):
    """The very file that another process has open."""
    pidfd = os.pidfd_open(pid)
    fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
    os.close(pidfd)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return fd


# ---- classes: each makes (fd, what is true of it) -----------------------------------------------

def heap(pages):
    """Pages that no counter of the kernel has."""
    with open("/dev/dma_heap/system", "rb") as device:
        _, (_, fd, _, _) = ioctl(device, DMA_HEAP_IOCTL_ALLOC, "QIIQ", pages * PAGE, 0,
                                 os.O_RDWR | os.O_CLOEXEC, 0)
    return fd, truth_of("dmabuf", fd, None, pages, pages, exporter="system")


def udmabuf_of(memfd, pages):
    with open("/dev/udmabuf", "rb") as device:
        fd, _ = ioctl(device, UDMABUF_CREATE, "IIQQ", memfd, UDMABUF_FLAGS_CLOEXEC, 0, pages * PAGE)
    return fd, truth_of("dmabuf", fd, None, pages, pages, exporter="udmabuf", own_bytes=0)


def memfd_for_udmabuf(name, pages):
    memfd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memfd, pages * PAGE)
    fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return memfd


def udmabuf(pages):
    """As long as the memfd is open, its pages are those of the memfd."""
    return udmabuf_of(memfd_for_udmabuf("under", pages), pages)


def orphan(pages):
    """A udmabuf whose memfd is closed: the pages are its own. Text can't tell."""
    memfd = memfd_for_udmabuf("gone", pages)
    fd, truth = udmabuf_of(memfd, pages)
    os.close(memfd)
    return fd, {**truth, "own_bytes": pages * PAGE, "own_bytes_by_text": 0}


def gem_exported(pages, times):
    """GEM memory of vgem: so many fds of one buffer. When drivers take pages is their own affair, so how many
    there are can't be known."""
    card = os.open("/dev/dri/card0", os.O_RDWR | os.O_CLOEXEC)
    _, dumb = ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, "6IQ", pages, PAGE // 4, 32, 0, 0, 0, 0)
    fds = [ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, "IIi", dumb[4], os.O_CLOEXEC | os.O_RDWR,
                 -1)[1][2] for _ in range(times)]
    return fds, {**truth_of("dmabuf", fds[0], None, pages, pages, exporter="drm"),
                 "resident_bytes": None}


def gem(pages):
    fds, truth = gem_exported(pages, 1)
    return fds[0], truth


CLASSES = {"of a heap": heap, "a udmabuf": udmabuf, "a udmabuf without its memfd": orphan,
           "GEM memory": gem}


# ---- ways to hold one; each returns what is true, and what must be kept ---------------------------

def mapped(fd, *parts):
    """Maps and touches (first page, pages) of it; the ranges in order."""
    starts = sorted((map_file(fd, pages, first, touched=pages), pages) for first, pages in parts)
    return [[start, start + pages * PAGE] for start, pages in starts]


def fd_only(make):
    fd, truth = make(16)
    return {**truth, "fds": [fd]}, None


def two_fds(make):
    fd, truth = make(16)
    return {**truth, "fds": sorted([fd, os.dup(fd)])}, None


def mapped_only(make):
    fd, truth = make(16)
    ranges = mapped(fd, (0, 16))
    os.close(fd)
    return {**truth, "fds": [], "ranges": ranges}, None


def mapped_in_part(make):
    fd, truth = make(16)
    return {**truth, "fds": [fd], "ranges": mapped(fd, (4, 5))}, None


def mapped_twice(make):
    fd, truth = make(16)
    return {**truth, "fds": [fd], "ranges": mapped(fd, (0, 12), (8, 8))}, None


def named(make):
    fd, truth = make(16)
    set_name(fd, "dma \x1b[31m\n\\\"")
    return {**truth, "tag": "dma \x1b[31m\n\\\"", "fds": [fd]}, None


def inherited(make):
    """By a child, which has the mapping as well."""
    fd, truth = make(16)
    ranges = mapped(fd, (0, 16))
    return {**truth, "fds": [fd], "ranges": ranges, "child": fork_child()}, None


def in_flight(make):
    """Passed, not received: of the process's own there is nothing left."""
    near, far = socket.socketpair()
    fd, truth = make(16)
    socket.send_fds(near, [b"x"], [fd])
    os.close(fd)
    return {**truth, "fds": [], "socket": far.fileno()}, (near, far)


def small_ones(make):
    """Ten of 4,096 bytes."""
    return {"several": [{**truth, "fds": [fd]} for fd, truth in (make(1) for _ in range(10))]}, None


WAYS = {"fd only": fd_only, "two fds": two_fds, "mapped, its fd closed": mapped_only,
        "mapped in part": mapped_in_part, "mapped twice": mapped_twice,
        "named": named, "inherited by fork": inherited, "in flight": in_flight,
        "ten of 4,096 bytes": small_ones}


def of_nobody(make):
    """Held by an ordinary user's process that may be looked at."""
    fd, truth = make(16)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    libc.prctl(PR_SET_DUMPABLE, 1)
    return {**truth, "fds": [fd]}, None


# ---- what changes, and what ends ------------------------------------------------------------------

def closes_memfd(name, pages):
    """A udmabuf, and the memfd that it is made of until SIGUSR1 comes."""
    memfd = memfd_for_udmabuf(name, pages)
    fd, truth = udmabuf_of(memfd, pages)
    signal.signal(signal.SIGUSR1, lambda *_: os.close(memfd))
    return {**truth, "fds": [fd], "memfd": {**truth_of("memfd", memfd, name, pages, pages),
                                            "fds": [memfd]}}, None


def exported_twice(pages):
    fds, truth = gem_exported(pages, 2)
    return {**truth, "fds": sorted(fds)}, None


def takes(pid, number):
    """A second holder."""
    return {"fds": [take_fd(pid, number)]}, None


def large(make, pages):
    """Held by two fds and a mapping."""
    fd, truth = make(pages)
    return {**truth, "fds": sorted([fd, os.dup(fd)]), "ranges": mapped(fd, (0, pages))}, None


def touched_gem(_):
    """All of its pages are there, as shared memory that no file has."""
    fd, _ = gem(1024)
    mapped(fd, (0, 1024))
    return {"hidden_bytes": 1024 * PAGE}, None
