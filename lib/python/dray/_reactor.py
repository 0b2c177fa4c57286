# SPDX-License-Identifier: LGPL-2.1-or-later
"""The thread that takes in what the library has finished.

There is one for all executors of the process, while there are any. It iterates a main context of
its own and asks a completion queue of the library, many at a time: so nothing of Python runs on a
thread of the library's, and the application's main context has nothing to do with it.

What was submitted last is not in that queue yet: often its result is what is wanted next, and
whoever waits for that finds it in the library himself, without this thread being woken up. It goes
there when anything else is wanted.

A record is what is kept of a submitted call: the library's future leads to ours. Whoever takes a
record away, under the lock, settles the future: this thread, or one that wanted the result and
found it first.

What is found is done outside of the main context, step by step, since the application's callbacks
are part of it. Where one of them takes long, another thread goes on (see _turns): whatever a
callback waits for, and by whatever means, comes.

Asking without blocking leaves the library's limits in force: what nobody reads of a stream stays in
its worker. Whoever blocks says so himself (Future._hurry).
"""

from __future__ import annotations

import functools
import operator
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import _base
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Union

from . import (_callbacks, _errors, _library, _main, _message, _outcome, _threads, _turns,
               _waits)
from ._future import Future, Stream
from ._repository import Dray, GLib

_BATCH = 256
_WHILE = 0.1  # s

_INHERITED = ('This executor belongs to the process that this one was forked from. A forked '
              'process needs an executor of its own')


class _Bell(weakref.ref):  # type: ignore[type-arg]
    """Rings when something has gone, without a line of Python, in which an interrupt would be lost.
    """

    __slots__ = ('ring',)

    ring: Callable[[], object]


class _Loose(weakref.ref):  # type: ignore[type-arg]
    """Stands for a stream that belongs to whoever has it. Where that one drops it, the call goes on
    as the heir, an ordinary future that nobody has, or is cancelled, if there is none.
    """

    __slots__ = ('dray', 'heir', 'bell')
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    dray: _library.Handle
    heir: Future[Any] | None
    bell: _Bell


_Entry = Union[Future[Any], _Loose]
_STREAMS = (Stream, _Loose)


