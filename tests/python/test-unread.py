# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that streams which nobody reads, or which were dropped, keep nobody from anything."""

import asyncio
import gc
import multiprocessing
import os
import pathlib
import queue
import subprocess
import sys
import threading
import unittest
import unittest.mock
import weakref

import dray
import dray._threads
import work
from cases import WATCHDOG, WaitingCase
from gi.repository import GLib


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

    def test_another_is_iterated_that_was_asked_before(self):
        """Without a wait that lifts limits: so it is asked for once more."""
        other = self.executor.submit(work.count, 1000)

        async def ask():
            with self.assertRaises(TimeoutError):
                await asyncio.wait_for(anext(aiter(other)), 0.01)

        asyncio.run(ask())
        self.assertEqual(list(other), list(range(1000)))
        self.assertEqual(next(self.unread), 1)

    def test_no_thread_can_be_had(self):
        """Whoever needed it is told, and may try again."""
        other = self.executor.submit(work.count, 1000)
        with unittest.mock.patch.object(dray._threads, 'start',
                                        side_effect=RuntimeError("can't start new thread")):
            self.assertRaisesRegex(RuntimeError, 'thread', next, other)
        self.assertEqual(list(other), list(range(1000)))

    def test_no_thread_can_be_had_for_a_result(self):
        """It is looked for before, for a moment in which all gets through that is in the way."""
        blocked = self.executor.submit(work.wait_and_count, str(self.gate), 1)  # but not this
        other = self.executor.submit(work.square, 3)
        with unittest.mock.patch.object(dray._threads, 'start',
                                        side_effect=RuntimeError("can't start new thread")):
            self.assertRaisesRegex(RuntimeError, 'thread', other.result)
        self.gate.touch()
        self.assertEqual(other.result(WATCHDOG), 9)
        self.assertEqual(list(blocked), [0])

    def test_no_thread_can_be_had_when_it_is_asked_again(self):
        """That is found out by the thread which ends calls, for the one that waits."""
        other = self.executor.submit(work.count, 1000)
        self.executor.submit(work.count, 20_000)  # will be in the way
        other._ask_locked()
        answers = queue.SimpleQueue()

        def want():
            try:
                answers.put(next(other))
            except RuntimeError as error:
                answers.put(str(error))

        with unittest.mock.patch.object(dray._threads, 'start',
                                        side_effect=RuntimeError("can't start new thread")):
            threading.Thread(target=want, daemon=True).start()
            self.assertEqual(answers.get(timeout=WATCHDOG), "can't start new thread")
        self.assertEqual(list(other), list(range(1000)))


class TestStartingThreads(unittest.TestCase):

    def test_none_can_be_had_while_an_interrupt_is_handled(self):
        """That is no interrupt, though one is its context."""
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            with unittest.mock.patch.object(threading.Thread, 'start',
                                            side_effect=RuntimeError("can't start new thread")):
                self.assertRaisesRegex(RuntimeError, 'thread', dray._threads.start, 'none', print)

    def test_interrupted_while_an_interrupt_is_handled(self):
        """Where Python waits for the thread to begin: it finds a lock of its own released."""
        def start(thread):
            try:
                raise KeyboardInterrupt
            finally:
                threading.Lock().release()

        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            with unittest.mock.patch.object(threading.Thread, 'start', start):
                self.assertRaises(KeyboardInterrupt, dray._threads.start, 'interrupted', print)
        self.assertEqual(dray._threads._starting, [])


class TestReadStreams(WaitingCase):

    def test_no_finalizer_of_pygobject_runs_where_it_is_iterated(self):
        """Python would lose an interrupt there: of 75 programs that Ctrl+C was to end, one went on.
        """
        finalized = []

        def watch(cls):
            finalize = cls.__del__

            def tell(self):
                finalized.append((cls.__name__, threading.current_thread()))
                finalize(self)

            return unittest.mock.patch.object(cls, '__del__', tell)

        stream = self.executor.submit(work.count, 5000)
        with watch(GLib.Variant), watch(GLib.Source):
            self.assertEqual(sum(stream), sum(range(5000)))
        self.assertGreater(len(finalized), 5000)
        self.assertNotIn(threading.main_thread(), {thread for _, thread in finalized})


