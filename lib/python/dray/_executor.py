# SPDX-License-Identifier: LGPL-2.1-or-later
"""The executor: that of concurrent.futures, over the library's workers."""

from __future__ import annotations

import inspect
import multiprocessing
import numbers
import operator
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from . import _callbacks, _calls, _inherit, _main, _outcome, _reactor, _shutdown
from ._future import Future, Stream
from ._processes import CallQueue, Manager, Processes
from ._repository import Dray, new_value
from ._worker import ForEach

if TYPE_CHECKING:
    from typing_extensions import ParamSpec
    P = ParamSpec('P')

Item = TypeVar('Item')
T = TypeVar('T')

# The largest that the library takes. Of the size of messages that is nearly 4 GiB.
_MAX_MESSAGE = Dray.Executor.find_property('max-message-size').maximum
_MOST_WORKERS: int = Dray.Executor.find_property('max-workers').maximum
_MOST_UNSIGNED = 2 ** 32 - 1
_MOST_PRIORITY = 2 ** 31
_MOST_TASKS: int = Dray.Executor.find_property('max-tasks-per-worker').maximum


@dataclass(frozen=True)
class Options:
    """What may be said of single calls."""

    timeout: float | None = None
    priority: int = 0
    retries: int = 0
    key: str | None = None
    on_progress: Callable[[float | None, str | None], object] | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None:
            if not isinstance(self.timeout, numbers.Real):
                raise TypeError('timeout must be a number of seconds, or None')
            if not self.timeout > 0:
                raise ValueError('timeout must be greater than 0')
        if not -_MOST_PRIORITY <= _check_whole('priority', self.priority) < _MOST_PRIORITY:
            raise ValueError('priority must be a number of 32 bits')
        if _check_whole('retries', self.retries) < 0:
            raise ValueError('retries must be >= 0')
        if self.key is not None:
            _check_key(self.key)
        if self.on_progress is not None and not callable(self.on_progress):
            raise TypeError('on_progress must be a callable')

    def apply(self, task: Any) -> None:
        if self.timeout is not None:
            task.set_time_limit(max(1, round(min(self.timeout * 1000, _MOST_UNSIGNED))))
        if self.priority != 0:
            task.set_priority(self.priority)
        if self.retries != 0:
            task.set_max_retries(min(self.retries, _MOST_UNSIGNED))
        if self.key is not None:
            task.set_key(self.key)


def _check_whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f'{name} must be an integer') from None


def _check_key(key: Any) -> None:
    if not isinstance(key, str):
        raise TypeError('key must be a string, or None')
    if '\0' in key or not key.isascii() and key != key.encode(errors='replace').decode():
        raise ValueError('key must be a text without zeros and lone surrogates')


_DEFAULTS = Options()
_AS_IT_IS: Any = type('AsItIs', (), {'__repr__': lambda self: 'as it is'})()
_FORCES = {'terminate': _shutdown.TERMINATE, 'kill': _shutdown.KILL}


