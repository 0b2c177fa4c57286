# SPDX-License-Identifier: LGPL-2.1-or-later
"""What functions return and raise, on its way from a worker to the application."""

from __future__ import annotations

import io
import sys

from . import _memory, _message

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pickle
    from collections.abc import Callable
    from typing import Any
else:  # see _message
    import _pickle as pickle


class Unreadable(Exception):
    """What was sent could not be unpickled on the other side; `error` says why.

    If it was an exception, `raised` is the name of its class.
    """

    def __init__(self, error: BaseException, raised: str | None = None):
        text = describe(error)
        super().__init__(f'{raised} was raised, which can’t be read: {text}' if raised else text)
        self.error = error


class _Unreturnable(TypeError):
    """Part of a value would arrive as something else."""


def pack(value: Any, by_value: bool) -> _message.Message:
    """In a worker: what a function returned."""
    try:
        message = _message.pack(value, _pickler(by_value))
        if b'multiprocessing.connection' in message.data:
            _check_has_no_pipe(value)
        return message
    except _Unreturnable:
        raise
    except Exception:
        _explain(value)
        pickler = None if by_value else _pickler(True)
        if pickler is None:
            raise
        try:  # it may be of a class that was sent here in a call
            return _message.pack(value, pickler)
        except Exception:
            pass
        raise


def _check_has_no_pipe(value: Any) -> None:
    """Of an end of a pipe the number was pickled, which is another file in the application, or
    none.

    Errors: _Unreturnable, if there is one in the value.
    """
    connection: Any = sys.modules.get('multiprocessing.connection')
    if connection is None:
        return  # it is but a name

    class Pickler(pickle.Pickler):

        dispatch_table = _message.reducers_of()

        def reducer_override(self, candidate: Any) -> Any:
            if isinstance(candidate, connection._ConnectionBase):
                raise _Unreturnable('An end of a pipe can’t be returned by a worker: make the pipe '
                                    'in the application, and give it to the call')
            return NotImplemented

    try:
        Pickler(io.BytesIO(), 5).dump(value)
    except _Unreturnable:
        raise
    except Exception:
        pass  # it takes another pickler


def _explain(value: Any) -> None:
    """Errors: TypeError for what can't be sent and looks like a mistake."""
    name = getattr(value, '__qualname__', 'It')
    if hasattr(value, 'cr_code') or hasattr(value, 'ag_code'):
        if hasattr(value, 'close'):
            value.close()
        raise TypeError(f'{name} is an async function, and nothing runs it in a worker: submit a '
                        'function that calls asyncio.run()')
    if hasattr(value, 'gi_code'):
        raise TypeError(f'{name} returned a generator: submit the generator function itself, and '
                        'its future can be iterated')


def pack_failure(error: BaseException, by_value: bool, mark: bytes = _message.FAILURE) -> bytes:
    """In a worker: what a function raised, and before it, for it may be that nobody can read that,
    its traceback as text."""
    lines = _lines_of(error)
    _set(error, '__traceback__', None)
    name = type(error).__name__
    try:
        message = pack(_reducible(error), by_value)
    except BaseException as failure:
        text = f'{name} was raised, which can’t be sent: {text_of(failure)}'
        message = _message.pack(pickle.PicklingError(text))
    message.data = pickle.dumps({'raised': name, 'traceback': lines}, 5) + message.data
    return mark + message.in_one_piece()


def unpack(value: Any) -> tuple[Any, BaseException | None]:
    """In the application: what a function returned, and what it raised instead, with the worker's
    traceback as the cause; that is Unreadable if this or the call could not be unpickled.

    Errors: KeyboardInterrupt, after Ctrl+C meanwhile, which is not what it raised.
    """
    data = value if isinstance(value, bytes) else _memory.data_of(value, _message.OUT_OF_BAND)
    mark = data[:_message.MARK_SIZE]
    told: dict[str, Any] = {}
    handled = sys.exc_info()[1]
    try:
        if mark != _message.FAILURE and mark != _message.UNREADABLE:
            return _message.unpack(data), None
        error = _message.unpack(data[_message.MARK_SIZE:], told.update)
        if not isinstance(error, BaseException):
            raise TypeError(f'{type(error).__name__} is no class of exceptions')
    except BaseException as failure:
        if is_ctrl_c(failure):
            raise
        forget_frames(failure, handled, told.get('traceback', ''))
        return None, Unreadable(failure, told.get('raised'))
    _set(error, '__cause__', _remote_traceback(told['traceback']))
    return None, Unreadable(error) if mark == _message.UNREADABLE else error


