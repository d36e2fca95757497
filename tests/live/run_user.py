"""What a program does that names memory by prctl, for the tests of memoir run; knows nothing of memoir."""
import ctypes
import mmap

PAGE = 4096
PR_SET_VMA = 0x53564d41

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


def anonymous(pages, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=3):
    """Its address; every page was written to, if it may be."""
    at = libc.mmap(None, pages * PAGE, prot, flags, -1, 0)
    if prot & 2:
        ctypes.memset(at, 1, pages * PAGE)
    return at


def set_vma(addr, size, name, what=0):
    """0 or a negative errno. name: bytes, None, or an address."""
    if isinstance(name, bytes):
        text = ctypes.create_string_buffer(name)
        name = ctypes.addressof(text)
    done = libc.prctl(PR_SET_VMA, what, addr, size, name or 0)
    return -ctypes.get_errno() if done < 0 else done
