# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that no order of waiting is a deadlock: here, in callbacks."""

import threading
import unittest

import dray
import work


class WaitingCase(unittest.TestCase):
    """Each has an executor with one worker."""

    def setUp(self):
        self.executor = dray.ProcessPoolExecutor(1)
        self.addCleanup(self.executor.shutdown, cancel_futures=True)


class TestCallbacks(WaitingCase):

    def test_shutdown_by_whoever_wants_the_result(self):
        """He finds it in the library, and so he is who calls back."""
        busy = threading.Event()
        self.addCleanup(busy.set)
        self.executor._pool.reactor.call(busy.wait)
        threads = []

        def end(future):
            threads.append(threading.current_thread())
            self.executor.shutdown()

        future = self.executor.submit(work.square, 3)
        future.add_done_callback(end)
        future._dray.wait(-1)
        self.assertEqual(future.result(), 9)
        self.assertEqual(threads, [threading.current_thread()])
        with self.assertRaises(RuntimeError):
            self.executor.submit(work.square, 3)
