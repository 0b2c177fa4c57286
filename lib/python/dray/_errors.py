# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the library's errors are to users of futures."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ._repository import Dray, Gio, GLib

_DOMAIN = GLib.quark_to_string(Dray.error_quark())
_IO_DOMAIN = GLib.quark_to_string(Gio.io_error_quark())

_BROKEN = {
    int(code) for code in (Dray.Error.LAUNCH, Dray.Error.PROTOCOL, Dray.Error.SANDBOX,
                           Dray.Error.SHUT_DOWN, Dray.Error.WORKER_DIED,
                           Dray.Error.LIMIT_EXCEEDED, Dray.Error.FORKED)
}


def is_cancelled(error: Any) -> bool:
    """Whether the task was cancelled."""
    return bool(error.domain == _IO_DOMAIN and error.code == int(Gio.IOErrorEnum.CANCELLED))


def is_end(error: Any) -> bool:
    """Whether the executor was shut down before the task was done."""
    return bool(error.domain == _DOMAIN and error.code == int(Dray.Error.SHUT_DOWN))


def is_crash(error: Any) -> bool:
    """Whether a worker is to blame, and not the call: then the pool of others would be broken."""
    return bool(error.domain == _DOMAIN and error.code in _BROKEN) and not is_end(error)


def is_about_start(error: Any) -> bool:
    """Whether workers could not be started, or not be initialised."""
    return bool(error.domain == _DOMAIN and error.code == int(Dray.Error.LAUNCH))


def is_timeout(error: Any) -> bool:
    """Whether the call took longer than it may."""
    return bool(error.domain == _DOMAIN and error.code == int(Dray.Error.TIMED_OUT))


def exception_for(error: Any) -> BaseException:
    """What a future raises in place of an error of the library, of one that was not cancelled."""
    text = error.message
    exception: BaseException
    if error.domain != _DOMAIN:
        exception = error
    elif is_timeout(error):
        exception = TimeoutError(text)
    elif error.code in _BROKEN:
        exception = BrokenProcessPool(text)
    elif error.code == int(Dray.Error.TOO_LARGE):
        exception = OverflowError(text)
    else:
        exception = RuntimeError(text)
    if exception is not error:
        exception.__cause__ = error
    # They lead to the future, or to whoever waited for it, and the future to the exception.
    error.__traceback__ = error.__context__ = None
    return exception
