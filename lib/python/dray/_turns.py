# SPDX-License-Identifier: LGPL-2.1-or-later
"""Threads that do the same one after the other: as soon as one is held up, the next one goes on.

What there is to do comes in steps, of which the application's callbacks are part. When the first of
them is called there comes a second thread, the stand-in. As long as there are callbacks it looks
now and then whether the first one is still in the same step, and otherwise it sleeps. If so it
takes its turn, and the first one ends after that step.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Union

from . import _threads

# How long a step may hold up all others, in seconds. That for each thread that is held up already:
# where many callbacks take long, there shall not be a thread for each of them.
_PATIENCE = 0.1

_WHILE = 0.1  # s
_LEAVE = 2.0  # s

# The address of a future that is to be ended, or something to be called
Step = Union[int, Callable[[], object]]


class Turns:

    def __init__(self, lead: Callable[[], object], end: Callable[[int], object]):
        """The functions are what each of the threads does, and how a future is ended."""
        self.steps: deque[Step] = deque()
        self._lead = lead
        self._end = end
        self._n_steps = 0
        self._bell = threading.Event()  # callbacks are called
        self._over = threading.Event()
        self._lock = threading.RLock()
        # protected by the lock
        self.thread: threading.Thread | None = None  # whose turn it is, until it was waited for
        self._is_in_step = False
        self._n_held_up = 0
        self._stand_in: threading.Thread | None = None

    def start(self) -> None:
        with self._lock:
            self._give_turn_locked(_threads.start('dray', self._run))

    def disown(self) -> None:
        """In a fork of the application."""
        self._lock = threading.RLock()

    # From any thread

    def call_in_callback(self, function: Callable[[], object]) -> bool:
        """Calls a function where it is this thread's turn, which nobody takes meanwhile."""
        if threading.current_thread() is not self.thread:
            return False
        with self._lock:
            if threading.current_thread() is not self.thread:
                return False
            function()
            return True

    def is_alive(self) -> bool:
        thread = self.thread
        return thread is not None and thread.is_alive()

    def join(self) -> None:
        while (thread := self.thread) is not None and thread is not threading.current_thread():
            thread.join(_WHILE)
            if not thread.is_alive() and self.thread is thread:
                self.thread = None  # or it is found by whoever looks for threads that were left

    # On the thread whose turn it is

    def take_steps(self) -> bool:
        """Does what there is to do. Returns whether it is still this thread's turn."""
        if not self.steps:
            return True
        thread = threading.current_thread()
        self._is_in_step = True
        while self.thread is thread:
            try:
                step = self.steps.popleft()
            except IndexError:
                break
            self._n_steps += 1
            if isinstance(step, int):
                self._end(step)
            else:
                step()
        with self._lock:
            if self.thread is thread:
                self._is_in_step = False
                return True
            self._n_held_up -= 1
            return False

    def end(self) -> None:
        with self._lock:
            self._over.set()
            self._bell.set()
            stand_in = self._stand_in
        if stand_in is not None:
            stand_in.join()
        del self._lead, self._end  # they lead to whoever has this: a circle, which would keep it

    def _run(self) -> None:
        _threads.set_on_callback(self._call_stand_in)
        self._lead()
        _threads.set_on_callback(None)

    def _call_stand_in(self) -> None:
        """Something of the application's is about to be called."""
        if self._stand_in is None:
            self._start_stand_in()
        if not self._bell.is_set():
            self._bell.set()

    def _start_stand_in(self) -> None:
        with self._lock:
            if threading.current_thread() is not self.thread:
                return  # that has one of its own
            try:
                self._stand_in = _threads.start('dray', self._stand_by)
            except RuntimeError:
                pass  # Python starts no more threads when it is about to end

    # On that of the stand-in

    def _stand_by(self) -> None:
        while True:
            self._bell.wait()
            n_steps = self._n_steps
            self._over.wait(_PATIENCE * (1 + self._n_held_up))
            with self._lock:
                if self._over.is_set():
                    return
                if self._n_steps != n_steps:
                    continue
                if self._is_in_step:
                    self._stand_in = None
                    self._n_held_up += 1
                    self._give_turn_locked(threading.current_thread())
                    break
                self._bell.clear()
                if self._n_steps != n_steps or self._is_in_step:
                    self._bell.set()  # one is called just now
        self._run()

    def _give_turn_locked(self, thread: threading.Thread) -> None:
        if self.thread is not None:
            _started.discard(self.thread)
        _started.add(thread)
        self.thread = thread
        self._is_in_step = False


_started: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def join_threads(staying: threading.Thread | None) -> None:
    """At the end of the program: a thread that is on its way out must not outlive Python."""
    for thread in _threads.list_of(_started):
        if thread is not staying:
            thread.join(_LEAVE)
