# SPDX-License-Identifier: LGPL-2.1-or-later
"""Locks, queues, pipes and sockets, on their way to workers.

These only let themselves be pickled while a process of multiprocessing is being started, since that
hands down their open files. Workers are started by others, so something stands in for such a
process. Pipes are opened anew by the worker, through /proc; they are duplicated for that, and stay
open as long as the call is not done, or the executor that they were given to exists. Sockets, and
with them two-way pipes, can't be opened: they are attached to the call, and its initialiser can't
have any.

Semaphores have names to be found by, except for those of the start method `fork`: see _semaphores.

Such objects are watched over by a process of multiprocessing, which removes them when the program
is over. If a worker had one of its own, that would remove what the program still uses: so workers
write to the program's.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import _library, _message, _semaphores

_KINDS = {'multiprocessing.synchronize', 'multiprocessing.connection', 'socket'}


class File:
    """A pipe of the application, as multiprocessing passes it on."""

    def __init__(self, descriptor: int):
        self._description = os.getpid(), descriptor, fcntl.fcntl(descriptor, fcntl.F_GETFL)

    def detach(self) -> int:
        """In a worker: a descriptor of that file."""
        pid, descriptor, flags = self._description
        keep = os.O_ACCMODE | os.O_NONBLOCK | os.O_APPEND
        return os.open(f'/proc/{pid}/fd/{descriptor}', flags & keep | os.O_CLOEXEC)


class Attached:
    """A file that comes with the call, as one of its attachments."""

    def __init__(self, number: int):
        self._number = number

    def detach(self) -> int:
        """In a worker: a descriptor of that file."""
        return _library.attachment(self._number)


class CanNotInherit(TypeError):
    """Workers can't be given this."""


class Inheritance:
    """What a process of multiprocessing would inherit, and what keeps it there."""

    def __init__(self, takes_sockets: bool) -> None:
        self._takes_sockets = takes_sockets
        self._pipes: list[int] = []
        self.sockets: list[int] = []

    def __del__(self) -> None:
        for descriptor in self._pipes + self.sockets:
            os.close(descriptor)

    def duplicate_for_child(self, descriptor: int) -> int:
        is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        if is_socket and not self._takes_sockets:
            raise CanNotInherit('A socket or a two-way pipe can’t be given to an initializer, '
                                'which comes to each worker, and gets no open files: give it to a '
                                'call')
        duplicate = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
        (self.sockets if is_socket else self._pipes).append(duplicate)
        return duplicate

    def DupFd(self, descriptor: int) -> File | Attached:
        """Of what was duplicated; the name that multiprocessing looks for."""
        if descriptor in self.sockets:
            return Attached(self.sockets.index(descriptor))
        return File(descriptor)

    @contextmanager
    def spawning(self) -> Iterator[None]:
        """On this thread, multiprocessing takes it for a process that is being started."""
        from multiprocessing import context
        before = context.get_spawning_popen()
        context.set_spawning_popen(self)
        try:
            yield
        finally:
            context.set_spawning_popen(before)


def is_needed() -> bool:
    """Whether the program may have made anything that is inherited."""
    return bool(_KINDS & sys.modules.keys())


def is_lost_in(pickled: bytes) -> bool:
    """Whether a pickle has an end of a pipe in it, of which only the number was pickled."""
    return b'multiprocessing.connection' in pickled


def pickler_over(pickler_type: Callable[..., Any] | None) -> Callable[..., Any]:
    """A pickler that takes what multiprocessing's own does."""
    from multiprocessing import reduction
    base: Any = pickler_type or pickle.Pickler
    reducers: Any = reduction.ForkingPickler._extra_reducers  # type: ignore[attr-defined]

    class Pickler(base):  # type: ignore[misc]

        def __init__(self, *args: Any, **kwargs: Any):
            # Before what it extends, which looks for it there.
            self.dispatch_table = {**_message.reducers_of(pickler_type), **reducers,
                                   **_reducers_of_methods()}
            super().__init__(*args, **kwargs)

        def reducer_override(self, value: Any) -> Any:
            semaphore = getattr(value, '_semlock', None)
            if semaphore is not None and semaphore.name is None:
                return _semaphores.rebuild_lock, (type(value), *_describe(semaphore))
            return super().reducer_override(value) if pickler_type else NotImplemented

    return Pickler


def _reducers_of_methods() -> dict[Any, Any]:
    """How what the methods of a semaphore belong to is pickled: `submit(semaphore.acquire)`."""
    module: Any = sys.modules.get('_multiprocessing')
    if module is None:
        return {}
    kinds = {module.SemLock, *module.SemLock.__subclasses__()}
    return dict.fromkeys(kinds, _reduce_semaphore)


def _reduce_semaphore(semaphore: Any) -> Any:
    if semaphore.name is None:
        return _semaphores.rebuild, _describe(semaphore)
    description = semaphore.handle, semaphore.kind, semaphore.maxvalue, semaphore.name
    return type(semaphore)._rebuild, description


def _describe(semaphore: Any) -> tuple[int, int, Any]:
    """One without a name, which a worker finds by its file: its address would be one in the
    application's memory.
    """
    from multiprocessing import reduction
    file = _semaphores.file_of(semaphore)
    if file is None:
        raise CanNotInherit('A lock or queue of the start method ‘fork’ that was made before dray '
                            'was imported can’t be sent to workers: import dray first. Nor can one '
                            'that was made when there were too many: an open file is kept of each, '
                            'up to an eighth of those that the process may have')
    return semaphore.kind, semaphore.maxvalue, reduction.DupFd(file)


def tracker() -> tuple[int, int] | None:
    """The process that watches over what multiprocessing has made, if it runs: how to write to it.
    """
    module = sys.modules.get('multiprocessing.resource_tracker')
    descriptor = getattr(getattr(module, '_resource_tracker', None), '_fd', None)
    return None if descriptor is None else (os.getpid(), descriptor)