class Pool:
    """What an executor and its unfinished futures share; the library's executor lives as long."""

    def __init__(self, dray: Any, elsewhere: _main.Elsewhere, breaks: bool):
        self.dray = dray
        self.elsewhere = elsewhere
        self.caller = _library.Caller(dray)
        self.reactor: Reactor = hold(self)
        self.waits = _waits.Waits(self.reactor.settle_safely, dray.get_max_workers())
        self.breaks = breaks  # a crash is everybody's
        self.has_initializer = False  # which is everybody's if it fails
        self.has_tracker = False  # workers know the application's: see _inherit
        self.inheritance: object = None  # what initialisers need of the application
        self.lock: Any = self.reactor.lock
        self.all_done = threading.Condition(self.lock)
        # protected by the lock
        self.futures: set[_Entry] = set()
        self.wanted: set[Future[Any]] = set()  # whose end somebody waits for, or has waited for
        self.wanted_streams: weakref.WeakSet[Stream[Any, Any]] = weakref.WeakSet()
        # All that there are, also when they are done. They leave it without a line of Python, as
        # below.
        self.streams: set[weakref.ref[Stream[Any, Any]]] = set()
        self.n_streams = 0
        self.had_streams = False
        self.closes_streams = False  # the program is about to end: nobody is left to iterate them
        self.is_shut_down = False
        self.is_at_exit = False  # of the program
        self.is_interrupted = False  # by Ctrl+C, which cancels what it ends
        self.broken: str | None = None
        self.is_inherited = False  # from a parent process

    def enter(self, future: Future[Any]) -> None:
        """Errors: RuntimeError after a shutdown: there may be nobody left to see to the future."""
        with self.lock:
            self.check_open()
            self.futures.add(future)
            if not isinstance(future, Stream):
                return
            self.n_streams += 1
            self.had_streams = True
            self.streams.add(weakref.ref(future, self.streams.discard))
            streams = _threads.list_of(self.wanted_streams)
        # The stream may come before them.
        for wanted in list(self.wanted):
            wanted._have_awaited(self)
        for stream in streams:
            self.reactor.call(stream._look_again)  # it takes a lock, and this may be a finalizer

    def check_open(self) -> None:
        if self.is_at_exit:
            raise RuntimeError('cannot schedule new futures after interpreter shutdown')
        if self.is_shut_down:
            raise RuntimeError('cannot schedule new futures after shutdown')

    def leave(self, future: _Entry) -> None:
        with self.lock:
            if future not in self.futures:
                return
            self.futures.remove(future)
            self.wanted.discard(future)  # type: ignore[arg-type]
            if isinstance(future, _STREAMS):
                self.n_streams -= 1
                stream = _strong(future)
                if isinstance(stream, Stream):
                    self.wanted_streams.discard(stream)
            if self.futures:
                return
            self.all_done.notify_all()
            is_over = self.is_over_locked()
        if is_over:
            self.reactor.forget(self)

    def close_streams(self) -> None:
        """Those that somebody has begun to iterate, or does from now on."""
        self.closes_streams = True
        for future in map(_strong, list(self.futures)):
            if isinstance(future, Stream) and future._is_iterated:
                future.close()

    def is_over_locked(self) -> bool:
        """Whether nobody needs the reactor for it any more. A stream may be read at any time."""
        return self.is_shut_down and not self.futures and not self.had_streams

    def disown(self) -> None:
        """In a fork of the application. Whoever had a lock there does not exist here."""
        self.reactor.disown()
        self.lock = self.reactor.lock
        self.all_done = threading.Condition(self.lock)
        self.is_inherited = True
        self.broken = _INHERITED
        # What a stream has yielded may not have been read when its call is done.
        streams = [reference() for reference in list(self.streams)]
        for future in {*map(_strong, self.futures), *streams}:
            if future is not None:
                future._disown(BrokenProcessPool(_INHERITED))
        self.futures.clear()
        self.wanted.clear()
        self.wanted_streams.clear()

    def look_for_deaths(self) -> None:
        """Of workers that did nothing: nobody else hears of those."""
        if not self.breaks or self.is_shut_down or self.is_inherited:
            return
        if self.dray.dup_counters().workers_died_idle > 0:
            self.break_down('A worker has died')  # it may have done something since

    def is_broken_by(self, error: Any) -> bool:
        """Whether what has happened to one call happens to all."""
        if self.has_initializer and _errors.is_about_start(error):
            return True
        return self.breaks and _errors.is_crash(error)

    def break_down(self, reason: str) -> None:
        """After something that is everybody's: nothing is done any more.

        Each call ends in a step of its own. What is called back then may wait for any of the
        others.
        """
        with self.lock:
            if self.broken is not None:
                return
            self.broken = reason
            broken = list(self.futures)
        self.dray.shutdown_async(Dray.ShutdownMode.KILL, None, None)
        for entry in broken:
            self.reactor.add_step(functools.partial(self._end_broken, entry, reason))

    def _end_broken(self, entry: _Entry, reason: str) -> None:
        try:
            future = _strong(entry)
            if future is not None:
                future._settle(None, BrokenProcessPool(reason))
            self.leave(entry)
        except BaseException:  # the thread goes on, as in settle_safely()
            _base.LOGGER.exception('exception ending a call')


