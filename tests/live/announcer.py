#!/usr/bin/env python3
"""Announces buffers by libmemoir-name as it is told; it must not decide anything.

    announcer.py [--uid N] [--new-pids]

Each line of input is a JSON list, a call and its arguments; each line of output what it returned. The first
line of output is its pid, as it knows it and as the one who started it does (with --new-pids two).
"""
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

CLONE_NEWPID = 0x20000000
names = ctypes.CDLL(str(Path(os.environ["MEMOIR_BUILD"]) / "src/libmemoir-name.so"))
names.memoir_buffer_init.argtypes = (ctypes.c_uint64, ctypes.c_char_p, ctypes.c_void_p)
names.memoir_buffer_remove.argtypes = (ctypes.c_uint32,)
names.memoir_buffer_install.argtypes = names.memoir_buffer_uninstall.argtypes = (ctypes.c_uint32, ctypes.c_int)
names.memoir_tag_fd.argtypes = (ctypes.c_int, ctypes.c_char_p)
libc = ctypes.CDLL(None, use_errno=True)


def text(string):
    return None if string is None else string.encode()


def init(size, tag):
    number = ctypes.c_uint32()
    return names.memoir_buffer_init(size, text(tag), ctypes.byref(number)) or number.value


def memfd(name, size):
    fd = os.memfd_create(name)
    os.ftruncate(fd, size)
    return fd


def fork(*calls):
    """A child that makes these calls and waits; [its pid, what they returned]."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, json.dumps([call(*each) for each in calls]).encode() + b"\n")
        while True:
            signal.pause()
    with os.fdopen(read) as answer:
        os.close(write)
        CHILDREN.append(pid)
        return [pid, json.loads(answer.readline())]


CHILDREN = []
CALLS = {"init": init, "remove": names.memoir_buffer_remove, "install": names.memoir_buffer_install,
         "uninstall": names.memoir_buffer_uninstall, "memfd": memfd, "fork": fork,
         "tag": lambda fd, tag: names.memoir_tag_fd(fd, text(tag))}


def call(name, *arguments):
    return CALLS[name](*arguments)


def serve(outer):
    print(json.dumps([os.getpid(), outer()]), flush=True)
    for line in sys.stdin:
        print(json.dumps(call(*json.loads(line))), flush=True)
    for pid in CHILDREN:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main():
    arguments = sys.argv[1:]
    if "--new-pids" in arguments:
        if libc.unshare(CLONE_NEWPID):
            sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
        read, write = os.pipe()
        pid = os.fork()
        if pid:
            os.write(write, b"%d\n" % pid)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        with os.fdopen(read) as number:
            outer = int(number.readline())
        serve(lambda: outer)
        return
    if "--uid" in arguments:
        os.setresuid(*[int(arguments[arguments.index("--uid") + 1])] * 3)
    serve(os.getpid)


if __name__ == "__main__":
    main()
