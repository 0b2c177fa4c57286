# SPDX-License-Identifier: LGPL-2.1-or-later
"""Futures, as those of concurrent.futures are, and streams of what a generator yields."""

from __future__ import annotations

import operator
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent import futures
from concurrent.futures import _base
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _callbacks, _library, _memory, _message, _outcome, _threads
from ._library import Handle
from ._repository import Gio, GLib

if TYPE_CHECKING:  # asyncio takes longer to import than all the rest, and not every program has it
    import asyncio

    from ._reactor import Pool, Reactor

Item = TypeVar('Item')
T = TypeVar('T')

# How long a thread that wants a result looks for it in the library before it sleeps in Python,
# where it can be interrupted: in microseconds.
_LOOK = 1000

# How many items of a stream are fetched at a time, and when the next are.
_BATCH = 256
_FEW = 64


def _is_of_asyncio(function: Callable[[Any], object]) -> bool:
    """Whether it is what tells a loop of asyncio of a future that is awaited there."""
    return getattr(function, '__module__', None) == 'asyncio.futures'


class _PlacedCallback:
    """A done callback, and where it is to be called."""

    def __init__(self, function: Callable[[Any], object]):
        self.function = function
        self.place = _callbacks.current_place()
        # It was added by something that a loop runs.
        self.is_bound = self.place is not None and GLib.main_depth() > 0
        # That of asyncio finds its loop from any thread, and who waits there may hold up the other
        # loop.
        self.is_for_any_thread = _is_of_asyncio(function)
        self._is_called = False  # or about to be, without a call of anything else before that

    def __call__(self, future: Any) -> None:
        place = self.place
        if (place is not None and not self.is_for_any_thread
                and (self.is_bound or place.is_running())):
            place.call(lambda: self.run(future))
        else:
            self.run(future)

    def run(self, future: Any) -> None:
        if not self.is_for_any_thread:
            _threads.tell_of_callback()
        _callbacks.call(future, self._call_once, future)

    def _call_once(self, future: Any) -> None:
        """Whoever was interrupted before that is followed by somebody who does it again."""
        if not self._is_called:
            self._is_called = True
            self.function(future)


class _Condition(threading.Condition):
    """Is entered and left without a line of Python, in which KeyboardInterrupt could come: the lock
    would be held for ever, and whoever settles the future wait for it as long."""

    __enter__: Any = property(operator.attrgetter('_lock.__enter__'))
    __exit__: Any = property(operator.attrgetter('_lock.__exit__'))

    # Of the class that it extends
    _lock: Any
    _waiters: deque[Any]

    def wait(self, timeout: float | None = None) -> bool:
        """As that of its class, whose lock an interrupt may leave released. It is held once here.
        """
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        is_told = False
        try:
            self._lock.release()
            is_told = waiter.acquire(True, -1 if timeout is None else max(0.0, timeout))
        finally:
            if not self._lock._is_owned():
                self._lock.acquire()
            if not is_told and waiter in self._waiters:
                self._waiters.remove(waiter)
        return is_told


class _Waiters(list[Any]):
    """Whoever waits for a future by means of concurrent.futures is entered here."""

    def __init__(self, future: Future[Any]):
        super().__init__()
        self._future = weakref.ref(future)  # no circle: results may be large

    def append(self, waiter: Any) -> None:
        super().append(waiter)
        future = self._future()
        if future is not None:
            future._hurry()