class Reactor:

    def __init__(self) -> None:
        self._context = GLib.MainContext.new()
        self._place = _callbacks.Place(self._context, GLib.PRIORITY_DEFAULT)
        self._dray_queue = Dray.CompletionQueue.new()
        self._queue = _library.Queue(self._dray_queue)
        # A finalizer of the application's may be run by whatever makes an object, and ask for a
        # future: so the lock may be taken by who has it already. And it is that of all pools: with
        # several, two finalizers on two threads could take them in two orders.
        self.lock: Any = threading.RLock()
        self._pools: set[int] = set()  # their identities, as long as they live
        self._records: dict[int, tuple[Pool, _Entry, _library.Handle]] = {}
        self._dropped: deque[Any] = deque()  # what stood for streams
        self._last: _library.Handle | None = None
        self._keeper: Any = None
        self._asks = False
        self._is_to_attend = False
        self._turns = _turns.Turns(self._lead, self.settle_safely)
        self._turns.start()

    def disown(self) -> None:
        self.lock = threading.RLock()
        self._turns.disown()
        for _, entry, _ in list(self._records.values()):
            if isinstance(entry, _Loose):
                entry.bell.ring = bool  # the context's lock may have been somebody's

    @property
    def thread(self) -> threading.Thread | None:
        """Its own, at present."""
        return self._turns.thread

    # From any thread

    def add_pool(self, pool: Pool) -> None:
        self._pools.add(id(pool))
        weakref.finalize(pool, self._forget_pool, id(pool)).atexit = False

    def forget(self, pool: Pool) -> None:
        self._forget_pool(id(pool))

    def join(self) -> None:
        """Waits for its thread, if there is nobody that it is there for any more."""
        if not self._may_end():
            return
        self._context.wakeup()
        self._turns.join()

    def _forget_pool(self, pool_id: int) -> None:
        """On any thread, and in the middle of anything."""
        self._pools.discard(pool_id)
        self._context.wakeup()

    def submit(self, pool: Pool, task: Any, future: Future[Any]) -> None:
        """Submits a task of the library."""
        try:
            pool.enter(future)
            task.set_label(future._name)
            progress = future._progress
            if progress is None or progress.is_bound or self.lock._is_owned():
                # A finalizer that comes while this thread has the lock can't wait for one that may
                # want it: what is reported but the last may not be heard then.
                self._submit(pool, task, future)
            else:
                # What it reports is told to the thread that it is submitted on, which has to
                # listen.
                self.call_and_wait(lambda: self._submit(pool, task, future))
            if isinstance(future, Stream):
                future._loosen()
        except BaseException:
            self._abandon(pool, future)
            raise

    def _submit(self, pool: Pool, task: Any, future: Future[Any]) -> None:
        with self.lock:
            if future not in pool.futures:
                future._forgo()  # the pool has broken, or nobody gets the future
                return
            pool.check_open()  # as below
            dray = pool.dray.submit(task, None)
            try:
                if isinstance(future, Stream):
                    future._attach_source(dray)
                if future._progress is not None:
                    future._progress.follow(dray, self._turns.steps.append)
                self._record_locked(pool, future, _library.handle_of(dray))
            except BaseException:
                dray.cancel()  # it may be that nobody else knows of it
                raise

    def submit_call(self, pool: Pool, data: bytes, future: Future[Any]) -> None:
        """Submits an ordinary call."""
        try:
            pool.enter(future)
            with self.lock:
                # A shutdown may have come meanwhile. One that comes now has to take the lock before
                # the library hears of it.
                pool.check_open()
                self._record_locked(pool, future, pool.caller.call(b'call', data, future._name))
        except BaseException:
            self._abandon(pool, future)
            raise

    def _record_locked(self, pool: Pool, future: Future[Any], dray: _library.Handle) -> None:
        future._attach(dray, self)
        self._records[dray.address] = (pool, future, dray)
        self._set_last_locked(dray)

    def _set_last_locked(self, dray: _library.Handle | None) -> None:
        while (last := self._last) is not None:
            self._queue.add(last)  # twice, if it is interrupted here
            if self._last is last:
                self._last = None
        self._last = dray

    def _abandon(self, pool: Pool, future: Future[Any]) -> None:
        """Submitting was interrupted, at any point: nobody gets the future."""
        if future._dray is None:
            pool.leave(future)
        else:
            self.rescue(pool, future, future._dray)
            future.cancel()

    def rescue(self, pool: Pool, future: Future[Any], dray: _library.Handle) -> bool:
        """Somebody was interrupted, at any point, while he settled a future: then it is done here,
        unless it is over by now.
        """
        if future not in pool.futures:
            return False
        future._settler = 0
        future._was_interrupted = True
        with self.lock:
            self._records[dray.address] = (pool, future, dray)
            self._queue.add(dray)
        return True

    def loosen(self, stream: Stream[Any, Any], dray: _library.Handle,
               heir: Future[Any] | None) -> None:
        """From now on it is not kept, unless somebody wants to be called at its end.

        Its end comes on any thread, and in the middle of anything. The younger of two weak
        references hears of it first.
        """
        bell = _Bell(stream, _ring)
        bell.ring = self._context.wakeup
        entry = _Loose(stream, self._dropped.append)
        entry.dray, entry.heir, entry.bell = dray, heir, bell
        with self.lock:
            record = self._records.get(dray.address)
            if record is not None and not stream._done_callbacks:
                self._replace_locked(dray, record[1], entry)

    def tighten(self, stream: Stream[Any, Any], dray: _library.Handle) -> None:
        """Somebody does."""
        with self.lock:
            record = self._records.get(dray.address)
            if record is not None:
                self._replace_locked(dray, record[1], stream)

    def _replace_locked(self, dray: _library.Handle, old: _Entry, new: _Entry) -> None:
        """An interrupt between the two would be one too many: so nothing is called there."""
        record = self._records.get(dray.address)
        if record is None or record[1] is not old or old is new:
            return
        pool, difference = record[0], {old, new}
        n_more = isinstance(new, _STREAMS) - isinstance(old, _STREAMS)
        record = pool, new, dray
        if old in pool.futures:
            self._records[dray.address] = record
            pool.futures ^= difference
            pool.n_streams += n_more

    def _go_on_without(self, entry: _Loose) -> None:
        """Nobody has the stream any more that it stood for."""
        dray, heir = entry.dray, entry.heir
        with self.lock:
            record = self._records.get(dray.address)
            if record is None or record[1] is not entry:
                return  # it has ended meanwhile
            self.attend()
            if heir is not None:
                self._replace_locked(dray, entry, heir)
        if heir is not None:
            dray.discard_items()
        else:
            dray.cancel()

    def attend(self) -> None:
        """Somebody wants something else than the result of what was submitted last."""
        with self.lock:
            self._set_last_locked(None)

    def attend_soon(self) -> None:
        """The same, on any thread, and in the middle of anything."""
        self._is_to_attend = True
        self._context.wakeup()

    def add_step(self, function: Callable[[], object]) -> None:
        """Does something that may take long on the reactor's thread, or on the one in its place."""
        self._turns.steps.append(function)
        self._context.wakeup()

    def call(self, function: Callable[[], object]) -> None:
        """Calls a function on the reactor's thread."""
        self._place.call(function)

    def call_and_wait(self, function: Callable[[], object]) -> None:
        """The same, and comes back when it was called, or nothing is called there any more."""
        if self._turns.call_in_callback(lambda: self._call_in_context(function)):
            return
        errors: list[BaseException] = []
        called = threading.Event()

        def call() -> None:
            try:
                function()
            except BaseException as error:
                errors.append(error)
            finally:
                called.set()

        self.call(call)
        while self._turns.is_alive() and not called.wait(_WHILE):
            pass
        if errors:
            raise errors[0]

    def _call_in_context(self, function: Callable[[], object]) -> None:
        self._context.push_thread_default()
        try:
            function()
        finally:
            self._context.pop_thread_default()

    def settle(self, address: int) -> None:
        """Ends the future of what the library has finished, if nobody else did."""
        with self.lock:
            record = self._records.get(address)
            if record is None:
                return
            pool, entry, dray = record
            if not dray.is_done():
                return  # a new one, where that was which somebody else has settled
            if self._records.get(address) is not record:
                return
            del self._records[address]
            if self._last is dray:
                self._last = None
        future = _strong(entry)
        if future is None:
            self._forget_result(pool, entry, dray)
            return
        future._settler = threading.get_ident()
        _settling.add(future)
        if future._progress is not None:
            future._last_report = dray.progress()
        try:
            self._take_result(pool, future, dray)
        finally:
            if future._dray is None:  # it is settled, whatever its callbacks raise
                _settling.discard(future)
                pool.leave(entry)

    def _forget_result(self, pool: Pool, entry: _Entry, dray: _library.Handle) -> None:
        """Of a call whose future nobody has any more."""
        try:
            dray.result(_message.OUT_OF_BAND)
        except GLib.Error as error:
            if pool.is_broken_by(error):
                pool.break_down(error.message)
        finally:
            pool.leave(entry)

    def settle_safely(self, address: int) -> None:
        """The same on a thread that goes on, whatever comes."""
        try:
            self.settle(address)
        except BaseException:
            _base.LOGGER.exception('exception ending a call')

    def _take_result(self, pool: Pool, future: Future[Any], dray: _library.Handle) -> None:
        try:
            value = dray.result(_message.OUT_OF_BAND)
        except GLib.Error as error:
            self._fail(pool, future, error)
        else:
            _succeed(pool, future, value)

    def _fail(self, pool: Pool, future: Future[Any], error: Any) -> None:
        if _errors.is_cancelled(error) or (pool.is_interrupted and _errors.is_end(error)):
            future.cancel()
            future._settle(None, None)  # it is that by now
            return
        exception = _errors.exception_for(error)
        if pool.is_broken_by(error):
            pool.break_down(str(exception))
        future._settle(None, exception)

    # On its own thread

    def _lead(self) -> None:
        """Until all is over, or it is another thread's turn."""
        while self._turns.take_steps():
            _library.release_dropped()
            self._context.push_thread_default()
            if self._may_end():
                self._stop_waiting()
                self._context.pop_thread_default()
                self._turns.end()
                return
            self._ask()
            self._context.iteration(True)
            self._context.pop_thread_default()
            if self._is_to_attend:
                self._is_to_attend = False
                self.attend()
            while self._dropped:
                self._go_on_without(self._dropped.popleft())

    def _may_end(self) -> bool:
        """If so, it is not given to anybody any more."""
        with _lock:
            if self._pools or self._records:
                return False
            global _reactor
            if _reactor is self:
                _reactor = None
            return True

    def _keep_waiting(self) -> None:
        """A queue with nothing in it does not wait for what may be added: so this stays in it."""
        if self._keeper is not None:
            return
        self._keeper = Dray.Executor.new(Dray.Launcher.new_self())
        self._keeper.set_paused(True)
        self._dray_queue.add(self._keeper.call('never', None))

    def _stop_waiting(self) -> None:
        ended: list[Any] = []
        self._ask()
        self._keeper.shutdown_async(Dray.ShutdownMode.KILL, None, lambda *args: ended.append(args))
        while not ended or self._asks or self._dray_queue.get_length() > 0:
            self._context.iteration(True)
            if self._dray_queue.get_length() > 0:
                self._ask()
        self._turns.steps.clear()
        self._keeper = None
        self._drain()
        self._place.close()
        self._drain()

    def _drain(self) -> None:
        """What still has to come would keep the context, and that it."""
        while self._context.pending():
            self._context.iteration(False)

    def _ask(self) -> None:
        if not self._asks:
            self._keep_waiting()
            self._asks = True
            self._dray_queue.next_many_async(_BATCH, None, self._on_next)

    def _on_next(self, queue: Any, result: Any) -> None:
        self._asks = False
        self._turns.steps.extend(self._queue.take(result))


