# SPDX-License-Identifier: LGPL-2.1-or-later
"""What functions return and raise, on its way from a worker to the application."""

from __future__ import annotations

import pickle
import sys

from . import _memory, _message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def pack(value: Any, by_value: bool) -> _message.Message:
    """In a worker: what a function returned."""
    return _message.pack(value, _pickler(by_value))


def pack_failure(error: BaseException, by_value: bool) -> bytes:
    """In a worker: what a function raised, with its traceback as text."""
    import traceback
    lines = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    error.__traceback__ = None
    try:
        message = _message.pack((_reducible(error), lines), _pickler(by_value))
        return _message.FAILURE + message.in_one_piece()
    except Exception as failure:
        text = f'{type(error).__name__} was raised, which can’t be sent: {failure}'
        return _message.FAILURE + pickle.dumps((pickle.PicklingError(text), lines), 5)


def unpack(value: Any) -> Any:
    """In the application: what a function returned.

    Errors: what it raised, with the worker's traceback as the cause.
    """
    size = value.get_size()
    data: Any
    if size < _message.OUT_OF_BAND:
        data = _memory.copy_of(value)
    else:
        data = _memory.view_of(value, size)
    if data[:1] != _message.FAILURE:
        return _message.unpack(data)
    error, lines = _message.unpack(data[1:])
    error.__cause__ = _remote_traceback(f'\n"""\n{lines}"""')
    raise error


def _remote_traceback(text: str) -> BaseException:
    """What concurrent.futures shows as the cause of a worker's exception."""
    process = sys.modules['concurrent.futures.process']
    cause: BaseException = process._RemoteTraceback(text)
    return cause


def _pickler(by_value: bool) -> Callable[..., Any] | None:
    if not by_value:
        return None
    try:
        import cloudpickle
    except ImportError:
        return None
    pickler: Callable[..., Any] = cloudpickle.CloudPickler
    return pickler


def _reducible(error: BaseException) -> Any:
    """GLib's errors don't know how to be pickled."""
    repository = sys.modules.get('gi.repository.GLib')
    if repository is not None and isinstance(error, repository.Error):
        fields: Any = error
        return _GLibError(fields.message, fields.domain, fields.code)
    return error


class _GLibError:
    """Becomes a GLib.Error on the other side."""

    def __init__(self, *fields: Any):
        self.fields = fields

    def __reduce__(self) -> Any:
        return _new_glib_error, self.fields


def _new_glib_error(message: str, domain: str, code: int) -> Any:
    from ._repository import GLib
    return GLib.Error(message, domain, code)