class Future(futures.Future, Generic[T]):  # type: ignore[type-arg]
    """The result of a call that is to come.

    It is a concurrent.futures.Future. In addition

    - a running call can be cancelled: `cancel()` is then true, the function is interrupted by
      JobCancelled, and its worker is killed if it does not end by that;
    - done callbacks are called in the thread's default main context of GLib if it is iterated by
      somebody, as GTK's main loop does, else as usual; they may wait, in whatever way, and others
      are called on another thread meanwhile;
    - it can be awaited on a loop of asyncio.
    """

    # Of the class that it extends
    _condition: threading.Condition
    _done_callbacks: list[Callable[[Any], object]]
    _state: str

    def __init__(self, pool: Pool | None = None, name: str = 'call'):
        super().__init__()
        self._condition = _Condition()
        self._pool = pool
        self._name = name
        self._dray: Handle | None = None  # while it is not done
        self._reactor: Reactor | None = None
        self._inheritance: object = None  # what the call needs of the application until it is done
        self._progress: _callbacks.ProgressCallback | None = None
        self._last_report: tuple[float, str | None] | None = None
        self._is_awaited = False  # by a thread of its own
        self._settler = 0  # the thread that ends it, and calls callbacks
        self._was_interrupted = False  # while it was ended, at any point

    # As other threads see it

    def done(self) -> bool:
        if super().done():
            return True
        self._attend()
        return super().done()

    def running(self) -> bool:
        dray = self._dray
        if dray is None:
            return super().running()
        return not self.done() and dray.is_running()

    def __repr__(self) -> str:
        """It is the library that knows what runs: the state here says that only when it is done."""
        dray = self._dray
        if dray is not None and not super().done() and dray.is_running():
            return f'<{type(self).__name__} at {id(self):#x} state=running>'
        return super().__repr__()

    def cancel(self) -> bool:
        """Cancels the call, also if it runs. False if it is done."""
        dray = self._dray
        if dray is None:  # it stands for no call, or for one that is done
            return super().cancel()
        pool, reactor = self._pool, self._reactor
        try:
            return self._cancel(dray)
        except BaseException:  # as in _look(); once it has begun
            if self._state == _base.CANCELLED_AND_NOTIFIED:
                dray.cancel()
                if pool is None or reactor is None or not reactor.rescue(pool, self, dray):
                    self._tell_again()
            raise

    def _cancel(self, dray: Handle) -> bool:
        with self._condition:
            if self._state == _base.FINISHED:
                return False
            if self._state in (_base.CANCELLED, _base.CANCELLED_AND_NOTIFIED):
                return True
            self._state = _base.CANCELLED_AND_NOTIFIED
            for waiter in self._waiters:
                waiter.add_cancelled(self)
            self._condition.notify_all()
        dray.cancel()  # a callback may wait for the end of the executor
        self._invoke_callbacks()
        return True

    def _cancel_pending(self) -> None:
        """Cancels the call, unless it runs, as far as is known: the news that it has begun may be
        on its way.
        """
        dray = self._dray
        if dray is None or not dray.is_running():
            self.cancel()

    def result(self, timeout: float | None = None) -> T:
        self._look(timeout)
        _library.release_dropped()
        try:
            result: T = super().result(timeout)
            if self._exception is not None:  # one that is false, which is not looked at there
                raise self._exception
            return result
        finally:
            del self  # what is raised leads to this frame, and a future to what it raises

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._look(timeout)
        return super().exception(timeout)

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        self._attend()
        callback = _PlacedCallback(fn)
        with self._condition:
            if self._state not in (_base.CANCELLED, _base.CANCELLED_AND_NOTIFIED, _base.FINISHED):
                self._done_callbacks.append(callback)
                return
        callback.run(self)

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio
        return asyncio.wrap_future(self).__await__()

    # How it is waited for

    def _look(self, timeout: float | None) -> None:
        """Whoever wants a result at once is spared the way through other threads."""
        dray, reactor, pool = self._dray, self._reactor, self._pool
        if dray is None or reactor is None:
            return
        look = _LOOK if timeout is None else max(0, min(_LOOK, int(timeout * 1e6)))
        try:
            # Whoever tells others, as wait() is, must not be interrupted: it leaves locks locked.
            is_for_others = (bool(self._waiters)
                             and threading.current_thread() is threading.main_thread())
            if dray.wait(look) and not is_for_others:
                reactor.settle(dray.address)
            else:
                self._hurry()
        except BaseException:
            if pool is not None:
                reactor.rescue(pool, self, dray)
            raise

    def _attend(self) -> None:
        """Somebody wants to hear of it."""
        reactor = self._reactor
        if reactor is not None:
            reactor.attend()

    def _hurry(self) -> None:
        """Somebody waits for it: nothing that nobody reads may be in the way."""
        self._attend()
        pool = self._pool
        if pool is None:
            return
        pool.wanted.add(self)  # a stream may still come that goes first
        if self._dray is None:
            pool.wanted.discard(self)  # it has left meanwhile
        elif pool.n_streams > 0 or _threads.is_own():
            self._have_awaited(pool)

    def _have_awaited(self, pool: Pool) -> None:
        """A thread waits in the library, which lifts its limits, and ends this. In a callback the
        reactor may be what waits, and not come to that.
        """
        dray = self._dray
        if dray is not None and not self._is_awaited and not self.done():
            self._is_awaited = True
            try:
                pool.waits.add(dray)
            except RuntimeError:
                self._is_awaited = False  # whoever waits next tries again
                raise

    # How it ends

    def _attach(self, dray: Handle, reactor: Reactor) -> None:
        """It is in no other thread's hands yet."""
        self._dray = dray
        self._reactor = reactor
        self._waiters = _Waiters(self)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        """Ends it, unless it was cancelled.

        If that is interrupted somebody else does it again, from where it was left.
        """
        try:
            if error is not None:
                self.set_exception(error)
            else:
                self.set_result(result)
        except futures.InvalidStateError:
            if self._was_interrupted:
                self._tell_again()
        except BaseException:
            if _threads.is_own():  # nothing is interrupted there, and nobody would do it again
                self._let_go()
            raise
        self._let_go()

    def _tell_again(self) -> None:
        """Of its end, whoever may not have heard of it."""
        with self._condition:
            for waiter in self._waiters:
                if self in waiter.finished_futures:
                    continue
                if self._state != _base.FINISHED:
                    waiter.add_cancelled(self)
                elif self._exception is not None:
                    waiter.add_exception(self)
                else:
                    waiter.add_result(self)
            self._condition.notify_all()
        self._invoke_callbacks()

    def _refuse(self, error: BaseException) -> None:
        """It stands for a call that could not be submitted."""
        self.set_exception(error)
        self._let_go()

    def _forgo(self) -> None:
        """It is done, and no call was submitted for it, nor will be. Nobody has it yet."""
        self._leave_pool()

    def _disown(self, error: BaseException) -> None:
        """In a fork of the application: its end is not known here, and no callback called."""
        self._condition = _Condition()
        if not super().done():
            self._state = _base.FINISHED
            self._exception = error
        self._dray = None

    def _invoke_callbacks(self) -> None:
        try:
            self._report_last()
        finally:
            super()._invoke_callbacks()  # type: ignore[misc]

    def _report_last(self) -> None:
        """When it is done, so that nobody can wait for it in there."""
        report, self._last_report = self._last_report, None
        if report is not None and self._progress is not None:
            self._progress.report(*report)

    def _let_go(self) -> None:
        self._report_last()
        self._dray = None
        self._inheritance = None
        if self._progress is not None:
            self._progress.end()
        self._leave_pool()

    def _leave_pool(self) -> None:
        """Nothing is asked for any more: whoever keeps the result keeps no executor, nor its
        workers.
        """
        self._pool = None
        self._reactor = None


