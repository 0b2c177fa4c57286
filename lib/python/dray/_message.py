# SPDX-License-Identifier: LGPL-2.1-or-later
"""How calls and results become bytes, and large ones stay where they are.

A message is a pickle. Large buffers in it (of at least OUT_OF_BAND bytes) are left out of the
pickle and lie beside it:

    b'\\x80...' the pickle itself; each begins like that b'\\x01' with buffers, all in one piece: a
    header of eight-byte numbers (a mark, the size of
                     the pickle, how many buffers, their sizes), the pickle, the buffers, aligned
    b'\\x02'          the same piece is in the open file that comes with the call
    b'E', message    the function raised what is in the message, after zeros that have it aligned
    b'U', message    so did unpickling the call

Left out are pickle's own buffers (protocol 5: what NumPy and others make of their arrays, and we of
`memoryview` and `array.array`), and also `bytes` and `bytearray`, wherever they are. Of those
pickle says nothing, but who writes to a file is given large ones by themselves, as they are. So the
pickle is taken down in pieces, and such a piece is replaced by a call of what makes it again of a
buffer. That costs no look at each object, as a persistent_id() would. If a pickler did not do so,
or did it in another way, large ones would stay in the pickle, and arrive as well.

Before the pickle there may be that of a dictionary, with what has to be known to make sense of it.
"""

from __future__ import annotations

import copyreg
import io
import struct
import sys
from array import array
from collections import ChainMap
from functools import lru_cache

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

_IN_ONE_PIECE = 0x01
IN_FILE = b'\x02'
FAILURE = b'E'.ljust(_ALIGNMENT, b'\0')
UNREADABLE = b'U'.ljust(_ALIGNMENT, b'\0')
MARK_SIZE = _ALIGNMENT  # of those two

_ORDER = '<' if sys.byteorder == 'little' else '>'
_NATIVE_CODES = frozenset('cbB?hHiIlLqQnNfdP')
try:
    memoryview(bytes(2)).cast('e')  # type: ignore[call-overload]
    _NATIVE_CODES |= {'e'}
except ValueError:
    pass  # it is that of others only

# Opcodes of pickle
_FRAME = b'\x95'
_BYTES = b'B'
_LONG_BYTES = b'\x8e'
_BYTEARRAY = b'\x96'

# What stands for something large: a function is called with the next of the buffers.
_REBUILD: dict[Any, bytes] = {
    bytes: b'cdray._memory\nnew_bytes\n\x97\x85R',
    bytearray: b'cbuiltins\nbytearray\n\x97\x85R',
}


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


class _Pieces(list):  # type: ignore[type-arg]
    """What a pickler writes to. What is large it hands over by itself, as it is, and without a
    copy.
    """

    write = list.append

    def keep(self, buffer: pickle.PickleBuffer) -> bool:
        """Whether a buffer of pickle's own stays in the pickle. If not, it is a piece in its place.
        """
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes < OUT_OF_BAND:
            return True
        self.append((raw,))
        return False


def pack(value: Any, pickler_type: Callable[..., Any] | None = None) -> Message:
    """Pickles a value, with the given kind of pickler, or the standard one."""
    pieces = _Pieces()
    if pickler_type is None:
        pickler = pickle.Pickler(pieces, 5, buffer_callback=pieces.keep)
        pickler.dispatch_table = {**copyreg.dispatch_table, **_REDUCERS}
    else:
        pickler = pickler_type(pieces, protocol=5, buffer_callback=pieces.keep)
    pickler.dump(value)
    return Message(pieces[0], []) if len(pieces) == 1 else _leave_out(pieces)


def _leave_out(pieces: list[Any]) -> Message:
    """A message of the pieces of a pickle, with what is large of them beside it."""
    data: list[bytes] = [b'']
    buffers: list[Any] = []
    for piece in pieces:
        kind = type(piece)
        if kind is tuple:
            buffers.extend(piece)
            continue
        if kind in _REBUILD and len(piece) >= OUT_OF_BAND and not _is_frame(piece):
            header = _header_of(piece)
            if data[-1].endswith(header):
                data[-1] = data[-1][:-len(header)]
                buffers.append(memoryview(piece))
                piece = _REBUILD[kind]
        data.append(piece)
    return Message(b''.join(data), buffers)


def _is_frame(piece: Any) -> bool:
    """Whether it is a part of the pickle as others, to which the header of what comes next may
    belong.
    """
    if piece[:1] != _FRAME:
        return False
    size, = struct.unpack_from('<Q', piece, 1)
    return len(piece) - 9 - size in (0, 5, 9)


