# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls on their way to a worker."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _inherit, _main, _memory, _message, _outcome
from ._repository import Dray, Gio, GLib, new_value

if TYPE_CHECKING:
    from ._reactor import Pool

_by_value = _message.pickler_by_value()


class UnpicklableFunction(pickle.PicklingError):
    """The function of a call can't be sent to another process."""


def pack(function: Callable[..., Any], args: tuple[Any, ...],
         kwargs: dict[str, Any], pool: Pool | None = None) -> _message.Message:
    """Makes a message of a call.

    Errors: UnpicklableFunction if the function can't be sent; what pickling raised if it is the
    arguments. The two are told apart, since the first is a mistake in the program.
    """
    message = _pack_anyhow(function, (function, args, kwargs))
    news = {} if pool is None else _news_for(pool)
    if news:
        message.data = pickle.dumps(news, 5) + message.data
    return message


def _news_for(pool: Pool) -> dict[str, Any]:
    """What workers were not told when they started."""
    news: dict[str, Any] = {}
    modules = pool.elsewhere.news()
    if modules:
        news['modules'] = modules
    if not pool.has_tracker:
        tracker = _inherit.tracker()
        if tracker is not None:
            news['tracker'] = tracker
    return news


def new_task(message: _message.Message, streams: bool) -> Any:
    """Describes a call to the library; what is large of it lies in a file beside it.

    Errors: OSError if there may be no more open files.
    """
    files = Gio.UnixFDList.new()
    try:
        for descriptor in message.attachments:
            files.append(descriptor)  # a duplicate
        value = new_value(_pass_on(message, files))
        task = Dray.Task.new_call('stream' if streams else 'call', value)
        if files.get_length() > 0:
            task.set_attachments(files)  # more of them
        return task
    except GLib.Error as error:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from error


def _pass_on(message: _message.Message, files: Any) -> bytes:
    """What is sent of a message; where it is large, the last of the files has the rest."""
    if not message.buffers:
        return message.data
    try:
        descriptor = _memory.new_sealed_file(message.parts(), message.size)
    except OSError:
        return message.in_one_piece()
    try:
        files.append(descriptor)
    except GLib.Error:
        return message.in_one_piece()  # that was the last open file that there may be
    finally:
        os.close(descriptor)
    return _message.IN_FILE


def _pack_anyhow(function: Callable[..., Any], call: tuple[Any, ...],
                 takes_sockets: bool = True) -> _message.Message:
    try:
        message = _pack_plain(function, call)
        if not _inherit.is_lost_in(message.data):
            return message
    except Exception:
        if not _inherit.is_needed():
            raise
        try:
            return _pack_inherited(function, call, takes_sockets)
        except (_inherit.CanNotInherit, OSError) as error:
            error.__suppress_context__ = True
            raise
        except Exception:
            pass  # the first one says more
        raise
    return _pack_inherited(function, call, takes_sockets)


def _pack_inherited(function: Callable[..., Any], call: tuple[Any, ...],
                    takes_sockets: bool) -> _message.Message:
    obstacle = _find_obstacle(function)
    if obstacle is not None and _by_value is None:
        raise UnpicklableFunction(_reason(function, obstacle)) from obstacle
    by_name = obstacle is None and _main.main_is_importable()
    pickler = _inherit.pickler_over(None if by_name else _by_value)
    inheritance = _inherit.Inheritance(takes_sockets)
    with inheritance.spawning():
        message = _message.pack(call, pickler)
    message.inheritance = inheritance
    message.attachments = inheritance.sockets
    return message


def _pack_plain(function: Callable[..., Any], call: tuple[Any, ...]) -> _message.Message:
    by_value = _main.is_of_program_only(function) or not _main.main_is_importable()
    if by_value and _by_value is not None:
        return _pack_by_value(function, call)
    try:
        if by_value:
            _check_not_of_main(function)
        return _message.pack(call)
    except Exception as error:
        if _find_obstacle(function) is None:
            raise
        if _by_value is None:
            raise UnpicklableFunction(_reason(function, error)) from error
    return _pack_by_value(function, call)


def _pack_by_value(function: Callable[..., Any], call: tuple[Any, ...]) -> _message.Message:
    try:
        return _message.pack(call, _by_value)
    except Exception as error:
        try:
            _message.pack(function, _by_value)
        except Exception:
            raise UnpicklableFunction(_reason(function, error)) from error
        raise


def _reason(function: Callable[..., Any], error: Exception) -> str:
    name = getattr(function, '__qualname__', None) or repr(function)
    text = _outcome.text_of(error)
    hint = '' if _by_value else ' (cloudpickle could do that; or put it into a module)'
    return f'The function {name} can’t be sent to another process: {text}{hint}'


def _find_obstacle(function: Callable[..., Any]) -> Exception | None:
    """Why a function can't be sent by its name, if it can't."""
    try:
        _check_not_of_main(function)
        _message.pack(function)
    except Exception as error:
        return error
    return None


def _check_not_of_main(function: Callable[..., Any]) -> None:
    """And not of a part of the program that workers don't import."""
    if not _main.is_of_program_only(function):
        return
    if _main.main_is_importable():
        raise pickle.PicklingError(
            "it is defined below `if __name__ == '__main__':`, which workers do not run")
    raise pickle.PicklingError(
        'it is in __main__, which workers can’t import without running the program once more')


def is_about_function(error: BaseException) -> bool:
    """Whether pack() failed for the function, not for its arguments."""
    return isinstance(error, UnpicklableFunction)


def pack_initializer(function: Callable[..., Any],
                     args: tuple[Any, ...]) -> tuple[bytes, object]:
    """The initialiser of workers, in one piece, and what has to live as long as it is called."""
    message = _pack_anyhow(function, (function, args), takes_sockets=False)
    return message.in_one_piece(), message.inheritance