class Stream(Future[T], Iterator[Item], Generic[Item, T]):
    """The future of a call of a generator function.

    What that yields comes by iterating the stream, with `for` or with `async for`, while it is
    being made. Nothing is lost, and what nobody takes stays in the worker, which waits. The
    future's result is what the generator returns. Waiting for that takes in all that was not
    iterated yet.

    It is kept while it has done callbacks to be called. Else, when nothing refers to it any more,
    one that was iterated is closed, as a generator is, and one that was not is a call like others:
    it goes on to its end, and what it yields is thrown away.
    """

    def __init__(self, pool: Pool | None = None, name: str = 'call'):
        super().__init__(pool, name)
        self._news = _Condition()
        # protected by its lock
        self._items: deque[Any] = deque()
        self._is_iterated = False
        self._asks = False  # a batch is on its way
        self._question: Any = None  # what a batch that is asked for without blocking is given up by
        self._takes_all = False
        self._takes_unread = False  # the same, as long as nobody iterates it
        self._over = False
        self._wanted: list[Callable[[], object]] = []  # called when there is news, once
        self._source: Any = None  # the library's future, as long as there may be items
        self._loss: BaseException | None = None  # why there are none, though some were made

    def __iter__(self) -> Stream[Item, T]:
        return self

    def __next__(self) -> Item:
        if not self._is_iterated:
            self._begin()
        while True:
            with self._news:
                while not self._items and not self._over:
                    self._want()
                    self._ask_locked(self._has_to_block())
                    self._news.wait()
                value = self._take_locked()
            if value is None:
                end = self._end()
                try:
                    raise end
                finally:
                    del self, end  # what is raised leads to this frame
            item: Item = _outcome.unpack_item(value)
            return item

    def __aiter__(self) -> AsyncIterator[Item]:
        return _AsyncItems(self)

    def close(self) -> None:
        """Ends the generator, if it has not ended."""
        self.cancel()

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        super().add_done_callback(fn)
        dray, reactor = self._dray, self._reactor
        if dray is not None and reactor is not None:
            reactor.tighten(self, dray)
        if _is_of_asyncio(fn):
            self._await_end()

    def _await_end(self) -> None:
        """Somebody waits for the result, and does not block. He who iterates it may be another task
        of the same loop, which does not take it in faster for that.
        """
        with self._news:
            if not self._is_iterated:
                self._takes_unread = True
                self._ask_locked()

    def _loosen(self) -> None:
        """It belongs to whoever has submitted it. If that one drops it the call goes on, with what
        it needs and what hears of its progress.
        """
        dray, reactor = self._dray, self._reactor
        if dray is None or reactor is None:
            return
        heir: Future[Any] = Future(self._pool, self._name)
        heir._attach(dray, reactor)
        heir._inheritance = self._inheritance
        heir._progress = self._progress
        reactor.loosen(self, dray, heir)

    def _begin(self) -> None:
        """It is iterated, and as a generator it is closed when whoever does that drops it."""
        dray, reactor = self._dray, self._reactor
        if dray is not None and reactor is not None:
            reactor.loosen(self, dray, None)
        self._is_iterated = True
        pool = self._pool
        if pool is not None and pool.closes_streams:
            self.close()

    def _end(self) -> BaseException:
        """What ends the iteration: the generator's end, or its error."""
        error = self._loss or super().exception()
        return error if error is not None else StopIteration(super().result())

    def _take_locked(self) -> Any:
        if not self._items:
            return None
        value = self._items.popleft()
        if len(self._items) < _FEW and not _threads.is_own():
            self._ask_locked()
        return value

    def _is_pending(self) -> bool:
        dray = self._dray
        return dray is not None and not dray.is_running() and not dray.is_done()

    def _has_to_block(self) -> bool:
        """Whether asking is not enough: others may have to make way, which who blocks in the
        library makes them do, or this is a callback, for which the reactor waits.
        """
        pool = self._pool
        return (pool is not None and pool.n_streams > 1 and self._is_pending()) or _threads.is_own()

    def _want(self) -> None:
        """A thread waits for it: it is told of streams that still come, and may go first."""
        pool = self._pool
        if pool is not None and self._dray is not None:
            with pool.lock:
                pool.wanted_streams.add(self)

    def _look_again(self) -> None:
        """One has come. Who waits may have to block now."""
        pool = self._pool
        if self._takes_all and pool is not None:
            self._have_awaited(pool)
        with self._news:
            self._news.notify_all()

    def _ask_locked(self, blocks: bool = False) -> None:
        if self._over or self._reactor is None:
            return
        if self._asks:
            if blocks and self._question is not None:
                self._question.cancel()
            return
        self._asks = True
        if blocks:
            self._question = None
            try:
                _threads.start('dray-wait', self._wait_and_fetch)
            except RuntimeError:
                self._asks = False  # whoever asks next tries again
                raise
        else:
            self._question = Gio.Cancellable.new() if self._is_pending() else None
            self._reactor.call(self._fetch)

    def _wait_and_fetch(self) -> None:
        source, items = self._source, None
        try:
            items = source and source.wait_next_items(_BATCH, -1, None)
        except GLib.Error:
            pass  # it was cancelled, or failed: the future tells
        self._take_in(items)

    def _fetch(self) -> None:
        source, question = self._source, self._question
        if source is not None:
            reference = weakref.ref(self)
            source.next_items_async(_BATCH, question,
                                    lambda *answer: _on_items(reference, question, *answer))

    def _ask_again(self) -> None:
        """The question was given up, for one that blocks."""
        with self._news:
            self._asks = False
            try:
                self._ask_locked(True)
            except RuntimeError:
                self._tell_locked()  # no thread can be had: whoever waits finds that out himself

    def _take_in(self, items: list[Any] | None) -> None:
        copies = _copies_of(items or [])
        with self._news:
            self._asks = False
            if copies and not self._over:  # or it was closed meanwhile
                self._items.extend(copies)
                if self._takes_all or (self._takes_unread and not self._is_iterated):
                    self._ask_locked()
            else:
                self._be_over_locked()
            self._tell_locked()

    def _be_over_locked(self) -> None:
        self._over = True
        self._source = None
        self._leave_pool()

    def _leave_pool(self) -> None:
        """Its call may be done, and not all read that it yielded."""
        if self._over and self._dray is None:
            super()._leave_pool()

    def _tell_locked(self) -> None:
        self._news.notify_all()
        wanted, self._wanted = self._wanted, []
        for call in wanted:
            call()

    def _refuse(self, error: BaseException) -> None:
        self._over = True
        super()._refuse(error)

    def _forgo(self) -> None:
        self._over = True
        super()._forgo()

    def _disown(self, error: BaseException) -> None:
        self._news = _Condition()
        self._wanted = []
        super()._disown(error)
        if not self._over or self._exception is error:
            self._items.clear()
            self._loss = error
            self._be_over_locked()

    def _attach_source(self, source: Any) -> None:
        self._source = source

    def _look(self, timeout: float | None) -> None:
        if not self.done():
            self._hurry()

    def _hurry(self) -> None:
        self._attend()
        with self._news:
            self._takes_all = True
            self._ask_locked()
        self._want()
        pool = self._pool
        if pool is not None and (pool.n_streams > 1 or _threads.is_own()):
            self._have_awaited(pool)

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled:
            with self._news:
                self._items.clear()
                self._be_over_locked()
                self._tell_locked()
        return cancelled


