# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program of the worker processes."""

from __future__ import annotations

import os
import sys

from . import _library, _memory, _message, _outcome, _surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pickle
    import signal
    from collections.abc import Callable
    from threading import RLock
    from typing import Any
else:  # what they are made of: the rest of them costs a worker milliseconds
    import _pickle as pickle
    import _signal as signal
    from _thread import RLock

# What a cancelled call is interrupted by. Ctrl+C in a terminal never comes here: workers are in
# process groups of their own.
CANCEL_SIGNAL = signal.SIGINT


_FRAMES_LOOKED_AT = 8
_MOMENT = 0.001  # s


class JobCancelled(KeyboardInterrupt):
    """Raised in a call that was cancelled, wherever it is, so that it can clean up and end."""


class ForEach:
    """Calls a function once for each of many arguments, in one call: see map()."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.__qualname__ = getattr(function, '__qualname__', None) or type(function).__qualname__

    def __call__(self, calls: list[tuple[Any, ...]]) -> list[Any]:
        return [self.function(*args) for args in calls]


class _Server:
    """Runs calls, one after another."""

    def __init__(self) -> None:
        self.job: _library.Job | None = None  # while a function of the application's runs
        # Whoever has found the job on another thread has it, until he has a reference. A finalizer
        # may come in between, and report.
        self.lock = RLock()
        self.by_value = False
        self.finder: _surroundings.Finder
        self.worker = _library.Worker(CANCEL_SIGNAL)
        self.worker.set_initializer(self.initialize)
        self.worker.add_function('call', self.call)
        self.worker.add_function('stream', self.stream)

    def initialize(self, arguments: Any) -> str | None:
        """Returns what went wrong."""
        settings = pickle.loads(_memory.copy_of(arguments))
        self.by_value = settings['by_value']
        try:
            self.finder = _surroundings.enter(settings['preparation'])
            self.hear(settings)
            if settings['initializer'] is not None:
                function, args = _message.unpack(settings['initializer'])
                function(*args)
        except BaseException as error:
            import logging
            logging.getLogger('concurrent.futures').critical('Exception in initializer:',
                                                             exc_info=True)
            return _outcome.describe(error)
        return None

    def call(self, job: _library.Job, arguments: Any) -> int:
        return self._answer(job, arguments, lambda result: result)

    def stream(self, job: _library.Job, arguments: Any) -> int:
        return self._answer(job, arguments, lambda generator: self._emit_all(job, generator))

    def _answer(self, job: _library.Job, arguments: Any, finish: Callable[[Any], Any]) -> int:
        """Runs a call. Only what is the application's is interrupted if it is cancelled."""
        mark = _message.UNREADABLE
        try:
            function, args, kwargs = self._unpickle(job, arguments)
            mark = _message.FAILURE
            self.job = job
            try:
                if job.is_cancelled():  # meanwhile, which has interrupted nothing
                    raise JobCancelled
                result = finish(function(*args, **kwargs))
            finally:
                self._leave_function()
            return self._value_of(job, result)
        except BaseException as error:
            self._leave_function()
            return _library.new_value(_outcome.pack_failure(error, self.by_value, mark))

    def _leave_function(self) -> None:
        """The library lets go of the job soon. It is nobody's from here on who has no reference."""
        self.job = None  # and nothing interrupts this
        with self.lock:
            pass

    def set_progress(self, fraction: float, text: str | None) -> None:
        """On any thread. May wait, and so the job may be over meanwhile."""
        with self.lock:
            job = self.job
            if job is None:
                return
            job.hold()
        try:
            job.set_progress(fraction, text)
        finally:
            job.release()

    def hear(self, news: dict[str, Any]) -> None:
        """What has to be known of the application to unpickle what it sends."""
        self.finder.places.update(news.get('modules', ()))
        if news.get('tracker') is not None:
            self.finder.share_tracker(news['tracker'])

    def _unpickle(self, job: _library.Job, arguments: Any) -> Any:
        data: Any = _memory.copy_of(arguments)
        if data == _message.IN_FILE:
            descriptor = job.attachment(-1)
            try:
                data = _memory.map_file(descriptor)
            finally:
                os.close(descriptor)
        _library.arriving = job
        try:
            return _message.unpack(data, self.hear)
        finally:
            _library.arriving = None

    def _emit_all(self, job: _library.Job, generator: Any) -> Any:
        """Returns what the generator returns. What nobody pulls blocks it."""
        if not hasattr(generator, 'close') or not hasattr(generator, '__next__'):
            return generator  # it was decorated, and is none any more
        try:
            while True:
                try:
                    item = next(generator)
                except StopIteration as end:
                    return end.value
                if not job.emit(self._value_of(job, item)):
                    raise JobCancelled
        finally:
            generator.close()

    def _value_of(self, job: _library.Job, result: Any) -> int:
        message = _outcome.pack(result, self.by_value)
        if not message.buffers:
            return _library.new_value(message.data)
        return job.new_large_value(message.size, message.write_to)

    def on_cancel(self, signum: int, frame: Any) -> None:
        job = self.job
        if job is None or not job.is_cancelled():
            return
        if _is_in_finalizer(frame):
            # Python would only print what is raised there: so it comes again in a moment.
            import threading
            again = (threading.main_thread().ident, signum)
            threading.Timer(_MOMENT, signal.pthread_kill, again).start()
            return
        raise JobCancelled


def _is_in_finalizer(frame: Any) -> bool:
    for _ in range(_FRAMES_LOOKED_AT):
        if frame is None:
            return False
        if frame.f_code.co_name == '__del__':
            return True
        frame = frame.f_back
    return False


_server: _Server | None = None


def current_job() -> Any:
    """The Dray.Job of the call that runs now, in a worker; else None."""
    if _server is None:
        return None
    from ._repository import Dray
    return Dray.Job.get_current()


def set_progress(fraction: float | None, text: str | None = None) -> None:
    """Says how far the call is that runs now, to whoever has asked for that with `on_progress`.

    Arguments:
        fraction: how much is done, from 0 to 1; None where that is not known. More than 1 counts as
            1, less than 0 as None.
        text: what is being done, for people to read.

    Of what is reported quickly, only the latest is heard. It may be called on any thread, and is
    about the call that runs at that moment: a thread that outlives its call has to leave it alone.
    In the application itself it does nothing.

    Errors: TypeError for a fraction that is no number, and a text that is no string.
    """
    if fraction is None:
        fraction = -1
    elif not hasattr(fraction, '__float__') and not hasattr(fraction, '__index__'):
        raise TypeError('fraction must be a number, or None')
    if text is not None and not isinstance(text, str):
        raise TypeError('text must be a string, or None')
    if _server is not None:
        _server.set_progress(float(fraction), text)


def main() -> None:
    """Serves the application until it says goodbye."""
    global _server
    _server = _Server()
    signal.signal(CANCEL_SIGNAL, _server.on_cancel)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(line_buffering=True)
    sys.exit(_server.worker.run())