class Executor(futures.Executor):
    """What calls are submitted to: one that has workers, and views of it."""

    _options = _DEFAULTS

    @overload  # type: ignore[override]
    def submit(  # type: ignore[misc]
        self, fn: Callable[P, Generator[Item, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Stream[Item, T]: ...

    @overload
    def submit(  # type: ignore[misc]
        self, fn: Callable[P, Iterator[Item]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Stream[Item, None]: ...

    @overload
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submits a call. That of a generator function gives a Stream of what it yields.

        Errors: RuntimeError after a shutdown; BrokenProcessPool after a crash with
        on_crash='break'; pickle.PicklingError if the function can't be sent to another process.
        """
        return self._submit(self._options, fn, args, kwargs)

    def options(self, *, timeout: float | None = _AS_IT_IS, priority: int = _AS_IT_IS,
                retries: int = _AS_IT_IS, key: str | None = _AS_IT_IS,
                on_progress: Callable[[float | None, str | None], object] | None = _AS_IT_IS
                ) -> OptionedExecutor:
        """A view of this executor, for calls about which there is more to say. Of a view it is
        another one, with some options changed.

        Errors: TypeError and ValueError for what can't be said.

        Arguments:
            timeout: how many seconds a call may run, from its start; then it is ended, and its
                future raises TimeoutError.
            priority: lower ones go first, as in GLib.
            retries: how often a call is run again whose worker died.
            key: a call with the key of one that is not done joins that one.
            on_progress: called with what the function says in set_progress(), a fraction and a
                text, where a done callback would be that is added now.
        """
        given = {'timeout': timeout, 'priority': priority, 'retries': retries, 'key': key,
                 'on_progress': on_progress}
        changes: dict[str, Any] = {name: value for name, value in given.items()
                                   if value is not _AS_IT_IS}
        return self._view(replace(self._options, **changes))

    def map(self, fn: Callable[..., T], /, *iterables: Iterable[Any], timeout: float | None = None,
            chunksize: int = 1, buffersize: int | None = None) -> Iterator[T]:
        """As that of concurrent.futures. With a buffersize, no more arguments are taken from the
        iterables than there are results which were not yet taken, and buffersize ahead.

        Errors: TypeError for a generator function: submit() its calls, each of which gives a
        Stream.
        """
        return _map(self.submit, fn, iterables, timeout, chunksize, buffersize)

    def _submit(self, options: Options, fn: Callable[..., T], args: tuple[Any, ...],
                kwargs: dict[str, Any]) -> Future[T]:
        raise NotImplementedError

    def _view(self, options: Options) -> OptionedExecutor:
        raise NotImplementedError


class ProcessPoolExecutor(Executor):
    """Runs calls in worker processes, in place of concurrent.futures.ProcessPoolExecutor.

    Arguments:
        max_workers: how many processes may work at a time; by default one for each processor.
        mp_context: accepted, and looked at for how much the program expects; workers are always
            processes of their own, never forks of the application.
        initializer, initargs: called in each worker before its first call. Where that fails, all
            calls raise BrokenProcessPool, and no more can be submitted.
        max_tasks_per_child: after so many calls a worker is replaced.
        on_crash: 'task', a worker that dies takes the call that it ran with it, whose future raises
            BrokenProcessPool, and nothing else; 'break', it takes all, as in concurrent.futures.
    """

    def __init__(self, max_workers: int | None = None, mp_context: Any = None,
                 initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = (),
                 *, max_tasks_per_child: int | None = None,
                 on_crash: Literal['task', 'break'] = 'task'):
        self._max_workers = _check_max_workers(max_workers)
        if mp_context is not None and not hasattr(mp_context, 'get_start_method'):
            raise TypeError('mp_context must be a context of multiprocessing, or None')
        _check_max_tasks(max_tasks_per_child, mp_context)
        if initializer is not None and not callable(initializer):
            raise TypeError('initializer must be a callable')
        if on_crash not in ('task', 'break'):
            raise ValueError("on_crash must be 'task' or 'break'")

        self._given_context = mp_context
        self._seen_processes: Processes | None = None
        self._seeing = threading.RLock()
        settings = _Settings(initializer, initargs)
        dray = Dray.Executor.new(_new_launcher(settings.pack()))
        dray.set_max_workers(self._max_workers)
        dray.props.max_message_size = _MAX_MESSAGE
        if max_tasks_per_child is not None:
            dray.props.max_tasks_per_worker = min(max_tasks_per_child, _MOST_TASKS)
        self._pool = _reactor.Pool(dray, settings.elsewhere, on_crash == 'break')
        self._pool.has_tracker = settings.tracker is not None
        self._pool.has_initializer = initializer is not None
        self._pool.inheritance = settings.inheritance
        _shutdown.watch(self._pool)
        weakref.finalize(self, self._pool.reactor.attend_soon).atexit = False

    # Submitting

    def _submit(self, options: Options, fn: Callable[..., T], args: tuple[Any, ...],
                kwargs: dict[str, Any]) -> Future[T]:
        _main.check_is_no_import()
        pool = self._pool
        pool.look_for_deaths()
        if pool.broken is not None:
            raise BrokenProcessPool(pool.broken)
        if pool.is_shut_down:
            raise RuntimeError('cannot schedule new futures after shutdown')
        if _shutdown.is_exiting:
            raise RuntimeError('cannot schedule new futures after interpreter shutdown')

        name = _name_of(fn)
        streams = _gives_stream(fn)
        kind: type[Future[T]] = Stream if streams else Future
        future = kind(pool, name)
        handled = sys.exc_info()[1]
        try:
            message = _calls.pack(fn, args, kwargs, pool)
            is_plain = not (streams or message.buffers or message.attachments)
            task = (None if options is _DEFAULTS and is_plain
                    else _calls.new_task(message, streams))
        except Exception as error:
            if _calls.is_about_function(error):
                raise
            _outcome.forget_frames(error, handled)
            future._refuse(error)
            return future
        future._inheritance = message.inheritance
        if task is None:
            pool.reactor.submit_call(pool, message.data, future)
            return future

        options.apply(task)
        if options.on_progress is not None:
            future._progress = _callbacks.ProgressCallback(options.on_progress)
        if streams:
            task.set_pull(True)
        pool.reactor.submit(pool, task, future)
        return future

    def _view(self, options: Options) -> OptionedExecutor:
        return OptionedExecutor(self, options)

    # Ending

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As that of concurrent.futures. Ctrl+C while it waits asks running calls to stop.

        With cancel_futures, what has not begun is cancelled; if nothing has, the first call still
        runs.
        """
        mode = _shutdown.CANCEL_PENDING if cancel_futures else _shutdown.DRAIN
        self._shut_down(mode, wait)

    def terminate_workers(self) -> None:
        """Shuts down, and sends the workers SIGTERM. Those that do not end by that are killed."""
        self._force_shutdown('terminate')

    def kill_workers(self) -> None:
        """Shuts down, and kills the workers."""
        self._force_shutdown('kill')

    def _force_shutdown(self, operation: str) -> None:
        mode = _FORCES.get(operation)
        if mode is None:
            raise ValueError(f'Invalid operation: {operation!r}')
        self._mark_as_shut_down()
        processes = self._processes.living()
        if mode == _shutdown.KILL:
            for process in processes:
                process.expect_kill()
        self._shut_down(mode, False)
        for process in processes:
            getattr(process, operation)()

    def _mark_as_shut_down(self) -> None:
        with self._pool.lock:
            self._pool.is_shut_down = True

    def _shut_down(self, mode: Any, wait: bool) -> None:
        self._mark_as_shut_down()
        if wait:
            _shutdown.finish(self._pool, mode)
        else:
            _shutdown.begin(self._pool, mode)

    # Private in concurrent.futures, but looked at

    @property
    def _mp_context(self) -> Any:
        return self._given_context or multiprocessing.get_context('spawn')

    @property
    def _broken(self) -> str | bool:
        return self._pool.broken or False

    @property
    def _shutdown_thread(self) -> bool:
        return self._pool.is_shut_down

    @property
    def _processes(self) -> Processes:
        with self._seeing:  # the thread that ends calls is waited for, and needs the pool's
            if self._seen_processes is None:
                forks = (self._given_context is not None
                         and self._given_context.get_start_method(allow_none=False) == 'fork')
                self._seen_processes = Processes(self._pool, self._max_workers if forks else 0)
            return self._seen_processes

    @property
    def _executor_manager_thread(self) -> Manager:
        return Manager(self._pool, self)

    @property
    def _call_queue(self) -> CallQueue:
        return CallQueue()

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> bool | None:
        """Waits for all calls; after Ctrl+C they are asked to stop instead."""
        interrupted = exc_type is not None and issubclass(exc_type, KeyboardInterrupt)
        if interrupted:
            self._mark_as_shut_down()
            _shutdown.finish_interrupted(self._pool)
        else:
            self.shutdown()
        return None


class OptionedExecutor(Executor):
    """An executor whose calls all have the same options: see ProcessPoolExecutor.options()."""

    def __init__(self, executor: ProcessPoolExecutor, options: Options):
        self._executor = executor
        self._options = options

    def _submit(self, options: Options, fn: Callable[..., T], args: tuple[Any, ...],
                kwargs: dict[str, Any]) -> Future[T]:
        return self._executor._submit(options, fn, args, kwargs)

    def _view(self, options: Options) -> OptionedExecutor:
        return OptionedExecutor(self._executor, options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def terminate_workers(self) -> None:
        """As that of the executor."""
        self._executor.terminate_workers()

    def kill_workers(self) -> None:
        """As that of the executor."""
        self._executor.kill_workers()

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> bool | None:
        """As that of the executor."""
        return self._executor.__exit__(exc_type, exc_value, traceback)


def _name_of(fn: Callable[..., Any]) -> str:
    return getattr(fn, '__qualname__', None) or type(fn).__qualname__


def _gives_stream(fn: Callable[..., Any]) -> bool:
    """Whether it is a generator function, be it in the wrapping of a decorator."""
    if inspect.isgeneratorfunction(fn):
        return True
    return hasattr(fn, '__wrapped__') and inspect.isgeneratorfunction(inspect.unwrap(fn))


def _check_max_workers(max_workers: int | None) -> int:
    if max_workers is None:
        count: Callable[[], int | None] = getattr(os, 'process_cpu_count', os.cpu_count)
        return count() or 1
    if max_workers <= 0:
        raise ValueError('max_workers must be greater than 0')
    return min(operator.index(max_workers), _MOST_WORKERS)


def _check_max_tasks(max_tasks: int | None, context: Any) -> None:
    if max_tasks is None:
        return
    if not isinstance(max_tasks, int):
        raise TypeError('max_tasks_per_child must be an integer')
    if max_tasks <= 0:
        raise ValueError('max_tasks_per_child must be >= 1')
    if context is not None and context.get_start_method(allow_none=False) == 'fork':
        raise ValueError('max_tasks_per_child is incompatible with the \'fork\' multiprocessing '
                         "start method; supply a different mp_context.")


def _new_launcher(settings: bytes) -> Any:
    launcher = Dray.Launcher.new_argv([
        _interpreter(),
        *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]
        '-c', _BOOTSTRAP, str(Path(__file__).resolve().parent.parent),
    ])
    launcher.set_stderr(Dray.Stderr.INHERIT)
    launcher.set_trusted(True)
    launcher.set_initial_arguments(new_value(settings))
    return launcher


# It finds this package wherever the application has found it.
_BOOTSTRAP = 'import sys; sys.path.insert(0, sys.argv.pop(1)); import dray._worker as w; w.main()'


def _interpreter() -> str:
    """Where Python is part of another program, that is not the one to start."""
    if sys.executable and 'python' in os.path.basename(sys.executable):
        return sys.executable
    name = f'python{sys.version_info.major}.{sys.version_info.minor}'
    found = shutil.which(name) or shutil.which('python3')
    if found is None:
        raise RuntimeError(f'There is no {name} that workers could be started with')
    return found


class _Settings:
    """What workers are told when they start."""

    def __init__(self, initializer: Callable[..., object] | None, args: tuple[Any, ...]):
        self.initializer: bytes | None = None
        self.inheritance: object = None
        if initializer is not None:
            self.initializer, self.inheritance = _calls.pack_initializer(initializer, args)
        self.tracker = _inherit.tracker()
        self.preparation = _main.preparation()
        self.elsewhere = _main.Elsewhere(self.preparation['sys_path'])

    def pack(self) -> bytes:
        return pickle.dumps({
            'by_value': not _main.main_is_importable(),
            'initializer': self.initializer,
            'modules': self.elsewhere.tell(),
            'preparation': self.preparation,
            'tracker': self.tracker,
        }, 5)


def _map(submit: Callable[..., Future[Any]], fn: Callable[..., T],
         iterables: tuple[Iterable[Any], ...], timeout: float | None, chunksize: int,
         buffersize: int | None) -> Iterator[T]:
    """By means of an executor's submit(), which a class that extends it may have replaced."""
    if inspect.isgeneratorfunction(fn):
        raise TypeError(f'{_name_of(fn)} is a generator function, and nobody would read what it '
                        'yields: submit() each call, and iterate what that gives; or map() a '
                        'function that returns a list')
    if chunksize < 1:
        raise ValueError('chunksize must be >= 1.')
    if buffersize is not None and not isinstance(buffersize, int):
        raise TypeError('buffersize must be an integer or None')
    if buffersize is not None and buffersize < 1:
        raise ValueError('buffersize must be None or > 0')

    if _gives_stream(fn):
        fn = partial(fn)  # a call as others, of a decorator's function, which may return anything
    end = None if timeout is None else time.monotonic() + timeout
    calls = zip(*iterables)
    if chunksize == 1:
        return _results((submit(fn, *args) for args in calls), end, buffersize)
    chunks = iter(lambda: list(islice(calls, chunksize)), [])
    run_chunk = ForEach(fn)
    lists: Iterator[Future[list[T]]] = (submit(run_chunk, chunk) for chunk in chunks)
    return _chain(_results(lists, end, buffersize))


def _chain(lists: Iterator[list[T]]) -> Iterator[T]:
    for elements in lists:
        elements.reverse()
        while elements:
            yield elements.pop()


def _results(submissions: Iterator[Future[T]], end: float | None,
             buffersize: int | None) -> Iterator[T]:
    """What was submitted is cancelled if its results are not wanted any more, unless it runs."""
    submitted = deque(islice(submissions, buffersize))
    if buffersize is None:
        submissions = iter(())  # the executor is not needed any more, and not kept

    def take() -> T:
        """A result, of which nothing is kept here."""
        remaining = None if end is None else end - time.monotonic()
        submitted[0].result(remaining)
        submitted.extend(islice(submissions, 1))
        return submitted.popleft().result()

    def iterate() -> Iterator[T]:
        try:
            while submitted:
                yield take()
        finally:
            for future in reversed(submitted):  # or the next would begin when one that runs ends
                if isinstance(future, Future):
                    future._cancel_pending()
                else:  # who has replaced submit() may return any, and theirs don't end what runs
                    future.cancel()

    return iterate()
