# SPDX-License-Identifier: LGPL-2.1-or-later
"""Background work of Python programs in worker processes, without the deadlocks.

`ProcessPoolExecutor` takes the place of that of concurrent.futures:

    import dray

    with dray.ProcessPoolExecutor() as executor:
        for size in executor.map(measure, paths):
            print(size)

The library underneath, for GLib and GTK, is `gi.repository.Dray`.
"""

from . import _semaphores

# What is imported by workers as well must be up soon: all else is imported when it is asked for.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION,
                                    BrokenExecutor, CancelledError, InvalidStateError,
                                    as_completed, wait)
    from concurrent.futures.process import BrokenProcessPool

    from ._calls import UnpicklableFunction
    from ._executor import OptionedExecutor, ProcessPoolExecutor
    from ._future import Future, Stream
    from ._worker import JobCancelled, current_job, set_progress

__all__ = [
    'ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION', 'BrokenExecutor', 'BrokenProcessPool',
    'CancelledError', 'Future', 'InvalidStateError', 'JobCancelled', 'OptionedExecutor',
    'ProcessPoolExecutor', 'Stream', 'UnpicklableFunction', 'as_completed', 'current_job',
    'set_progress', 'wait',
]

_HOMES = {
    'BrokenProcessPool': 'concurrent.futures.process',
    'Future': 'dray._future',
    'JobCancelled': 'dray._worker',
    'OptionedExecutor': 'dray._executor',
    'ProcessPoolExecutor': 'dray._executor',
    'Stream': 'dray._future',
    'UnpicklableFunction': 'dray._calls',
    'current_job': 'dray._worker',
    'set_progress': 'dray._worker',
}


_semaphores.watch()


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    import importlib
    value: object = getattr(importlib.import_module(_HOMES.get(name, 'concurrent.futures')), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