def is_ctrl_c(error: BaseException) -> bool:
    """And not an object's own doing."""
    import threading
    return (isinstance(error, KeyboardInterrupt)
            and threading.current_thread() is threading.main_thread())


def unpack_item(value: Any) -> Any:
    """In the application: what a generator yielded."""
    item, error = unpack(value)
    if error is None:
        return item
    try:
        raise error.error if isinstance(error, Unreadable) else error
    finally:
        del error  # what is raised leads to this frame


def _lines_of(error: BaseException) -> str:
    """Its traceback as text, without what led to it where its class does not let that be seen."""
    import traceback
    frames = _get(error, '__traceback__')
    try:
        return ''.join(traceback.format_exception(type(error), error, frames))
    except BaseException as failure:
        if is_ctrl_c(failure):
            raise
    return ''.join(['Traceback (most recent call last):\n', *traceback.format_tb(frames),
                    describe(error), '\n'])


def forget_frames(error: BaseException, handled: BaseException | None, lines: str = '') -> None:
    """Has an exception, and those that led to it, keep their tracebacks as text only: frames keep
    whatever was in them. There may be lines that say more than its own.

    What was being handled before it was raised is somebody else's, and is left as it is.
    """
    if error is handled:
        return
    chain = _chain_of(error, handled)
    last = chain[-1]
    if _get(last, '__context__') is handled:
        _set(last, '__context__', None)
    lines = lines or _lines_of(error)
    for later, earlier in zip(chain, chain[1:]):
        _set(later, '__cause__', earlier)
    for each in chain:
        _set(each, '__traceback__', None)
        _set(each, '__context__', None)
    if _get(last, '__cause__') is None:
        _set(last, '__cause__', _remote_traceback(lines))


def _chain_of(error: BaseException, handled: BaseException | None) -> list[BaseException]:
    """An exception, what led to it, and so on."""
    chain, seen = [error], {id(error), id(handled)}
    while True:
        last = chain[-1]
        earlier = _get(last, '__cause__')
        if earlier is None and not _get(last, '__suppress_context__'):
            earlier = _get(last, '__context__')
        if earlier is None or id(earlier) in seen:
            return chain
        chain.append(earlier)
        seen.add(id(earlier))


def describe(error: BaseException) -> str:
    """The class of an exception, and what it says."""
    text = _text_of(error)
    return f'{type(error).__name__}: {text}' if text else type(error).__name__


def text_of(error: BaseException) -> str:
    """What an exception says; the name of its class if that is nothing."""
    return _text_of(error) or type(error).__name__


def _text_of(error: BaseException) -> str:
    """Nothing where its class fails to tell."""
    try:
        return str(error)
    except BaseException as failure:
        if is_ctrl_c(failure):
            raise
        return ''


def _set(error: BaseException, name: str, value: BaseException | None) -> None:
    """Something that Python keeps in each exception, also where its class lets nothing be set, as
    frozen dataclasses do.
    """
    _FIELDS[name].__set__(error, value)


def _get(error: BaseException, name: str) -> Any:
    """The same, whatever its class has by that name."""
    return _FIELDS[name].__get__(error)


_FIELDS: Any = vars(BaseException)


def _remote_traceback(lines: str) -> BaseException:
    """What concurrent.futures shows as the cause of a worker's exception."""
    process = sys.modules['concurrent.futures.process']
    cause: BaseException = process._RemoteTraceback(f'\n"""\n{lines}"""')
    return cause


def _pickler(by_value: bool) -> Callable[..., Any] | None:
    return _message.pickler_by_value() if by_value else None


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
