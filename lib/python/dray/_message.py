# SPDX-License-Identifier: LGPL-2.1-or-later
"""How calls and results become bytes, and large ones stay where they are.

A message is a pickle. Large buffers in it (of at least OUT_OF_BAND bytes) are left out of the pickle
and lie beside it:

    b'\\x80...'       the pickle itself; each begins like that
    b'\\x01'          with buffers, all in one piece: a header of eight-byte numbers (a mark, the size of
                     the pickle, how many buffers, their sizes), the pickle, the buffers, aligned
    b'\\x02'          the same piece is in the open file that comes with the call
    b'E' + message   the function raised what is in the message
    b'U' + message   so did unpickling the call

Left out are pickle's own buffers (protocol 5: what NumPy and others make of their arrays), which can
stay where they arrive, without being copied; and also `bytes`, `bytearray`, `memoryview` and
`array.array`, which pickle would copy into its stream. Of those only such are looked for that are the
value itself, or in the uppermost list, tuple or dictionary: looking at every object would cost more
than is won.

Before the pickle there may be that of a dictionary, with what has to be known to make sense of it.
"""

from __future__ import annotations

import io
import struct
import sys
from array import array

from . import _memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pickle
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any
else:  # the half of it that is in C: the other comes with regular expressions and what those need
    import _pickle as pickle

OUT_OF_BAND = 64 * 1024
_ALIGNMENT = 64
_LOOKED_AT = 32  # how many elements of a container

_IN_ONE_PIECE = 0x01
IN_FILE = b'\x02'
FAILURE = b'E'
UNREADABLE = b'U'

_ORDER = '<' if sys.byteorder == 'little' else '>'
_NATIVE_CODES = frozenset('cbB?hHiIlLqQnNefdP')

_LARGE = (bytes, bytearray, memoryview, array)


class Message:
    """A pickle and what was left out of it."""

    def __init__(self, data: bytes, buffers: list[Any]):
        self.data = data
        self.buffers = buffers
        self.attachments: list[int] = []  # open files that come with it
        self.inheritance: object = None  # what has to live until this has arrived

    @property
    def size(self) -> int:
        """Of all in one piece, in bytes."""
        return sum(_size(part) for part in self.parts())

    def in_one_piece(self) -> bytes:
        """As bytes, for what need not stay where it arrives."""
        return b''.join(self.parts()) if self.buffers else self.data

    def write_to(self, address: int) -> None:
        """In one piece, to memory that is large enough."""
        offset = 0
        for part in self.parts():
            _memory.write(address, offset, part)
            offset += _size(part)

    def parts(self) -> Iterator[Any]:
        """All in one piece, in pieces."""
        views = [memoryview(buffer).cast('B') for buffer in self.buffers]
        header = struct.pack(f'<{3 + len(views)}Q', _IN_ONE_PIECE, len(self.data), len(views),
                             *(view.nbytes for view in views))
        offset = len(header) + len(self.data)
        yield header
        yield self.data
        for view in views:
            padding = -offset % _ALIGNMENT
            yield bytes(padding)
            yield view
            offset += padding + view.nbytes


def _size(part: Any) -> int:
    return part.nbytes if isinstance(part, memoryview) else len(part)


def pack(value: Any, pickler_type: Callable[..., Any] | None = None) -> Message:
    """Pickles a value, with the given kind of pickler, or the standard one."""
    buffers: list[Any] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes < OUT_OF_BAND:
            return True
        buffers.append(raw)
        return False

    if _has_large(value):
        return Message(_pack_large(value, pickler_type, buffers, keep), buffers)
    if pickler_type is None:
        return Message(pickle.dumps(value, 5, buffer_callback=keep), buffers)
    file = io.BytesIO()
    pickler_type(file, protocol=5, buffer_callback=keep).dump(value)
    return Message(file.getvalue(), buffers)


def _has_large(value: Any) -> bool:
    kind = type(value)
    if kind in _LARGE:
        return _is_large(value)
    if kind is tuple or kind is list:
        return any(map(_may_be_large, value[:_LOOKED_AT]))
    if kind is dict and len(value) <= _LOOKED_AT:
        return any(map(_may_be_large, value.values()))
    return False


def _may_be_large(value: Any) -> bool:
    """Of a container's element; the arguments of a call are in one of their own."""
    kind = type(value)
    if kind in _LARGE:
        return _is_large(value)
    if kind is tuple:
        return any(type(element) in _LARGE and _is_large(element) for element in value[:_LOOKED_AT])
    return False


def _is_large(value: Any) -> bool:
    if isinstance(value, memoryview):  # always: pickle knows nothing of it
        return True
    if isinstance(value, array):
        return len(value) * value.itemsize >= OUT_OF_BAND
    return len(value) >= OUT_OF_BAND


def _pack_large(value: Any, pickler_type: Callable[..., Any] | None, buffers: list[Any],
                keep: Callable[[pickle.PickleBuffer], bool]) -> bytes:
    file = io.BytesIO()
    _extend(pickler_type or pickle.Pickler)(file, buffers, keep).dump(value)
    return file.getvalue()


