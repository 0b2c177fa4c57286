# SPDX-License-Identifier: LGPL-2.1-or-later
"""Threads of the package's own."""

from __future__ import annotations

import atexit
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar('T')

_LEAVE = 2.0  # s
_INTERVAL = 0.001  # s


class _Thread(threading.Thread):
    on_callback: Callable[[], object] | None = None  # called before what is the application's is


def is_own() -> bool:
    """Whether this is one of them: then what runs is a callback of the application's."""
    return isinstance(threading.current_thread(), _Thread)


def tell_of_callback() -> None:
    """Something of the application's is about to be called on this thread, and may take long."""
    thread = threading.current_thread()
    if isinstance(thread, _Thread) and thread.on_callback is not None:
        thread.on_callback()


def set_on_callback(function: Callable[[], object] | None) -> None:
    """On this thread, which is one of them."""
    thread = threading.current_thread()
    assert isinstance(thread, _Thread)
    thread.on_callback = function


def start(name: str, target: Callable[..., object], *args: Any) -> threading.Thread:
    """Starts a thread that the end of the program does not wait for.

    Errors: RuntimeError if there can be no more. KeyboardInterrupt: who is interrupted while Python
    waits for a thread to begin may find a lock of its released when it is to be released, and hears
    of that only.
    """
    handled = sys.exc_info()[1]  # by the caller, perhaps an interrupt
    thread = _Thread(target=target, args=args, name=name, daemon=True)
    _starting.append(thread)
    try:
        if _is_over:
            raise RuntimeError("can't start new thread at interpreter shutdown")
        thread.start()
    except RuntimeError as error:
        if _is_interrupt(error, handled):
            raise KeyboardInterrupt from None
        raise
    finally:
        _starting.remove(thread)
    return thread


def _is_interrupt(error: BaseException | None, handled: BaseException | None) -> bool:
    """@handled: what was being handled before. It is the context of all that comes, and is none."""
    while error is not None and error is not handled and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None and error is not handled


_starting: list[threading.Thread] = []
_is_over = False


def _stop_starting() -> None:
    """Python has a thread that begins when all others have been done away with use what was freed.
    That of a daemon of the application's may, and what that waits for may need a thread.
    """
    global _is_over
    _is_over = True
    end = time.monotonic() + _LEAVE
    while _starting and time.monotonic() < end:
        time.sleep(_INTERVAL)


def list_of(things: weakref.WeakSet[T]) -> list[T]:
    """What is in it, where another thread, or a finalizer, may add something meanwhile."""
    while True:
        try:
            return list(things)
        except RuntimeError:
            pass  # it did


def forget_inherited() -> None:
    """In a fork of the application: nobody goes on with those."""
    _starting.clear()


atexit.register(_stop_starting)  # after all that is waited for