def _succeed(pool: Pool, future: Future[Any], value: Any) -> None:
    result: Any = None
    error: BaseException | None
    handled = sys.exc_info()[1]
    try:
        result, error = _outcome.unpack(value)
    except BaseException as failure:  # it is somebody's object, which may do anything
        if _outcome.is_ctrl_c(failure):
            raise
        _outcome.forget_frames(failure, handled)
        error = _outcome.Unreadable(failure)
    if isinstance(error, _outcome.Unreadable):
        broken = BrokenProcessPool(f'{future._name}: {error}')
        broken.__cause__ = error.error
        if pool.breaks:
            pool.break_down(str(broken))
        error = broken
    future._settle(result, error)


def _strong(entry: _Entry) -> Future[Any] | None:
    """The future, if anybody still has it, or that which goes on in its place."""
    if not isinstance(entry, _Loose):
        return entry
    stream: Future[Any] | None = entry()
    return entry.heir if stream is None else stream


_ring: Callable[[Any], object] = operator.methodcaller('ring')


def is_in_callback() -> bool:
    """Whether this thread is one that ends a future: then that does not end before it comes back.
    """
    thread = threading.get_ident()
    return any(future._settler == thread for future in list(_settling))


_lock = threading.RLock()  # as that of a reactor
_reactor: Reactor | None = None
_settling: set[Future[Any]] = set()  # whose callbacks may be running


def join_threads() -> None:
    """At the end of the program."""
    stays = _reactor is not None and _reactor._pools
    _turns.join_threads(_reactor.thread if _reactor is not None and stays else None)


def hold(pool: Pool) -> Reactor:
    """The reactor, which serves this pool as long as there is one."""
    global _reactor
    with _lock:
        if _reactor is None:
            _reactor = Reactor()
        _reactor.add_pool(pool)
        return _reactor


def forget_inherited() -> object:
    """In a fork of the application, whose thread there is not here. Returns what must not be freed.
    """
    global _lock, _reactor
    inherited, _reactor = _reactor, None
    _lock = threading.RLock()
    _settling.clear()
    _callbacks.forget_inherited()
    return inherited
