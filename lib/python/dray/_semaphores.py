# SPDX-License-Identifier: LGPL-2.1-or-later
"""Semaphores of the start method `fork`, so that workers can have them, too.

It is what multiprocessing makes its locks, conditions, events and queues of, and on most systems
the default start method of Python up to 3.13: `initargs=(multiprocessing.Lock(),)` is in many
programs. Such a semaphore is memory that only forks share, for multiprocessing takes its name away
as soon as it is made. From the import of this package on, an open file is kept of each that is
made: workers open that through /proc, and map it.

Nothing else about them changes. What was made before can't be given to workers, and says so; nor
can those for which no files are kept, since so many are that the program would soon have none left
for itself.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOLDER = '/dev/shm/sem.'  # where the C library has them

_SHARE = 8  # one in so many of the open files that there may be is kept of semaphores

_mappings: list[object] = []  # in a worker, for as long as it lives


class _Finder:
    """Waits for the module, which most workers and many programs never need."""

    def find_spec(self, fullname: str, path: 'Any' = None, target: 'Any' = None) -> 'Any':
        if fullname != 'multiprocessing.synchronize':
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        from . import _surroundings
        return _surroundings.find_and_then(_extend, fullname, path)


def watch() -> None:
    """From now on."""
    module = sys.modules.get('multiprocessing.synchronize')
    if module is not None:
        _extend(module)
    else:
        sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]


def _extend(module: 'Any') -> None:
    import os
    import resource
    from types import SimpleNamespace
    original = module._multiprocessing
    kept: set[int] = set()

    def may_keep() -> bool:
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return most < 0 or len(kept) < most // _SHARE

    class SemLock(original.SemLock):  # type: ignore[misc,name-defined]
        """One that has no name, and a file."""

        name = None
        file = -1

        def __del__(self, close: 'Any' = os.close) -> None:
            if self.file >= 0:
                kept.discard(self.file)
                close(self.file)

    def new(kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> 'Any':
        if not unlink:
            return original.SemLock(kind, value, maxvalue, name, False)
        semaphore = SemLock(kind, value, maxvalue, name, False)
        try:
            if may_keep():
                semaphore.file = os.open(_FOLDER + name.lstrip('/'), os.O_RDWR | os.O_CLOEXEC)
                kept.add(semaphore.file)
        except OSError:
            pass  # it is as without us
        finally:
            original.sem_unlink(name)
        return semaphore

    new.SEM_VALUE_MAX = original.SemLock.SEM_VALUE_MAX  # type: ignore[attr-defined]
    new._rebuild = original.SemLock._rebuild  # type: ignore[attr-defined]
    module._multiprocessing = SimpleNamespace(**{**vars(original), 'SemLock': new})


def file_of(semaphore: 'Any') -> 'int | None':
    """A descriptor of what it is in, if that is known."""
    file: int = getattr(semaphore, 'file', -1)
    return file if file >= 0 else None


def rebuild(kind: int, maxvalue: int, file: 'Any') -> 'Any':
    """In a worker: the semaphore that is in a file."""
    import ctypes
    import mmap
    import os
    from _multiprocessing import SemLock  # type: ignore[import,attr-defined]
    descriptor = file.detach()
    try:
        mapping = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    _mappings.append(mapping)
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
    return SemLock._rebuild(address, kind, maxvalue, None)


def rebuild_lock(lock_type: 'Any', *semaphore: 'Any') -> 'Any':
    """In a worker: what multiprocessing has made of such a semaphore."""
    lock = lock_type.__new__(lock_type)
    lock._semlock = rebuild(*semaphore)
    lock._is_fork_ctx = False
    lock._make_methods()
    return lock
