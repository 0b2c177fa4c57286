# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attributes of the standard library's executor that programs look at, though they are private.

They cost nothing until somebody does: only then does the library keep a list of workers.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
import weakref
from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from typing import Any

from ._reactor import Pool
from ._repository import Dray

# How long the processes are waited for that calls have been submitted for, in seconds.
_STARTING = 10.0

_WORKING = (Dray.WorkerState.IDLE, Dray.WorkerState.BUSY)


# What multiprocessing says where somebody else has taken the status of a process.
_UNKNOWN_STATUS = 255

# How long the library is waited for, which has noticed the end of a process but not told it yet, in
# seconds.
_TELLING = 10.0
_WHILE = 0.1


class Process:
    """A worker process, as multiprocessing would show it.

    It is the library that waits for its workers, and tells how they ended as soon as it has read
    all that they wrote; until then the system is asked.
    """

    def __init__(self, pid: int, teller: threading.Thread):
        self.pid = self.ident = pid
        self.name = f'DrayWorker-{pid}'
        self.daemon = False
        self._sent = 0  # the signal, if it was one to end it
        self._teller = weakref.ref(teller)  # the thread that hears of its end, if it still lives
        self._told = threading.Event()
        self._exitcode: int | None = None
        self._descriptor: int | None = None
        try:
            self._descriptor = os.pidfd_open(pid)
        except OSError:
            pass  # it is over

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def __repr__(self) -> str:
        state = 'started' if self.is_alive() else f'stopped exitcode={self.exitcode}'
        return f'<{type(self).__name__} name={self.name!r} pid={self.pid} {state}>'

    @property
    def sentinel(self) -> int:
        """A descriptor that multiprocessing.connection.wait() takes, ready when it has ended."""
        if self._descriptor is None:
            raise ValueError('The process is over')
        return self._descriptor

    @property
    def exitcode(self) -> int | None:
        if self._exitcode is None and not self.is_alive():
            self._exitcode = self._find_exitcode()
        return self._exitcode

    def _find_exitcode(self) -> int:
        if self._descriptor is not None:
            try:
                end = os.waitid(os.P_PIDFD, self._descriptor,
                                os.WEXITED | os.WNOWAIT | os.WNOHANG)
            except ChildProcessError:
                end = None  # it was waited for
            if end is not None:
                return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
            self._wait_to_be_told()
        if self._exitcode is not None:
            return self._exitcode
        return -self._sent if self._sent else _UNKNOWN_STATUS

    def _wait_to_be_told(self) -> None:
        end = time.monotonic() + _TELLING
        while not self._told.is_set() and self._may_be_told() and time.monotonic() < end:
            self._told.wait(_WHILE)

    def _may_be_told(self) -> bool:
        teller = self._teller()
        return (teller is not None and teller is not threading.current_thread()
                and teller.is_alive())

    def tell_end(self, wait_status: int) -> None:
        """On the thread that hears of it."""
        if wait_status >= 0:
            self._exitcode = os.waitstatus_to_exitcode(wait_status)
        self._told.set()

    def is_alive(self) -> bool:
        return not self._ends_within(0)

    def join(self, timeout: float | None = None) -> None:
        self._ends_within(None if timeout is None else max(0, round(timeout * 1000)))

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def expect_kill(self) -> None:
        """The library is about to, and may have done so, and waited for it, before anybody looks."""
        self._sent = signal.SIGKILL

    def _ends_within(self, milliseconds: int | None) -> bool:
        if self._descriptor is None:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def _send(self, signum: int) -> None:
        if self._descriptor is None:
            return
        try:
            signal.pidfd_send_signal(self._descriptor, signum)
            self._sent = signum
        except ProcessLookupError:
            pass


