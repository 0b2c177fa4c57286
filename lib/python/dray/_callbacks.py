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
from typing import Any

from ._repository import GLib

_SLICE = 0.004  # s


class Place:
    """A main context, and what is to be called there."""

    def __init__(self, context: Any, priority: int = GLib.PRIORITY_DEFAULT_IDLE) -> None:
        self._context = context
        self._priority = priority
        self._calls: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()
        self._armed = False

    def is_running(self) -> bool:
        """Whether somebody iterates it, on whatever thread."""
        if self._context.is_owner():
            return True
        if not self._context.acquire():
            return True
        self._context.release()
        return False

    def call(self, function: Callable[[], object]) -> None:
        self._calls.append(function)
        with self._lock:
            if self._armed:
                return
            self._armed = True
        source = GLib.idle_source_new()
        source.set_priority(self._priority)
        source.set_callback(self._run)
        source.attach(self._context)

    def _run(self, *data: Any) -> bool:
        end = time.monotonic() + _SLICE
        while time.monotonic() < end:
            try:
                function = self._calls.popleft()
            except IndexError:
                with self._lock:
                    if not self._calls:
                        self._armed = False
                        return False
                continue
            function()
        return True


_places: weakref.WeakValueDictionary[int, Place] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def current_place() -> Place:
    """That of the thread's default main context."""
    context = GLib.MainContext.ref_thread_default()
    key = hash(context)  # its address, which is nobody else's as long as its place is there
    with _lock:
        place = _places.get(key)
        if place is None:
            place = _places[key] = Place(context)
        return place


def forget_inherited() -> None:
    """In a fork of the application: another thread may have had any of the locks."""
    global _lock
    _lock = threading.Lock()
    _places.clear()