def _header_of(piece: bytes | bytearray) -> bytes:
    """What pickle writes before what is large."""
    if type(piece) is bytearray:
        return _BYTEARRAY + struct.pack('<Q', len(piece))
    if len(piece) < 1 << 32:
        return _BYTES + struct.pack('<I', len(piece))
    return _LONG_BYTES + struct.pack('<Q', len(piece))


def _describe(view: memoryview) -> tuple[str, tuple[int, ...], bool]:
    """What a view of bytes has to be told to be like this one.

    Errors: TypeError if Python has no such views but of what others have made.
    """
    prefix, code = view.format[:-1], view.format[-1:]
    is_native = code in _NATIVE_CODES and (prefix in ('', '@') or (
        prefix in ('=', _ORDER) and struct.calcsize(view.format) == struct.calcsize(code)))
    if not is_native:
        raise TypeError(
            f'A memoryview of the format ‘{view.format}’ can’t be sent to another process')
    return code, view.shape or (), view.readonly


def _reduce_view(view: memoryview) -> Any:
    described = _describe(view)
    contents = view if view.c_contiguous else bytearray(view)
    return _new_view, (pickle.PickleBuffer(contents), *described)


def _new_view(contents: Any, code: str, shape: tuple[int, ...], is_readonly: bool) -> memoryview:
    view = memoryview(contents)
    if is_readonly:
        view = view.toreadonly()
    if view.nbytes == 0:
        return view.cast(code)  # type: ignore[call-overload,no-any-return]
    return view.cast(code, shape)  # type: ignore[call-overload,no-any-return]


def _reduce_array(values: array[Any]) -> Any:
    return _new_array, (values.typecode, pickle.PickleBuffer(values))


def _new_array(code: str, contents: Any) -> array[Any]:
    values = array(code)
    values.frombytes(contents)
    return values


# Pickle knows nothing of views, and makes lists of numbers, or copies, of arrays.
_REDUCERS: dict[Any, Callable[[Any], Any]] = {memoryview: _reduce_view, array: _reduce_array}


def reducers_of(pickler_type: Any = None) -> dict[Any, Any]:
    """The dispatch table of a pickler that extends the given one, or the standard one."""
    table = copyreg.dispatch_table if pickler_type is None else pickler_type.dispatch_table
    return {**table, **_REDUCERS}


@lru_cache(maxsize=None)
def pickler_by_value() -> Callable[..., Any] | None:
    """One that sends functions and classes as code, if cloudpickle is installed."""
    try:
        import cloudpickle
    except ImportError:
        return None

    class Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]

        dispatch_table = ChainMap(_REDUCERS, cloudpickle.CloudPickler.dispatch_table)

    return Pickler


def unpack(data: Any, hear: Callable[[dict[str, Any]], None] | None = None) -> Any:
    """The value of a message in one piece: of bytes, or of a view that its buffers keep.

    What has to be known before is told to `hear`, where the value itself is no dictionary.
    """
    pickled, buffers = data, None
    if data[:1] != b'\x80':
        pickled, buffers = _take_apart(memoryview(data))
    value = pickle.loads(pickled, buffers=buffers)
    if hear is None or type(value) is not dict:
        return value
    hear(value)
    file = io.BytesIO(pickled)
    pickle.Unpickler(file).load()
    return pickle.Unpickler(file, buffers=buffers).load()


def _take_apart(view: memoryview) -> tuple[memoryview, Iterator[memoryview]]:
    """The pickle and the buffers of a message in one piece."""
    mark, size, n_buffers = struct.unpack_from('<3Q', view)
    sizes = struct.unpack_from(f'<{n_buffers}Q', view, 24)
    offset = 24 + 8 * n_buffers
    pickled = view[offset:offset + size]
    if mark != _IN_ONE_PIECE or len(pickled) != size:
        raise pickle.UnpicklingError('The message of a worker, or to it, is not a message')
    return pickled, _cut(view, offset + size, sizes)


def _cut(view: memoryview, offset: int, sizes: Iterable[int]) -> Iterator[memoryview]:
    for size in sizes:
        offset += -offset % _ALIGNMENT
        if offset + size > view.nbytes:
            raise pickle.UnpicklingError('The message of a worker, or to it, was cut off')
        yield view[offset:offset + size]
        offset += size
