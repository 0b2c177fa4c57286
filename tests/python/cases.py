# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of executors begin and end with."""

import gc
import os
import pathlib
import tempfile
import threading
import unittest

import dray

WATCHDOG = 120  # s


class Case(unittest.TestCase):

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
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.gate = pathlib.Path(folder.name, 'gate')
        self.executor = dray.ProcessPoolExecutor(1)
        self.addCleanup(self.executor.shutdown, cancel_futures=True)
