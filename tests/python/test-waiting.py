# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that no order of waiting is a deadlock: in callbacks, behind streams that nobody reads, and where
finalizers ask for futures; and that it takes no more threads than that needs."""

import gc
import pathlib
import queue
import tempfile
import threading
import time
import unittest

import dray
import work

WATCHDOG = 120  # s


class WaitingCase(unittest.TestCase):
    """Each has an executor with one worker, and a file that a call can wait for."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.gate = pathlib.Path(folder.name, 'gate')
        self.executor = dray.ProcessPoolExecutor(1)
        self.addCleanup(self.executor.shutdown, cancel_futures=True)


class TestCallbacks(WaitingCase):

    def in_callback(self, function, executor=None):
        """What a function returns that is called when a call has ended, on the thread that sees to all
        others."""
        answers = queue.SimpleQueue()

        def call(future):
            self.assertEqual(threading.current_thread().name, 'dray')
            answers.put(function())

        future = (executor or self.executor).submit(work.wait_for_file, str(self.gate))
        future.add_done_callback(call)
        self.gate.touch()
        return answers.get(timeout=WATCHDOG)

    def pause(self):
        """A call that takes longer than it is looked for in the library."""
        return self.executor.submit(time.sleep, 0.01)

    def square(self, number):
        return self.executor.submit(work.square, number)

    def test_result(self):
        self.assertEqual(self.in_callback(lambda: [self.pause().result()]), [None])

    def test_result_of_another_executor(self):
        with dray.ProcessPoolExecutor(1) as other:
            self.assertEqual(self.in_callback(lambda: [self.pause().result()], other), [None])

    def test_wait_and_as_completed(self):
        def wait():
            done, _ = dray.wait([self.square(i) for i in range(20)])
            more = dray.as_completed([self.square(i) for i in range(20)])
            return [sorted(future.result() for future in futures) for futures in (done, more)]

        self.assertEqual(self.in_callback(wait), [[i * i for i in range(20)]] * 2)

    def test_map(self):
        def pause_thrice():
            return list(self.executor.map(time.sleep, [0.01] * 3))

        self.assertEqual(self.in_callback(pause_thrice), [None] * 3)

    def test_stream(self):
        def collect():
            stream = self.executor.submit(work.count, 1000, 'last')
            return list(stream), stream.result()

        self.assertEqual(self.in_callback(collect), (list(range(1000)), 'last'))

    def test_result_of_a_stream(self):
        def collect():
            stream = self.executor.submit(work.count, 1000, 'last')
            return stream.result(), stream

        last, stream = self.in_callback(collect)
        self.assertEqual((last, list(stream)), ('last', list(range(1000))))

    def test_in_a_callback_that_comes_meanwhile(self):
        """On the threads that have come to wait for the first, and for more than there are workers."""
        depth = 3
        answers = queue.SimpleQueue()

        def go_down(level):
            calls = [self.square(level) for _ in range(3)]
            if level < depth:
                for call in calls[::2]:
                    call.add_done_callback(lambda future: answers.put(go_down(level + 1)))
            done, _ = dray.wait(calls)
            return [call.result() for call in done]

        self.assertEqual(self.in_callback(lambda: go_down(0)), [0] * 3)
        for _ in range(sum(2 ** level for level in range(1, depth + 1))):
            level, *_ = squares = answers.get(timeout=WATCHDOG)
            self.assertEqual(squares, [level] * 3)

    def test_shutdown_by_whoever_wants_the_result(self):
        """He finds it in the library, and so he is who calls back."""
        busy = threading.Event()
        self.addCleanup(busy.set)
        self.executor._pool.reactor.call(busy.wait)
        threads = []

        def end(future):
            threads.append(threading.current_thread())
            self.executor.shutdown()

        future = self.square(3)
        future.add_done_callback(end)
        future._dray.wait(-1)
        self.assertEqual(future.result(), 9)
        self.assertEqual(threads, [threading.current_thread()])
        with self.assertRaises(RuntimeError):
            self.square(3)


class TestUnreadStreams(WaitingCase):
    """One of them is open, and the only worker is blocked by it."""

    def setUp(self):
        super().setUp()
        self.unread = self.executor.submit(work.count, 20_000)
        self.assertEqual(next(self.unread), 0)

    def test_another_is_iterated(self):
        self.assertEqual(list(self.executor.submit(work.count, 1000)), list(range(1000)))
        self.assertEqual(next(self.unread), 1)

    def test_result_of_another(self):
        self.assertEqual(self.executor.submit(work.count, 1000, 'last').result(WATCHDOG), 'last')

    def test_another_is_waited_for(self):
        others = [self.executor.submit(work.count, 1000, 'last') for _ in range(3)]
        for other in dray.as_completed(others):
            self.assertEqual(other.result(), 'last')


class TestThreads(WaitingCase):

    def setUp(self):
        super().setUp()
        self.executor = dray.ProcessPoolExecutor(2)
        self.addCleanup(self.executor.shutdown)
        self.endless = self.executor.submit(work.endless)
        self.addCleanup(self.endless.close)

    def n_waiting(self):
        return sum(thread.name == 'dray-wait' for thread in threading.enumerate())

    def test_of_one_that_is_asked_again_and_again(self):
        call = self.executor.submit(work.wait_for_file, str(self.gate))
        for _ in range(20):
            with self.assertRaises(TimeoutError):
                call.result(0.002)
        self.assertEqual(self.n_waiting(), 1)
        self.gate.touch()
        self.assertIsInstance(call.result(WATCHDOG), int)

    def test_of_many(self):
        calls = [self.executor.submit(work.wait_for_file, str(self.gate)) for _ in range(100)]
        dray.wait(calls, 0.01)
        self.assertEqual(self.n_waiting(), 3)
        self.gate.touch()
        self.assertEqual(len(dray.wait(calls, WATCHDOG).done), 100)
        while self.n_waiting() > 0:  # until they have noticed
            threading.Event().wait(0.001)


class Leftover:
    """Garbage, at the end of which something is done; and then there is more of it."""

    def __init__(self, ends):
        self.itself = self
        self.ends = ends

    def __del__(self):
        end = next(self.ends, None)
        if end is not None:
            end()
            Leftover(self.ends)


class TestFinalizers(WaitingCase):
    """They come wherever Python makes an object, and so in the middle of whatever is asked for."""

    def submit_among(self, finalize):
        """What some calls return while that is done again and again."""
        before = gc.get_threshold()
        self.addCleanup(gc.set_threshold, *before)
        ends = iter([finalize] * 2000)
        Leftover(ends)
        gc.set_threshold(1, 1, 1)
        calls = [self.executor.submit(work.square, i) for i in range(20)]
        streams = [self.executor.submit(work.count, i) for i in range(5)]
        gc.set_threshold(*before)
        for _ in ends:
            pass
        gc.collect()
        self.assertEqual([call.result(WATCHDOG) for call in calls], [i * i for i in range(20)])
        self.assertEqual([len(list(stream)) for stream in streams], list(range(5)))

    def test_look_at_a_future(self):
        future = self.executor.submit(time.sleep, 0.01)
        self.submit_among(lambda: (future.done(), future.running(), future.cancelled(), repr(future)))

    def test_add_callbacks(self):
        called = []
        future = self.executor.submit(time.sleep, 0.01)
        self.submit_among(lambda: future.add_done_callback(called.append))
        self.assertGreater(len(called), 100)

    def test_submit(self):
        others = []
        self.submit_among(lambda: len(others) < 200 and others.append(
            self.executor.submit(work.square, 3)))
        self.assertEqual([other.result(WATCHDOG) for other in others], [9] * len(others))