class TestLaterStreams(WaitingCase):
    """One goes first that was not there yet when a wait began."""

    def wait_behind_one(self, wait, is_waiting):
        """What a function returns, that waits for a call that is behind it."""
        answers = queue.SimpleQueue()
        threading.Thread(target=lambda: answers.put(wait()), daemon=True).start()
        while not is_waiting():
            threading.Event().wait(0.001)
        unread = self.executor.options(priority=-1).submit(work.count, 20_000)
        self.gate.touch()
        answer = answers.get(timeout=WATCHDOG)
        self.assertEqual(next(unread), 0)
        return answer

    def setUp(self):
        super().setUp()
        self.executor.submit(work.wait_for_file, str(self.gate))

    def test_wait(self):
        call = self.executor.submit(work.square, 3)
        self.assertEqual(self.wait_behind_one(lambda: dray.wait([call]).done,
                                              lambda: call._waiters), {call})

    def test_items_of_a_stream(self):
        stream = self.executor.submit(work.count, 1000)
        self.assertEqual(self.wait_behind_one(lambda: list(stream),
                                              lambda: stream._news._waiters), list(range(1000)))

    def test_result_of_a_stream(self):
        stream = self.executor.submit(work.count, 1000, 'last')
        self.assertEqual(self.wait_behind_one(stream.result,
                                              lambda: stream._condition._waiters), 'last')


class TestDroppedStreams(WaitingCase):
    """The only worker would wait for ever for somebody to take what it yields."""

    async def await_square(self):
        """Which lifts no limits."""
        return await self.executor.submit(work.square, 3)

    def check_program(self, program, output):
        path = os.pathsep.join([str(pathlib.Path(__file__).parent), os.environ['PYTHONPATH']])
        ended = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                               env={**os.environ, 'PYTHONPATH': path}, timeout=WATCHDOG)
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, output, ''))

    def test_loop_that_is_left(self):
        for number in self.executor.submit(work.endless):
            self.assertEqual(number, b'x')
            break
        self.assertEqual(asyncio.run(self.await_square()), 9)

    def test_asynchronous_loop_that_is_left(self):
        async def leave_and_go_on():
            async for number in self.executor.submit(work.endless):
                self.assertEqual(number, b'x')
                break
            return await self.await_square()

        self.assertEqual(asyncio.run(leave_and_go_on()), 9)

    def test_with_a_callback_it_goes_on(self):
        """Whether that was there before, or came afterwards."""
        ended = queue.SimpleQueue()
        for begins in True, False:
            stream = self.executor.submit(work.count, 3, 'last')
            if begins:
                self.assertEqual(next(stream), 0)
            stream.add_done_callback(ended.put)
            if not begins:
                self.assertEqual(next(stream), 0)
            del stream
            self.assertEqual(ended.get(timeout=WATCHDOG).result(), 'last')

    def test_after_its_end(self):
        stream = self.executor.submit(work.count, 3)
        self.assertEqual(list(stream), [0, 1, 2])
        self.assertIsNone(stream.result(WATCHDOG))
        dropped = weakref.ref(stream)
        del stream
        while dropped() is not None:  # the thread that has ended it may still have it
            threading.Event().wait(0.001)

    def test_end_of_the_program(self):
        """That of a stream whose items somebody had enough of, and which he has not dropped."""
        program = """
import dray, work
stream = dray.ProcessPoolExecutor(1).submit(work.endless)
print(next(stream))
"""
        self.check_program(program, "b'x'\n")

    def test_end_of_the_program_before_it_is_iterated(self):
        """By a thread that is not waited for: only when all is over, for what it has to say."""
        program = """
import atexit, sys, threading, dray, work

def read():
    submitted.set()
    while not executor._pool.closes_streams:
        pass
    try:
        for item in stream:
            pass
    except dray.CancelledError:
        print('closed', flush=True)

sys.setswitchinterval(1e-4)
submitted = threading.Event()
executor = dray.ProcessPoolExecutor(1)
stream = executor.submit(work.endless)
thread = threading.Thread(target=read, daemon=True)
thread.start()
atexit.register(thread.join)  # called after the package's own end, and before daemons are stopped
submitted.wait()
"""
        self.check_program(program, 'closed\n')


