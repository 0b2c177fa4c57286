# SPDX-License-Identifier: LGPL-2.1-or-later
"""Background work of Python programs in worker processes, without the deadlocks.

`ProcessPoolExecutor` takes the place of that of concurrent.futures:

    import dray

    with dray.ProcessPoolExecutor() as executor:
        for size in executor.map(measure, paths):
            print(size)

The library underneath, for GLib and GTK, is `gi.repository.Dray`.
"""

from concurrent.futures import (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, BrokenExecutor,
                                CancelledError, InvalidStateError, as_completed, wait)
from concurrent.futures.process import BrokenProcessPool

from ._calls import UnpicklableFunction
from ._executor import OptionedExecutor, ProcessPoolExecutor
from ._future import Future, Stream
from ._worker import JobCancelled, current_job

__all__ = [
    'ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION', 'BrokenExecutor', 'BrokenProcessPool',
    'CancelledError', 'Future', 'InvalidStateError', 'JobCancelled', 'OptionedExecutor',
    'ProcessPoolExecutor', 'Stream', 'UnpicklableFunction', 'as_completed', 'current_job', 'wait',
]
