# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of executors begin and end with."""

import contextlib
import gc
import os
import pathlib
import sys
import tempfile
import threading
import unittest

import dray

WATCHDOG = 120  # s
GRACE = 60_000  # ms


def children():
    """The processes that this one has started, and not seen the end of."""
    pids = set()
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):  # it has ended
            stat = (path / 'stat').read_text(errors='replace')
            parent = int(stat.rpartition(')')[2].split()[1])
            if parent == os.getpid():
                pids.add(int(path.name))
    # Those of multiprocessing's own live as long as this one.
    for name, pid in ('resource_tracker', '_pid'), ('forkserver', '_forkserver_pid'):
        module = sys.modules.get(f'multiprocessing.{name}')
        if module is not None:
            pids.discard(getattr(getattr(module, f'_{name}'), pid))
    return pids


def be_patient(executor):
    """Gives its workers a minute to end what was cancelled, and themselves. By default they are
    sent SIGTERM after a second, in which they may not have had a processor."""
    executor._pool.dray.props.grace_period = GRACE


class Case(unittest.TestCase):
    """Ends when its processes have ended."""

    def setUp(self):
        before = children()
        self.addCleanup(self.wait_for, lambda: not children() - before)  # the last one

    def wait_for(self, condition):
        """Until it holds; whatever has to be done for it is done elsewhere."""
        timer = threading.Timer(WATCHDOG, os.abort)
        timer.start()
        while not condition():
            threading.Event().wait(0.001)
        timer.cancel()


class ExecutorCase(Case):
    """Each has an executor, and leaves nothing behind."""

    options = {}

    def setUp(self):
        super().setUp()
        self.folder = tempfile.TemporaryDirectory()
        self.executor = dray.ProcessPoolExecutor(2, **self.options)

    def tearDown(self):
        self.executor.shutdown(cancel_futures=True)
        self.folder.cleanup()
        del self.executor
        gc.collect()

    def path(self, name):
        return str(pathlib.Path(self.folder.name, name))


class WaitingCase(Case):
    """Each has an executor with one worker, and a file that a call can wait for."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.gate = pathlib.Path(folder.name, 'gate')
        self.executor = dray.ProcessPoolExecutor(1)
        self.addCleanup(self.executor.shutdown, cancel_futures=True)