class TestForgottenStreams(WaitingCase):
    """Those that were dropped and that nobody has iterated are calls like others. Here, too, the
    only worker would wait for ever for somebody to take what they yield."""

    N_ITEMS = 20_000  # more than there is room for on the way

    def setUp(self):
        super().setUp()
        self.left = self.gate.with_name('left')

    def check_goes_on(self):
        """Somebody waits for what is behind it, and lifts no limits for that."""
        async def await_square():
            return await self.executor.submit(work.square, 3)

        self.assertEqual(asyncio.run(await_square()), 9)

    def submit(self):
        """One that leaves a file when it is at its end."""
        return self.executor.submit(work.count_and_leave, self.N_ITEMS, str(self.left))

    def counters(self):
        return self.executor._pool.dray.dup_counters()

    def test_others_go_on(self):
        for _ in range(3):
            self.submit()
        self.check_goes_on()
        self.assertTrue(self.left.exists())
        self.assertEqual(self.executor._pool.n_streams, 0)

    def test_nothing_grows(self):
        """Not even while it lasts."""
        self.executor.submit(work.count_and_leave, self.N_ITEMS, str(self.left), str(self.gate))
        while self.counters().items < self.N_ITEMS:
            threading.Event().wait(0.001)
        self.assertEqual(self.counters().undelivered_items, 0)
        self.gate.touch()
        self.check_goes_on()
        self.assertTrue(self.left.exists())

    def test_dropped_when_it_is_blocked(self):
        stream = self.submit()
        while self.counters().undelivered_items < 1000:
            threading.Event().wait(0.001)
        del stream
        self.check_goes_on()
        self.assertTrue(self.left.exists())

    def test_dropped_in_a_circle(self):
        circle = [self.submit()]
        circle.append(circle)
        del circle
        gc.collect()
        self.check_goes_on()
        self.assertTrue(self.left.exists())

    def test_dropped_by_who_had_enough_of_waiting(self):
        """By when some of its items had come, and the others had been asked for."""
        stream = self.executor.submit(work.count_and_leave, self.N_ITEMS, str(self.left),
                                      str(self.gate))
        self.assertRaises(TimeoutError, stream.result, 0.01)
        self.assertFalse(dray.wait([stream], 0.01).done)
        self.assertRaises(TimeoutError, list, dray.as_completed([stream], 0.01))
        dropped = weakref.ref(stream)
        del stream
        while dropped() is not None:
            threading.Event().wait(0.001)
        self.gate.touch()
        self.check_goes_on()
        self.assertTrue(self.left.exists())

    def test_dropped_by_who_waits(self):
        """He has all of it then."""
        stream, = dray.wait([self.submit()]).done
        self.assertEqual(list(stream), list(range(self.N_ITEMS)))
        stream, = dray.as_completed([self.submit()])
        self.assertEqual(list(stream), list(range(self.N_ITEMS)))
        self.assertEqual(self.executor.submit(work.count, self.N_ITEMS, 'last').result(WATCHDOG),
                         'last')

    def test_dropped_with_a_callback(self):
        """Who gets it may iterate it."""
        ended = queue.SimpleQueue()
        stream = self.executor.submit(work.wait_and_count, str(self.gate), 3)
        stream.add_done_callback(ended.put)
        del stream
        gc.collect()
        self.gate.touch()
        self.assertEqual(list(ended.get(timeout=WATCHDOG)), [0, 1, 2])

    def test_dropped_by_who_awaits_it(self):
        async def await_it():
            return await self.executor.submit(work.count, 3, 'last')

        self.assertEqual(asyncio.run(await_it()), 'last')

    def test_dropped_after_it_was_cancelled(self):
        stream = self.submit()
        self.assertTrue(stream.cancel())
        del stream
        self.check_goes_on()

    def test_progress_is_told(self):
        reports = queue.SimpleQueue()
        followed = self.executor.options(on_progress=lambda *report: reports.put(report))
        followed.submit(work.report_and_count, self.N_ITEMS)
        gc.collect()
        last = 1, f'{self.N_ITEMS} of {self.N_ITEMS}'
        while reports.get(timeout=WATCHDOG) != last:
            pass
        self.check_goes_on()

    def test_progress_is_told_in_the_loop(self):
        context = GLib.MainContext.default()
        reports = []

        def submit():
            followed = self.executor.options(on_progress=lambda *report: reports.append(report))
            followed.submit(work.report_and_count, self.N_ITEMS)

        GLib.idle_add(submit)
        while not reports or reports[-1][0] < 1:
            context.iteration(True)
        self.check_goes_on()

    def test_what_it_needs_is_kept(self):
        self.executor.submit(work.wait_for_file, str(self.gate))
        self.executor.submit(work.count_under_lock, multiprocessing.Lock(), str(self.left))
        gc.collect()
        self.gate.touch()
        self.check_goes_on()
        self.assertTrue(self.left.exists())

    def test_crash(self):
        self.executor.submit(work.count_and_die, self.N_ITEMS)
        self.check_goes_on()
        self.assertFalse(self.executor._broken)

    def test_crash_that_breaks_the_pool(self):
        executor = dray.ProcessPoolExecutor(1, on_crash='break')
        self.addCleanup(executor.shutdown)
        executor.submit(work.count_and_die, self.N_ITEMS)
        call = executor.submit(work.square, 3)
        self.assertIsInstance(call.exception(WATCHDOG), dray.BrokenProcessPool)

    def test_initializer_that_fails(self):
        executor = dray.ProcessPoolExecutor(1, initializer=work.fail, initargs=('not today',))
        self.addCleanup(executor.shutdown)
        executor.submit(work.count, self.N_ITEMS)
        while not executor._broken:
            threading.Event().wait(0.001)
        self.assertRaises(dray.BrokenProcessPool, executor.submit, work.square, 3)

    def test_shutdown_waits_for_it(self):
        with dray.ProcessPoolExecutor(1) as self.executor:
            self.submit()
        self.assertTrue(self.left.exists())

    def test_shutdown_cancels_it(self):
        self.executor.submit(work.wait_for_file, str(self.gate))
        self.submit()
        self.executor.shutdown(wait=False, cancel_futures=True)
        while self.counters().cancelled < 1:
            threading.Event().wait(0.001)
        self.gate.touch()
        self.executor.shutdown()
        self.assertFalse(self.left.exists())

    def test_shared_run(self):
        """The other has its items."""
        shared = self.executor.options(key='shared')
        self.executor.submit(work.wait_for_file, str(self.gate))
        stream = shared.submit(work.count, self.N_ITEMS)
        shared.submit(work.count, self.N_ITEMS)
        self.gate.touch()
        self.assertEqual(list(stream), list(range(self.N_ITEMS)))

    def test_interrupted_anywhere(self):
        """At the beginning of each function of Python's that it takes to submit one and to drop it:
        the worker is free for others, and no interrupt is lost."""
        def trace(frame, event, argument):
            nonlocal step
            if 'lib/python/dray' in frame.f_code.co_filename:
                step += 1
                if step == last:
                    raise KeyboardInterrupt

        last, step, n_caught, lost = 0, 0, 0, []
        hook, sys.unraisablehook = sys.unraisablehook, lost.append
        self.addCleanup(setattr, sys, 'unraisablehook', hook)
        self.addCleanup(sys.settrace, None)
        while step >= last:
            last, step = last + 1, 0
            try:
                sys.settrace(trace)
                self.submit()
                sys.settrace(None)
            except KeyboardInterrupt:
                sys.settrace(None)
                n_caught += 1
            self.check_goes_on()
        self.assertGreater(n_caught, 10)
        self.assertEqual(lost, [])
