# SPDX-License-Identifier: LGPL-2.1-or-later
"""Threads that wait in the library for what the application waits for in Python.

That is needed where waiting has to lift the library's limits, and in callbacks, for which the
reactor waits. A wait for a running call lifts the limits for its worker only. So there is a thread
for each future, until there are as many as workers. Then one of the calls has not begun, limits are
lifted for all, and one more thread is enough for all other futures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from . import _library, _threads
from ._repository import Dray


class Waits:
    """Those for the futures of one executor."""

    def __init__(self, settle: Callable[[int], object], most: int):
        self._settle = settle
        self._lock = threading.RLock()
        # protected by the lock
        self._n_free = most
        self._rest: _library.Queue | None = None  # with those that have no thread of their own
        self._rest_is_awaited = False

    def add(self, future: _library.Handle) -> None:
        """Waits for it, and ends it."""
        with self._lock:
            alone = self._n_free > 0
            if alone:
                self._n_free -= 1
            elif not self._add_to_rest_locked(future):
                return
        try:
            if alone:
                _threads.start('dray-wait', self._wait, future)
            else:
                _threads.start('dray-wait', self._wait_for_rest)
        except RuntimeError:  # there can be no more
            with self._lock:
                if alone:
                    self._n_free += 1
                else:
                    self._rest_is_awaited = False
            raise

    def _wait(self, future: _library.Handle) -> None:
        future.wait(-1)
        with self._lock:
            self._n_free += 1
        self._settle(future.address)

    def _add_to_rest_locked(self, future: _library.Handle) -> bool:
        """Whether there has to be a thread."""
        if self._rest is None:
            self._rest = _library.Queue(Dray.CompletionQueue.new())
        self._rest.add(future)
        was_awaited, self._rest_is_awaited = self._rest_is_awaited, True
        return not was_awaited

    def _wait_for_rest(self) -> None:
        """Callbacks may wait, too: while there are some, another thread may take this one's place.
        """
        while (future := self._next_of_rest()) is not None:
            self._settle(future.address)
            with self._lock:
                if self._rest_is_awaited:
                    return
                self._rest_is_awaited = True

    def _next_of_rest(self) -> _library.Handle | None:
        """None at the end, when the next one that is added gets a new thread."""
        rest = self._rest
        assert rest is not None
        while True:
            future = rest.wait()
            with self._lock:
                if future is not None or rest.get_length() == 0:
                    self._rest_is_awaited = False
                    return future
