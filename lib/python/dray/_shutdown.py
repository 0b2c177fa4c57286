# SPDX-License-Identifier: LGPL-2.1-or-later
"""How executors end: at their own end, and at that of the program.

Waiting is done by a thread, since Python does not notice Ctrl+C while the library waits. One Ctrl+C
asks running calls to stop, and ends the wait when they have, or were killed after the grace period;
a second one kills at once.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from typing import Any

from . import _reactor, _threads
from ._reactor import Pool
from ._repository import Dray, GLib

DRAIN = Dray.ShutdownMode.DRAIN
CANCEL_PENDING = Dray.ShutdownMode.CANCEL_PENDING
TERMINATE = Dray.ShutdownMode.TERMINATE
KILL = Dray.ShutdownMode.KILL

_WHILE = 0.1  # s
_MOMENT = 0.002  # s
_STATEMENTS = 257  # Py_file_input

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
is_exiting = False


def watch(pool: Pool) -> None:
    """Sees to it that the program does not end before the pool."""
    _pools.add(pool)


def begin(pool: Pool, mode: Any) -> None:
    """Begins to shut down, without waiting."""
    if pool.is_inherited:
        return
    pool.reactor.attend()
    if mode == CANCEL_PENDING:
        _threads.start('dray-shutdown', _cancel_pending, pool)
    else:
        pool.dray.shutdown_async(mode, None, None)


def _cancel_pending(pool: Pool) -> None:
    _let_first_begin(pool)
    pool.dray.shutdown_async(CANCEL_PENDING, None, None)


def _let_first_begin(pool: Pool) -> None:
    """In concurrent.futures the first calls count as begun when they were submitted, before there
    is a process to run them in. Here at least one has, so that a program that goes by that gets on.
    """
    before = _count_ended(pool)
    with pool.lock:
        while pool.futures and not _runs(pool) and _count_ended(pool) == before:
            pool.all_done.wait(_MOMENT)


def _runs(pool: Pool) -> bool:
    return bool(pool.dray.dup_counters().running > 0)


def _count_ended(pool: Pool) -> int:
    counters = pool.dray.dup_counters()
    return int(counters.succeeded + counters.failed)


def finish_interrupted(pool: Pool) -> None:
    """After Ctrl+C: ends calls, whose futures are cancelled, and waits for that."""
    pool.is_interrupted = True
    finish(pool, TERMINATE)


def _is_in_callback() -> bool:
    """Whether this thread is one that ends a future. The end of that one's executor would wait for
    it, and that of another one for a callback that may wait for the end of this one.
    """
    return _threads.is_own() or _reactor.is_in_callback()


def finish(pool: Pool, mode: Any) -> None:
    """Shuts down, and waits for the end of all calls and workers.

    Errors: KeyboardInterrupt, if there was one meanwhile; all has ended then as well.
    """
    if _is_in_callback():
        begin(pool, mode)
        return
    if pool.is_inherited:
        return
    interrupted = False
    going_on = threading.Lock()  # an event could be left locked by an interrupt
    going_on.acquire()
    has_ended = False
    while not has_ended:
        try:
            if mode != CANCEL_PENDING:
                begin(pool, mode)
            _threads.start('dray-shutdown', _wait, pool, mode, going_on)
            has_ended = going_on.acquire()
        except KeyboardInterrupt:
            pool.is_interrupted = True
            mode = KILL if mode in (TERMINATE, KILL) else TERMINATE
            interrupted = True
    if interrupted:
        raise KeyboardInterrupt


def _wait(pool: Pool, mode: Any, going_on: threading.Lock) -> None:
    if mode == CANCEL_PENDING:
        pool.reactor.attend()
        _let_first_begin(pool)
    try:
        pool.dray.shutdown_sync(mode, None)
    except GLib.Error:
        pass  # it is shut down in another way as well
    while not _are_all_done(pool):
        pass
    with pool.lock:
        is_over = pool.is_over_locked()
    if is_over:
        pool.reactor.forget(pool)
        pool.reactor.join()
    try:
        going_on.release()
    except RuntimeError:
        pass  # another one has come to the same end


def _are_all_done(pool: Pool) -> bool:
    """Waits a while. Another thread may just have been about to submit one more."""
    pool.reactor.attend()
    with pool.lock:
        return not pool.futures or (pool.all_done.wait(_WHILE) and not pool.futures)


def _at_exit() -> None:
    """What was submitted is done before the program ends, but not if that was interrupted."""
    global is_exiting
    is_exiting = True
    # At a prompt that may have been any statement, long ago.
    interrupted = (not hasattr(sys, 'ps1')
                   and issubclass(getattr(sys, 'last_type', None) or Exception, KeyboardInterrupt))
    nobody_iterates = all(thread.daemon or thread is threading.main_thread()
                          for thread in threading.enumerate())
    for pool in _threads.list_of(_pools):
        try:
            with pool.lock:
                pool.is_at_exit = True  # for what is being submitted just now
            if nobody_iterates:
                pool.close_streams()
            if interrupted:
                finish_interrupted(pool)
            else:
                finish(pool, DRAIN)
        except KeyboardInterrupt as error:
            if not interrupted:
                _report(error)
            interrupted = True
    _reactor.join_threads()


def _report(interrupt: KeyboardInterrupt) -> None:
    """As what ends a program, though it is at its end already.

    Python would print that it ignores it, and end as if all had gone well, while whoever started
    the program goes by that. It ends by the signal if code that it runs for C has left it an
    interrupt.
    """
    sys.excepthook(type(interrupt), interrupt, interrupt.__traceback__)
    try:
        run = ctypes.pythonapi.PyRun_String
        run.argtypes = ctypes.c_char_p, ctypes.c_int, ctypes.py_object, ctypes.py_object
        run.restype = ctypes.py_object
        run(b'raise KeyboardInterrupt', _STATEMENTS, {}, {})
    except (AttributeError, KeyboardInterrupt):
        pass


_inherited: list[object] = []


def _after_fork() -> None:
    """In the child: executors are the parent's. What is made here works, like the library."""
    for pool in _threads.list_of(_pools):
        _inherited.append(pool)
        pool.disown()
    _pools.clear()
    _inherited.append(_reactor.forget_inherited())
    _threads.forget_inherited()


os.register_at_fork(after_in_child=_after_fork)

# Before other threads are waited for, as concurrent.futures does.
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]