def _copies_of(items: list[Any]) -> list[Any]:
    """What was in small ones. A value of PyGObject's has a finalizer in Python, in which Python
    would lose a KeyboardInterrupt: so they are let go of here, and not where somebody iterates.
    """
    return [_memory.copy_of(item) if item.get_size() < _message.OUT_OF_BAND else item
            for item in items]


def _on_items(reference: weakref.ref[Stream[Any, Any]], question: Any, source: Any,
              result: Any) -> None:
    """Items have come, for a stream that may have been dropped meanwhile."""
    try:
        items = source.next_items_finish(result)
    except GLib.Error:
        items = None  # as above
    stream = reference()
    if stream is None:
        return
    if items is None and question is not None and question.is_cancelled():
        stream._ask_again()
    else:
        stream._take_in(items)


class _AsyncItems(AsyncIterator[Item]):
    """Iterates a stream on a loop of asyncio."""

    def __init__(self, stream: Stream[Item, Any]):
        self._stream = stream

    def __aiter__(self) -> _AsyncItems[Item]:
        return self

    async def __anext__(self) -> Item:
        import asyncio
        stream = self._stream
        if not stream._is_iterated:
            stream._begin()
        loop = asyncio.get_running_loop()
        while True:
            news = loop.create_future()
            with stream._news:
                value = stream._take_locked()
                is_over = value is None and stream._over
                if value is None and not is_over:
                    stream._wanted.append(lambda: _tell(loop, news))
                    stream._ask_locked()
            if value is not None:
                item: Item = _outcome.unpack_item(value)
                return item
            if is_over:
                break
            await news
        if stream._loss is not None:
            raise stream._loss
        try:
            # Who does not wait for the next one any more has not cancelled all of them.
            await asyncio.shield(asyncio.wrap_future(stream))
        except asyncio.CancelledError:
            if not stream.cancelled():
                raise
            raise futures.CancelledError from None
        raise StopAsyncIteration


def _tell(loop: asyncio.AbstractEventLoop, news: asyncio.Future[None]) -> None:
    try:
        loop.call_soon_threadsafe(_finish, news)
    except RuntimeError:
        pass  # it has been closed, and nobody waits any more


def _finish(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