class Processes(Mapping[int, Process]):
    """The workers that are alive, by their process ids."""

    def __init__(self, pool: Pool, n_at_once: int):
        self._pool = weakref.ref(pool)
        self._n_at_once = n_at_once
        self._news = threading.Condition()
        self._by_pid: dict[int, Process] = {}  # protected by its lock
        self._model: Any = None  # the library's, which belongs to the reactor's thread
        self._awaited: dict[int, Any] = {}  # workers that don't work, by their addresses
        pool.reactor.call(self._follow)

    def __getitem__(self, pid: int) -> Process:
        return self._current()[pid]

    def __iter__(self) -> Iterator[int]:
        return iter(self._current())

    def __len__(self) -> int:
        """Where a program expects so many at once, as the start method `fork` has it, those are
        counted in that are started when there is work for them, too.
        """
        n_started = len(self._current())
        return max(n_started, self._n_at_once) if n_started > 0 else 0

    def values(self) -> ValuesView[Process]:
        return self._current().values()

    def items(self) -> ItemsView[int, Process]:
        return self._current().items()

    def living(self) -> list[Process]:
        """Those that are there now, without a wait for others."""
        pool = self._pool()
        if pool is None or pool.is_inherited:
            return []
        pool.reactor.call_and_wait(self._look)
        with self._news:
            return list(self._by_pid.values())

    def _current(self) -> dict[int, Process]:
        """Workers start a moment after the calls that they are for were submitted."""
        end = time.monotonic() + _STARTING
        with self._news:
            while not self._are_started_locked() and time.monotonic() < end:
                self._news.wait(0.1)
            return dict(self._by_pid)

    def _are_started_locked(self) -> bool:
        pool = self._pool()
        if pool is None or pool.is_shut_down or pool.broken is not None:
            return True
        if self._model is None:
            return False
        counters = pool.dray.dup_counters()
        alive = counters.workers_started - counters.workers_died - counters.workers_retired
        expected = max(min(pool.dray.get_max_workers(), len(pool.futures)), min(alive, 1))
        return bool(len(self._by_pid) >= expected)

    # On the reactor's thread

    def _look(self) -> None:
        self._follow()
        if self._model is not None:
            self._update()

    def _follow(self) -> None:
        pool = self._pool()
        if pool is None or self._model is not None:
            return
        self._model = pool.dray.get_workers()
        self._model.connect('items-changed', _weakly(self._update))
        self._update()

    def _update(self) -> None:
        """What has not begun to work yet may still be replaced without anybody's noticing.

        It is listened to once. PyGObject makes a new object of it each time, unless the last one is
        kept.
        """
        workers, awaited = {}, {}
        for worker in self._model:
            if worker.get_state() in _WORKING:
                workers[worker.get_pid()] = worker
                continue
            if hash(worker) not in self._awaited:
                worker.connect('notify::state', _weakly(self._update))
            awaited[hash(worker)] = worker
        self._awaited = awaited
        with self._news:
            known = self._by_pid
            self._by_pid = {pid: known.get(pid) or _show(worker) for pid, worker in workers.items()}
            self._news.notify_all()


def _show(worker: Any) -> Process:
    process = Process(worker.get_pid(), threading.current_thread())

    def tell(worker: Any, _property: Any) -> None:
        if worker.get_state() == Dray.WorkerState.GONE:
            process.tell_end(worker.get_wait_status())

    worker.connect('notify::state', tell)
    return process


def _weakly(method: Callable[[], object]) -> Callable[..., None]:
    """The library's list would keep what listens to it."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        found = reference()
        if found is not None:
            found()

    return call


class Manager:
    """What stands for the thread that manages an executor, and ends with it."""

    def __init__(self, pool: Pool, owner: object):
        self._pool = weakref.ref(pool)
        self._owner = weakref.ref(owner)

    def is_alive(self) -> bool:
        pool = self._pool()
        if pool is None:
            return False
        return bool(pool.futures) or not (pool.is_shut_down or self._owner() is None)

    def join(self, timeout: float | None = None) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        pool = self._pool()
        if pool is not None:
            pool.reactor.attend()
            del pool
        while self.is_alive() and (end is None or time.monotonic() < end):
            time.sleep(0.01)


class CallQueue:
    """No thread feeds calls to workers, so there is nothing to wait for."""

    def close(self) -> None:
        pass

    def join_thread(self) -> None:
        pass