def _describe(view: memoryview) -> tuple[str, tuple[int, ...], bool]:
    """What a view of bytes has to be told to be like this one.

    Errors: TypeError if Python has no such views but of what others have made.
    """
    prefix, code = view.format[:-1], view.format[-1:]
    is_native = code in _NATIVE_CODES and (prefix in ('', '@') or (
        prefix in ('=', _ORDER) and struct.calcsize(view.format) == struct.calcsize(code)))
    if not is_native:
        raise TypeError(f'A memoryview of the format ‘{view.format}’ can’t be sent to another process')
    return code, view.shape or (), view.readonly


def _view_as(view: memoryview, code: str, shape: tuple[int, ...], is_readonly: bool) -> memoryview:
    """The other half. What is small can always be written to, if that which was sent could be."""
    if is_readonly:
        view = view.toreadonly()
    elif view.readonly and view.nbytes < OUT_OF_BAND:
        view = memoryview(bytearray(view))
    if view.nbytes == 0:
        return view.cast(code)  # type: ignore[call-overload,no-any-return]
    return view.cast(code, shape)  # type: ignore[call-overload,no-any-return]


_extended: dict[Any, Any] = {}


def _extend(base: Any) -> Any:
    """A kind of pickler that leaves out what is large. There is one for each, since a class is part
    of a circle, which would keep what it knows of until somebody collects garbage."""
    if base not in _extended:
        class Pickler(base):  # type: ignore[misc]

            def __init__(self, file: io.BytesIO, buffers: list[Any],
                         keep: Callable[[pickle.PickleBuffer], bool]):
                super().__init__(file, protocol=5, buffer_callback=keep)
                self._out_of_band = buffers

            def persistent_id(self, candidate: Any) -> tuple[str, int, Any] | None:
                kind = type(candidate)
                if kind not in _LARGE or not _is_large(candidate):
                    return None
                view = memoryview(candidate)
                described = _describe(view) if kind is memoryview else getattr(
                    candidate, 'typecode', None)
                buffers = self._out_of_band
                buffers.append(view if view.c_contiguous else memoryview(bytes(view)))
                return kind.__name__, len(buffers) - 1, described

        _extended[base] = Pickler
    return _extended[base]


def unpack(data: Any, hear: Callable[[dict[str, Any]], None] | None = None) -> Any:
    """The value of a message in one piece: of bytes, or of a view that its buffers keep.

    What has to be known before is told to `hear`, where the value itself is no dictionary.
    """
    if data[:1] == b'\x80':
        value = pickle.loads(data)
        if hear is None or type(value) is not dict:
            return value
        file = io.BytesIO(data)
        hear(pickle.Unpickler(file).load())
        return pickle.Unpickler(file).load()

    view = memoryview(data)
    mark, size, n_buffers = struct.unpack_from('<3Q', view)
    sizes = struct.unpack_from(f'<{n_buffers}Q', view, 24)
    offset = 24 + 8 * n_buffers
    pickled = view[offset:offset + size]
    if mark != _IN_ONE_PIECE or len(pickled) != size:
        raise pickle.UnpicklingError('The message of a worker, or to it, is not a message')
    file = io.BytesIO(pickled)
    buffers = list(_cut(view, offset + size, sizes))
    value = _load(file, buffers)
    if hear is None or type(value) is not dict:
        return value
    hear(value)
    return _load(file, buffers)


def _load(file: io.BytesIO, buffers: list[memoryview]) -> Any:
    return _Unpickler(file, _Buffers(buffers)).load()


def _cut(view: memoryview, offset: int, sizes: Iterable[int]) -> Iterator[memoryview]:
    for size in sizes:
        offset += -offset % _ALIGNMENT
        if offset + size > view.nbytes:
            raise pickle.UnpicklingError('The message of a worker, or to it, was cut off')
        yield view[offset:offset + size]
        offset += size


class _Buffers:
    """What was left out of a pickle. What pickle left out itself it asks for in order, and the rest
    by number: so it is given only its own, as it needs them."""

    def __init__(self, buffers: list[memoryview]):
        self._buffers = buffers
        self._claimed: set[int] = set()

    def claim(self, number: int) -> memoryview:
        self._claimed.add(number)
        return self._buffers[number]

    def unclaimed(self) -> Iterator[memoryview]:
        number = 0
        while True:
            while number in self._claimed:
                number += 1
            if number >= len(self._buffers):
                return
            yield self._buffers[number]
            number += 1


class _Unpickler(pickle.Unpickler):
    """It knows the buffers, and they do not know it: it must go when it has done its work, for it
    remembers what it has made of them."""

    def __init__(self, file: io.BytesIO, buffers: _Buffers):
        super().__init__(file, buffers=buffers.unclaimed())
        self._out_of_band = buffers

    def persistent_load(self, pid: tuple[str, int, Any]) -> Any:
        kind, number, described = pid
        view = self._out_of_band.claim(number)
        if kind == 'memoryview':
            return _view_as(view, *described)
        if kind == 'array':
            values = array(described)
            values.frombytes(view)
            return values
        return bytearray(view) if kind == 'bytearray' else _memory.new_bytes(view)
