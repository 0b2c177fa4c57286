# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bytes that belong to somebody else: values of the library, shared memory.

PyGObject copies the bytes of each value that it hands over. What is small is copied here as well,
but once; what is large is looked at where it lies.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_HUGE = 4 * 1024 * 1024
_PAGE = mmap.PAGESIZE
_BYTES_HEADER = bytes.__basicsize__ - 1

_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_new_uninitialized = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_uninitialized.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t]
_new_uninitialized.restype = ctypes.py_object

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def copy_of(value: Any) -> bytes:
    """The bytes of a value of type `ay`, of PyGObject's or of _library's."""
    size = value.get_size()
    return ctypes.string_at(value.get_data(), size) if size > 0 else b''


def view_of(value: Any, size: int) -> memoryview:
    """The bytes of a value of type `ay`, where they are. The view keeps the value."""
    region = (ctypes.c_ubyte * size).from_address(value.get_data())
    region.owner = value  # type: ignore[attr-defined]
    return memoryview(region).cast('B').toreadonly()


def data_of(value: Any, large: int) -> bytes | memoryview:
    """The bytes of a value of type `ay`: a copy, or where it is that large, where they are."""
    size = value.get_size()
    return copy_of(value) if size < large else view_of(value, size)


def new_bytes(view: memoryview) -> bytes:
    """A copy. Of fresh memory in small pages, getting each page costs more than filling it."""
    size = view.nbytes
    if size < _HUGE:
        return bytes(view)
    result: bytes = _new_uninitialized(None, size)
    address = id(result) + _BYTES_HEADER
    first = -(-address // _PAGE) * _PAGE
    # Whether it can be had or not.
    _madvise(first, (address + size - first) // _PAGE * _PAGE, mmap.MADV_HUGEPAGE)
    target = (ctypes.c_ubyte * size).from_address(address)
    memoryview(target).cast('B')[:] = view
    return result


def write(address: int, offset: int, data: Any) -> None:
    """Writes the bytes of an object with a buffer to memory, at an offset in bytes."""
    source = memoryview(data).cast('B')
    target = (ctypes.c_ubyte * source.nbytes).from_address(address + offset)
    memoryview(target).cast('B')[:] = source


def new_sealed_file(parts: Iterable[Any], size: int) -> int:
    """A descriptor of shared memory with these bytes, which nobody can change any more.

    Errors: OSError where there is no such memory to be had.
    """
    descriptor = os.memfd_create('dray-call', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for part in parts:
            remaining = memoryview(part).cast('B')
            while remaining.nbytes > 0:
                remaining = remaining[os.write(descriptor, remaining):]
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    assert os.fstat(descriptor).st_size == size
    return descriptor


def map_file(descriptor: int) -> memoryview:
    """The bytes of such a file. They can be written to; nobody else sees that."""
    size = os.fstat(descriptor).st_size
    return memoryview(mmap.mmap(descriptor, size, flags=mmap.MAP_PRIVATE,
                                prot=mmap.PROT_READ | mmap.PROT_WRITE))
