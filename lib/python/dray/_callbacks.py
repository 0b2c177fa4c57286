# SPDX-License-Identifier: LGPL-2.1-or-later
"""Done callbacks, in the main context that runs where they were added.

A million of them must not hold up an interface: they are called in slices, at the priority of what
can wait, by one source for each context.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import _base
from typing import Any

from . import _library, _threads
from ._repository import GLib

_SLICE = 0.004  # s


def call(what: object, function: Callable[..., object], *args: Any) -> None:
    """Calls what the program has given to hear of something, and tells what that raises.

    What ends a program goes on, on the main thread. On another one it would end that, or with
    PyGObject the program, from there; and the thread is needed.
    """
    try:
        function(*args)
    except BaseException as error:
        if (not isinstance(error, Exception)
                and threading.current_thread() is threading.main_thread()):
            raise
        _base.LOGGER.exception('exception calling callback for %r', what)


class Place:
    """A main context, and what is to be called there."""

    def __init__(self, context: Any, priority: int = GLib.PRIORITY_DEFAULT_IDLE) -> None:
        self._context = context
        self._priority = priority
        self._calls: deque[Callable[[], object]] = deque()
        self._lock = threading.RLock()  # as the reactor's
        self._armed = False
        self._source: Any = None  # while it is armed
        self._is_closed = False

    def is_running(self) -> bool:
        """Whether somebody iterates it, on whatever thread."""
        return _library.is_iterated(hash(self._context))

    def call(self, function: Callable[[], object]) -> None:
        self._calls.append(function)
        with self._lock:
            if self._is_closed:
                self._calls.clear()
            elif not self._armed:
                self._arm_locked()

    def close(self) -> None:
        """Nothing is called there any more. A call that waits in a context which nobody iterates
        would keep this, which keeps the context, which keeps the call.
        """
        with self._lock:
            self._is_closed = True
            self._calls.clear()
            self._source = None

    def _arm_locked(self) -> None:
        """If it is interrupted, the worst is that there are two sources, of which one does nothing.
        """
        source = GLib.idle_source_new()
        source.set_priority(self._priority)
        source.set_callback(self._run)
        source.attach(self._context)
        # PyGObject has a finalizer for it, in which Python would lose a KeyboardInterrupt: it goes
        # where it is called.
        self._source = source
        self._armed = True

    def _run(self, *data: Any) -> bool:
        try:
            return self._run_slice()
        except BaseException:  # PyGObject has done with a source that raises, but this goes on
            with self._lock:
                self._arm_locked()
            raise

    def _run_slice(self) -> bool:
        end = time.monotonic() + _SLICE
        while time.monotonic() < end:
            try:
                function = self._calls.popleft()
            except IndexError:
                # A finalizer may call this in the midst of it, and arms it then.
                with self._lock:
                    self._armed = False
                    if not self._calls:
                        self._source = None
                        return False
                    self._armed = True
                continue
            function()
        return True


_places: weakref.WeakValueDictionary[int, Place] = weakref.WeakValueDictionary()
_lock = threading.RLock()


def current_place() -> Place | None:
    """That of the thread's default main context, if this is not a thread of the package's own: what
    is asked for in a callback there is called as usual.
    """
    if _threads.is_own():
        return None
    context = GLib.MainContext.ref_thread_default()
    key = hash(context)  # its address, which is nobody else's as long as its place is there
    with _lock:
        place = _places.get(key)
        if place is None:
            place = _places[key] = Place(context)
        return place


class ProgressCallback:
    """Is called with what a call reports, the latest of it, where it was given.

    What is reported faster than it can be called is summed up in the last report, which comes in
    any case; in a main loop, before done callbacks do.
    """

    def __init__(self, function: Callable[[float | None, str | None], object]) -> None:
        self._function = function
        self._place = current_place()
        # It was given by something that a loop runs.
        self.is_bound = self._place is not None and GLib.main_depth() > 0
        self.source: Any = None  # the library's future
        self._lock = threading.RLock()
        # protected by the lock
        self._latest: tuple[float | None, str | None] | None = None
        self._shown: tuple[float | None, str | None] | None = (None, None)  # or about to be
        self._is_called = False
        self._is_over = False

    def follow(self, source: Any, call: Callable[[Callable[[], object]], object]) -> None:
        """Listens to the library's future. Its context is that of the thread that this is called
        on.

        What belongs to no main loop is called by means of the other function.
        """
        self.source = source  # or PyGObject forgets the handler
        source.connect('progressed',
                       lambda _source, fraction, text: self.report(fraction, text, call))

    def report(self, fraction: float, text: str | None,
               call: Callable[[Callable[[], object]], object] | None = None) -> None:
        with self._lock:
            if self._is_over:
                return
            report = (None if fraction < 0 else fraction), text or None
            is_coming = self._latest is not None
            if not is_coming and report == self._shown:
                return
            self._latest = self._shown = report
        if self._place is not None and (self.is_bound or self._place.is_running()):
            call = self._place.call
        if call is None:
            self._show()
        elif not is_coming:
            call(self._show)

    def end(self) -> None:
        """Nothing that is reported after this is heard."""
        with self._lock:
            self._is_over = True
        self.source = None

    def _show(self) -> None:
        """On one thread at a time, or an older report could come after a newer one."""
        with self._lock:
            if self._is_called:
                return
            self._is_called = True
        while (latest := self._take()) is not None:
            _threads.tell_of_callback()
            try:
                call('progress', self._function, *latest)
            except BaseException:
                self._is_called = False
                raise

    def _take(self) -> tuple[float | None, str | None] | None:
        with self._lock:
            latest, self._latest = self._latest, None
            self._is_called = latest is not None
            return latest


def forget_inherited() -> None:
    """In a fork of the application: another thread may have had any of the locks."""
    global _lock
    _lock = threading.RLock()
    _places.clear()
