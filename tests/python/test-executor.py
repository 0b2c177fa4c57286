# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that dray.ProcessPoolExecutor does what that of concurrent.futures does, and what it does
better."""

import asyncio
import concurrent.futures
import contextlib
import functools
import gc
import itertools
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import pickle
import queue
import signal
import sys
import tempfile
import threading
import time
import unittest
import weakref
from fractions import Fraction
from unittest import mock

import dray
import work
from cases import WATCHDOG, Case, ExecutorCase, WaitingCase, be_patient
from dray import _future, _inherit, _library, _message, _outcome, _processes, _repository
from gi.repository import Gio, GLib

LARGE = 4 * _message.OUT_OF_BAND


class TestCalls(ExecutorCase):

    def test_is_an_executor(self):
        self.assertIsInstance(self.executor, concurrent.futures.Executor)
        self.assertIsInstance(self.executor.submit(work.square, 2), concurrent.futures.Future)

    def test_result(self):
        self.assertEqual(self.executor.submit(work.square, 7).result(WATCHDOG), 49)

    def test_runs_elsewhere(self):
        self.assertNotEqual(self.executor.submit(work.pid).result(), os.getpid())

    def test_exception_as_itself_with_remote_traceback(self):
        error = self.executor.submit(work.fail, 'reason').exception(WATCHDOG)
        self.assertIsInstance(error, ValueError)
        self.assertEqual(error.args, ('reason',))
        self.assertIn('raise ValueError(text)', str(error.__cause__))

    def test_glib_error_keeps_domain_and_code(self):
        error = self.executor.submit(work.find_nothing).exception(WATCHDOG)
        self.assertIsInstance(error, GLib.Error)
        self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND))

    def test_wait_and_as_completed(self):
        calls = [self.executor.submit(work.square, i) for i in range(20)]
        done, pending = dray.wait(calls, timeout=WATCHDOG)
        self.assertEqual((len(done), len(pending)), (20, 0))
        results = sorted(future.result() for future in dray.as_completed(calls))
        self.assertEqual(results, [i * i for i in range(20)])

    def test_last_submitted_is_noticed_by_whoever_waits(self):
        future = self.executor.submit(work.square, 3)
        concurrent.futures.wait([future], WATCHDOG)
        self.assertTrue(future.done())

    def test_map(self):
        expected = [i * i for i in range(100)]
        for chunksize in 1, 7, 1000:
            with self.subTest(chunksize=chunksize):
                results = self.executor.map(work.square, range(100), chunksize=chunksize)
                self.assertEqual(list(results), expected)

    def test_map_of_a_generator_function(self):
        """What it yields would be lost, so it is refused at once, with what to do instead."""
        for function in work.count, functools.partial(work.count, last=1):
            for chunksize in 1, 2:
                for executor in self.executor, self.executor.options(priority=1):
                    with self.assertRaisesRegex(TypeError, 'generator function.*submit()'):
                        executor.map(function, [3, 4], chunksize=chunksize)

    def test_map_of_a_decorated_generator_function(self):
        """It may return anything. If that is a generator, the same is said."""
        for chunksize in 1, 2:
            for executor in self.executor, self.executor.options(priority=1):
                self.assertEqual(list(executor.map(work.listed, [2, 3], chunksize=chunksize)),
                                 [[0, 1], [0, 1, 2]])
        with self.assertRaisesRegex(TypeError, 'generator.*submit'):
            list(self.executor.map(work.wrapped, [3, 4]))

    def test_map_takes_no_more_than_its_buffer(self):
        taken = []

        def numbers():
            for i in range(1000):
                taken.append(i)
                yield i

        results = self.executor.map(work.square, numbers(), buffersize=5)
        self.assertEqual(len(taken), 5)
        for i in range(10):
            self.assertEqual(next(results), i * i)
            self.assertLessEqual(len(taken), i + 6)
        results.close()

    def test_map_of_endless_arguments(self):
        def numbers():
            i = 0
            while True:
                yield i
                i += 1

        results = self.executor.map(work.square, numbers(), buffersize=4, chunksize=3)
        self.assertEqual([next(results) for _ in range(20)], [i * i for i in range(20)])
        results.close()

    def test_map_that_nobody_wants_lets_what_runs_go_on(self):
        """As in concurrent.futures. What has not begun is cancelled."""
        def raise_error(folder):
            try:
                list(self.executor.map(work.go_on_or_fail, range(100), [folder] * 100))
            except ValueError as error:
                return str(error)

        def give_up_waiting(folder):
            calls = range(1, 100), [folder] * 100
            results = self.executor.map(work.go_on_or_fail, *calls, timeout=0)
            begun = work.first_begun(folder)
            self.assertRaises(TimeoutError, next, results)
            return begun

        def leave_loop(folder):
            calls = [-1, *range(1, 100)], [folder] * 100
            results = self.executor.map(work.go_on_or_fail, *calls)
            next(results)  # of those that have begun, all are known to run
            begun = work.first_begun(folder)
            results.close()
            return begun

        for leave in raise_error, give_up_waiting, leave_loop:
            with self.subTest(leave.__name__):
                folder = pathlib.Path(self.path(leave.__name__))
                folder.mkdir()
                ended = folder / leave(folder).replace('begun', 'ended')
                folder.joinpath('gate').touch()
                self.wait_for(ended.exists)
                self.assertEqual(ended.read_text(), 'to its end')
                self.assertLess(len(list(folder.glob('begun-*'))), 50)

    def test_bad_arguments_are_refused(self):
        with self.assertRaises(ValueError):
            dray.ProcessPoolExecutor(0)
        with self.assertRaises(TypeError):
            dray.ProcessPoolExecutor(initializer=5)
        with self.assertRaisesRegex(TypeError, 'mp_context'):
            dray.ProcessPoolExecutor(mp_context='spawn')
        with self.assertRaises(ValueError):
            dray.ProcessPoolExecutor(on_crash='panic')
        with self.assertRaises(ValueError):
            self.executor.map(work.square, [1], chunksize=0)
        with self.assertRaises(ValueError):
            self.executor.map(work.square, [1], buffersize=0)

    def test_bad_options_are_refused(self):
        """As soon as they are given, and not when something is submitted."""
        for error, options in [
            (ValueError, {'timeout': 0}), (ValueError, {'timeout': -1}),
            (ValueError, {'timeout': float('nan')}), (TypeError, {'timeout': 'soon'}),
            (ValueError, {'priority': 2 ** 31}), (TypeError, {'priority': 0.5}),
            (TypeError, {'priority': 'high'}), (ValueError, {'retries': -1}),
            (TypeError, {'retries': 1.5}), (TypeError, {'retries': None}), (TypeError, {'key': 7}),
            (ValueError, {'key': 'a\0'}), (ValueError, {'key': '\ud800'}),
            (TypeError, {'on_progress': 5}), (TypeError, {'hurry': True}),
        ]:
            for executor in self.executor, self.executor.options(timeout=1):
                with self.subTest(options=options), self.assertRaises(error) as caught:
                    executor.options(**options)
                self.assertIn(*options, str(caught.exception))

    def test_name_of_no_option(self):
        """What is said names what the program calls."""
        for executor in self.executor, self.executor.options(timeout=1):
            with self.assertRaisesRegex(TypeError, r"Executor\.options\(\) .* 'time'"):
                executor.options(time=1)

    def test_options_of_a_view(self):
        """Those that are not given stay as they are."""
        view = self.executor.options(timeout=50, key='a')
        self.assertEqual(view.options(timeout=None, priority=3)._options,
                         self.executor.options(priority=3, key='a')._options)
        self.assertEqual(view.options()._options, view._options)

    def test_any_good_option(self):
        for options in [{'timeout': float('inf')}, {'timeout': 1e9}, {'timeout': Fraction(50)},
                        {'priority': -2 ** 31}, {'priority': 2 ** 31 - 1}, {'priority': True},
                        {'retries': 10 ** 12}, {'key': ''}, {'key': 'ключ'}]:
            with self.subTest(options=options):
                call = self.executor.options(**options).submit(work.square, 3)
                self.assertEqual(call.result(WATCHDOG), 9)

    def test_submit_after_shutdown(self):
        self.executor.shutdown()
        with self.assertRaises(RuntimeError):
            self.executor.submit(work.square, 1)

    def test_shut_down_while_being_submitted(self):
        """Nobody would be there to see to the future, and whoever waits for it wait for ever."""
        executor = self.executor

        class Late:
            def __reduce__(self):
                executor.shutdown()
                return int, ()

        with self.assertRaises(RuntimeError):
            executor.submit(work.echo, Late())

    def test_shut_down_by_another_thread_while_being_submitted(self):
        """It is said so as if that had come before."""
        executor, pool = self.executor, self.executor._pool
        errors = queue.SimpleQueue()

        def submit():
            try:
                errors.put(executor.submit(work.square, 1).exception(WATCHDOG))
            except BaseException as error:
                errors.put(error)

        goes_on = threading.Event()
        enter = pool.enter
        pool.enter = lambda future: (enter(future), goes_on.wait())
        thread = threading.Thread(target=submit)
        thread.start()
        self.wait_for(lambda: pool.futures)
        executor.shutdown(wait=False)
        goes_on.set()  # and it is submitted to the library
        thread.join()
        self.assertIs(type(errors.get()), RuntimeError)

    def test_job_of_the_library(self):
        self.assertIsNone(dray.current_job())
        self.assertEqual(self.executor.submit(work.job_id_and_progress).result(WATCHDOG),
                         (True, True, False))

    def test_same_key_same_run(self):
        gate = self.path('gate')
        keyed = self.executor.options(key='same')
        calls = [keyed.submit(work.wait_for_file, gate) for _ in range(5)]
        open(gate, 'w').close()
        self.assertEqual(len({call.result(WATCHDOG) for call in calls}), 1)


class TestProgress(ExecutorCase):

    def test_thread_that_outlives_its_call(self):
        """The job may be over while it is told of progress. It is there until that is done."""
        with dray.ProcessPoolExecutor(1) as executor:
            executor.submit(work.leave_reporter).result(WATCHDOG)
            for _ in range(25):  # a sleep lets the thread go on, just before the end
                self.assertEqual(list(executor.map(time.sleep, [0] * 200)), [None] * 200)

    def test_what_makes_no_sense_is_refused(self):
        """In a worker, and in the application, where it does nothing."""
        for report, names in [(('half',), 'fraction'), ((1j,), 'fraction'), ((0.5, 7), 'text'),
                              ((None, b'half'), 'text')]:
            call = self.executor.submit(work.report_anything, *report)
            with self.subTest(report=report):
                self.assertRaisesRegex(TypeError, names, call.result, WATCHDOG)
                self.assertRaisesRegex(TypeError, names, work.report_anything, *report)

    def test_any_number(self):
        for fraction in Fraction(1, 2), True, 2, -1, float('nan'):
            with self.subTest(fraction=fraction):
                self.executor.submit(work.report_anything, fraction).result(WATCHDOG)


class TestTooLarge(WaitingCase):
    """What is larger than a message may be. That is nearly 4 GiB, and less here."""

    LIMIT = 1 << 17  # bytes; a list of so many numbers has more

    def setUp(self):
        super().setUp()
        self.executor._pool.dray.props.max_message_size = self.LIMIT  # workers are told at start
        self.pid = self.executor.submit(work.pid).result(WATCHDOG)

    def tearDown(self):
        # It has cost its call, and nothing else.
        self.assertEqual(self.executor.submit(work.pid).result(WATCHDOG), self.pid)

    def expect_too_large(self, future):
        error = future.exception(WATCHDOG)
        self.assertIs(type(error), OverflowError)
        self.assertIn('more than the limit', str(error))

    def test_arguments(self):
        self.expect_too_large(self.executor.submit(len, list(range(self.LIMIT))))
        with self.assertRaises(OverflowError):
            list(self.executor.map(abs, range(self.LIMIT), chunksize=self.LIMIT))

    def test_arguments_of_a_stream(self):
        stream = self.executor.submit(work.yield_boxes, list(range(self.LIMIT)))
        self.expect_too_large(stream)
        with self.assertRaises(OverflowError):
            next(stream)

    def test_result(self):
        for function, argument in (list, range(self.LIMIT)), (bytes, 10 * self.LIMIT):
            self.expect_too_large(self.executor.submit(function, argument))

    def test_item(self):
        stream = self.executor.submit(work.yield_lists, 2, self.LIMIT, 3)
        self.assertEqual(next(stream), [0, 1])
        with self.assertRaises(OverflowError):
            next(stream)
        self.expect_too_large(stream)

    def test_what_lies_beside_the_arguments(self):
        """That does not count."""
        for size in self.LIMIT, 10 * self.LIMIT:
            self.assertEqual(self.executor.submit(len, bytes(size)).result(WATCHDOG), size)


class TestPriorities(WaitingCase):

    def test_order(self):
        """Lower ones go first, and of the same those that came first."""
        notes = self.gate.with_name('notes')
        self.executor._pool.dray.set_paused(True)  # or one may be on its way already
        calls = [self.executor.options(priority=priority).submit(work.note, notes, number)
                 for number, priority in enumerate([10, 0, -10, 0, 10, -20])]
        self.executor._pool.dray.set_paused(False)
        for call in calls:
            call.result(WATCHDOG)
        self.assertEqual(notes.read_text().split(), ['5', '2', '1', '3', '0', '4'])


class TestCrashes(ExecutorCase):

    def test_costs_one_call(self):
        before = [self.executor.submit(work.square, i) for i in range(50)]
        crash = self.executor.submit(work.die)
        after = [self.executor.submit(work.square, i) for i in range(50)]
        self.assertIsInstance(crash.exception(WATCHDOG), dray.BrokenProcessPool)
        for calls in before, after:
            self.assertEqual([call.result(WATCHDOG) for call in calls],
                             [i * i for i in range(50)])

    def test_reason_is_readable(self):
        error = self.executor.submit(work.die).exception(WATCHDOG)
        self.assertIn('die', str(error))
        self.assertIn('signal 9', str(error))

    def test_what_cannot_be_read(self):
        """On either side, it is as in concurrent.futures, and the reason is told."""
        for calls in [work.echo, work.Unreadable()], [work.make_unreadable]:
            error = self.executor.submit(*calls).exception(WATCHDOG)
            self.assertIsInstance(error, dray.BrokenProcessPool)
            self.assertIn('ValueError: unreadable', str(error))
            self.assertIn('in fail', str(error.__cause__.__cause__))
            self.assertIsNone(error.__cause__.__traceback__)  # which leads to our thread
            self.assertIsInstance(error.__cause__, ValueError)
        self.assertEqual(self.executor.submit(work.square, 2).result(WATCHDOG), 4)

    def test_retries(self):
        error = self.executor.options(retries=2).submit(work.die).exception(WATCHDOG)
        self.assertIsInstance(error, dray.BrokenProcessPool)
        self.assertEqual(self.executor.submit(work.square, 2).result(WATCHDOG), 4)


class TestBreaking(ExecutorCase):

    options = {'on_crash': 'break'}

    def test_costs_the_pool(self):
        blocked = self.executor.submit(time.sleep, 3600)
        self.executor.submit(work.die)
        self.assertIsInstance(blocked.exception(WATCHDOG), dray.BrokenProcessPool)
        with self.assertRaises(dray.BrokenProcessPool):
            self.executor.submit(work.square, 1)

    def break_in_the_midst_of_submitting(self):
        """Of what is submitted next, on another thread, as it is when a worker dies."""
        def enter(future):
            enter_truly(future)
            pool.break_down('It is broken')
            self.wait_for(lambda: future not in pool.futures)

        pool = self.executor._pool
        enter_truly, pool.enter = pool.enter, enter

    def test_stream_that_was_being_submitted(self):
        """Whoever iterates it hears of that."""
        self.break_in_the_midst_of_submitting()
        stream = self.executor.submit(work.count, 3)
        with self.assertRaisesRegex(dray.BrokenProcessPool, 'It is broken'):
            next(stream)
        with self.assertRaisesRegex(dray.BrokenProcessPool, 'It is broken'):
            asyncio.run(self.take_one(stream))
        self.assertIsInstance(stream.exception(WATCHDOG), dray.BrokenProcessPool)

    @staticmethod
    async def take_one(stream):
        return await anext(aiter(stream))

    def test_call_that_was_being_submitted(self):
        self.break_in_the_midst_of_submitting()
        call = self.executor.submit(work.square, 3)
        self.assertIsInstance(call.exception(WATCHDOG), dray.BrokenProcessPool)

    def wait_for_death(self, n_deaths=1, executor=None):
        counters = (executor or self.executor)._pool.dray.dup_counters
        self.wait_for(lambda: counters().workers_died >= n_deaths)

    def test_worker_that_does_nothing(self):
        """It costs the pool as well, as in concurrent.futures, with all that others do."""
        blocked = self.executor.submit(work.wait_for_file, self.path('never'))
        self.wait_for(blocked.running)
        os.kill(self.executor.submit(work.pid).result(WATCHDOG), signal.SIGKILL)
        self.wait_for_death()
        with self.assertRaisesRegex(dray.BrokenProcessPool, 'died'):
            self.executor.submit(work.square, 1)
        self.assertIsInstance(blocked.exception(WATCHDOG), dray.BrokenProcessPool)

    def test_workers_that_were_killed_for_a_call(self):
        """It was the call that was to end."""
        started = self.path('started')
        calls = [self.executor.submit(work.refuse_to_end, started),
                 self.executor.options(timeout=0.1).submit(work.refuse_to_end, self.path('other'))]
        self.wait_for(lambda: os.path.exists(started))
        calls[0].cancel()
        self.assertIsInstance(calls[1].exception(WATCHDOG), TimeoutError)
        self.wait_for_death()
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_call_that_begins_while_it_is_cancelled(self):
        """Its worker is killed for it, though the call seemed to be pending."""
        started = self.path('started')
        call = self.executor.submit(work.refuse_to_end, started)
        self.wait_for(lambda: os.path.exists(started))
        with mock.patch.object(_library.Handle, 'is_running', lambda handle: False):
            call.cancel()
        self.wait_for_death()
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_worker_that_does_nothing_after_a_call_was_cancelled(self):
        """That has ended, and is no excuse."""
        with dray.ProcessPoolExecutor(1, on_crash='break') as executor:
            be_patient(executor)
            started, ended = self.path('started'), self.path('ended')
            call = executor.submit(work.sleep_until_cancelled, started, ended)
            self.wait_for(lambda: os.path.exists(started))
            call.cancel()
            self.wait_for(lambda: os.path.exists(ended))
            os.kill(executor.submit(work.pid).result(WATCHDOG), signal.SIGKILL)
            self.wait_for_death(executor=executor)
            with self.assertRaisesRegex(dray.BrokenProcessPool, 'died'):
                executor.submit(work.square, 1)

    def test_call_that_ends_its_worker_when_it_is_cancelled(self):
        """As if it had been killed."""
        started = self.path('started')
        call = self.executor.submit(work.exit_when_cancelled, started)
        self.wait_for(lambda: os.path.exists(started))
        call.cancel()
        self.wait_for_death()
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_worker_that_is_slow_to_leave(self):
        """It has done what it was to do."""
        with dray.ProcessPoolExecutor(1, max_tasks_per_child=1, on_crash='break') as executor:
            executor._pool.dray.props.grace_period = 100
            executor.submit(work.leave_thread).result(WATCHDOG)
            self.wait_for_death(executor=executor)
            self.assertEqual(executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_call_that_was_cancelled_before_it_ran(self):
        """It had no worker, and is no excuse for the death of any; nor is what was cancelled twice.
        """
        self.executor._pool.dray.set_paused(True)
        pending = self.executor.submit(work.square, 1)
        self.assertEqual([pending.cancel() for _ in range(3)], [True] * 3)
        self.executor._pool.dray.set_paused(False)
        os.kill(self.executor.submit(work.pid).result(WATCHDOG), signal.SIGKILL)
        self.wait_for_death()
        with self.assertRaisesRegex(dray.BrokenProcessPool, 'died'):
            self.executor.submit(work.square, 1)

    def test_calls_that_cost_nothing_in_the_end(self):
        """What they might have cost excuses no death after that."""
        path = self.path('once')
        optioned = self.executor.options(retries=5, timeout=3600)
        self.assertEqual([*optioned.map(work.square, [1, 2])], [1, 4])
        self.assertEqual([*optioned.submit(work.count, 3)], [0, 1, 2])
        self.assertIsInstance(optioned.submit(work.fail, 'text').exception(WATCHDOG), ValueError)
        optioned.submit(work.die_at_first, path).result(WATCHDOG)
        self.wait_for_death()
        os.kill(self.executor.submit(work.pid).result(WATCHDOG), signal.SIGKILL)
        self.wait_for_death(2)
        with self.assertRaisesRegex(dray.BrokenProcessPool, 'died'):
            self.executor.submit(work.square, 1)

    def test_stream_that_was_dropped(self):
        stream = self.executor.submit(work.yield_and_refuse_to_end)
        next(stream)
        del stream
        self.wait_for_death()
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_stream_that_was_dropped_when_its_worker_had_died(self):
        stream = self.executor.submit(work.count_and_die, 1)
        has_ended = stream._dray.is_done
        next(stream)
        self.wait_for(has_ended)  # or it would be cancelled, as one that runs
        del stream
        self.wait_for(lambda: self.executor._broken)
        with self.assertRaisesRegex(dray.BrokenProcessPool, 'signal 9'):
            self.executor.submit(work.square, 3)

    def test_stream_that_ran_out_of_time(self):
        """Also if nobody asks what has become of it."""
        begun = None
        while begun is None:  # there may be no time for that
            stream = self.executor.options(timeout=0.1).submit(work.yield_and_refuse_to_end)
            with contextlib.suppress(TimeoutError):
                begun = next(stream)
        self.wait_for_death()
        del stream
        self.wait_for(lambda: not self.executor._pool.futures)
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_time_limit_of_another_call(self):
        """It made the run that is shared, and was cancelled before that began."""
        shared, begun = self.executor.options(key='shared'), self.path('begun')
        while not os.path.exists(begun):  # there may be no time for that
            self.executor._pool.dray.set_paused(True)
            first = shared.options(timeout=0.1).submit(work.refuse_to_end, begun)
            second = shared.submit(work.refuse_to_end, begun)
            first.cancel()
            self.executor._pool.dray.set_paused(False)
            self.assertIsInstance(second.exception(WATCHDOG), TimeoutError)
        self.wait_for_death()
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_workers_that_were_killed_for_the_end(self):
        call = self.executor.submit(work.wait_for_file, self.path('never'))
        self.wait_for(call.running)
        self.executor.kill_workers()
        self.wait_for_death()
        with self.assertRaisesRegex(RuntimeError, 'after shutdown'):
            self.executor.submit(work.square, 1)

    def test_call_that_is_run_again(self):
        path = self.path('once')
        call = self.executor.options(retries=1).submit(work.die_at_first, path)
        self.assertEqual(call.result(WATCHDOG), path)
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)


class TestCancelling(ExecutorCase):

    def test_running_call(self):
        be_patient(self.executor)
        started, ended = self.path('started'), self.path('ended')
        future = self.executor.submit(work.sleep_until_cancelled, started, ended)
        self.wait_for(lambda: os.path.exists(started))
        self.assertTrue(future.cancel())
        self.assertTrue(future.cancelled())
        with self.assertRaises(dray.CancelledError):
            future.result()
        self.wait_for(lambda: os.path.exists(ended) and os.path.getsize(ended) > 0)
        self.assertEqual(pathlib.Path(ended).read_text(), 'JobCancelled')

    def test_worker_lives_on(self):
        with dray.ProcessPoolExecutor(1) as executor:
            be_patient(executor)
            worker = executor.options(key=None).submit(work.pid).result(WATCHDOG)
            started, ended = self.path('started'), self.path('ended')
            future = executor.submit(work.sleep_until_cancelled, started, ended)
            self.wait_for(lambda: os.path.exists(started))
            future.cancel()
            self.wait_for(lambda: os.path.exists(ended))
            self.assertEqual(executor.submit(work.pid).result(WATCHDOG), worker)

    def test_while_it_is_being_read(self):
        """It is not begun, and so there is no function that would have to be killed."""
        with dray.ProcessPoolExecutor(1) as executor:
            be_patient(executor)
            worker = executor.submit(work.pid).result(WATCHDOG)
            arrives, started, ended = map(self.path, ('arrives', 'started', 'ended'))
            argument = work.ReadUntilCancelled(arrives, started)
            future = executor.submit(work.sleep_until_cancelled, argument, ended)
            self.wait_for(lambda: os.path.exists(arrives))
            self.assertTrue(future.cancel())
            self.assertEqual(executor.submit(work.pid).result(WATCHDOG), worker)
            self.assertEqual(os.path.exists(started), os.path.exists(ended))

    def test_hundreds(self):
        calls = [self.executor.submit(time.sleep, 3600) for _ in range(200)]
        for call in calls:
            self.assertTrue(call.cancel())
        self.assertEqual(self.executor.submit(work.square, 5).result(WATCHDOG), 25)

    def test_done_is_not_cancelled(self):
        future = self.executor.submit(work.square, 5)
        future.result(WATCHDOG)
        self.assertFalse(future.cancel())

    def test_waiters_are_told(self):
        future = self.executor.submit(time.sleep, 3600)
        waiting = threading.Thread(target=concurrent.futures.wait, args=([future],))
        waiting.start()
        future.cancel()
        waiting.join(WATCHDOG)
        self.assertFalse(waiting.is_alive())

    def test_timeout_of_a_call(self):
        call = self.executor.options(timeout=0.05).submit(work.wait_for_file, self.path('never'))
        with self.assertRaises(TimeoutError):
            call.result(WATCHDOG)
        self.assertEqual(self.executor.submit(work.square, 5).result(WATCHDOG), 25)

    def test_out_of_time_it_cleans_up(self):
        be_patient(self.executor)
        started, ended = self.path('started'), self.path('ended')
        call = self.executor.options(timeout=0.5).submit(work.sleep_until_cancelled, started, ended)
        with self.assertRaises(TimeoutError):
            call.result(WATCHDOG)
        if os.path.exists(started):  # or a busy machine has taken as long to begin
            self.wait_for(lambda: os.path.exists(ended) and os.path.getsize(ended) > 0)
            self.assertEqual(pathlib.Path(ended).read_text(), 'JobCancelled')

    def test_timeout_of_a_wait_is_not_the_calls(self):
        gate = self.path('gate')
        call = self.executor.submit(work.wait_for_file, gate)
        with self.assertRaises(TimeoutError):
            call.result(0.01)
        open(gate, 'w').close()
        self.assertIsInstance(call.result(WATCHDOG), int)


class TestDroppedFutures(unittest.TestCase):

    def test_threads_let_go_of_them_at_the_same_time(self):
        """Each sees that there are some, and another one has taken the last."""
        errors = []

        def let_go():
            try:
                for _ in range(2000):
                    _library._left.extend([object(), object()])
                    _library.release_dropped()
            except Exception as error:
                errors.append(error)

        interval = sys.getswitchinterval()
        self.addCleanup(sys.setswitchinterval, interval)
        sys.setswitchinterval(1e-6)
        threads = [threading.Thread(target=let_go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])


class TestStreams(ExecutorCase):

    def test_items_and_result(self):
        stream = self.executor.submit(work.count, 10, 'last')
        self.assertEqual(list(stream), list(range(10)))
        self.assertEqual(stream.result(WATCHDOG), 'last')

    def test_many(self):
        self.assertEqual(sum(self.executor.submit(work.count, 50_000)), sum(range(50_000)))

    def test_error_after_items(self):
        stream = self.executor.submit(work.count_and_fail, 3)
        items = []
        with self.assertRaises(ValueError):
            for item in stream:
                items.append(item)
        self.assertEqual(items, [0, 1, 2])

    def test_arguments_that_cannot_be_sent(self):
        """It was never submitted, and says why to whoever iterates it."""
        async def collect():
            return [item async for item in self.executor.submit(work.count, threading.Lock())]

        stream = self.executor.submit(work.count, threading.Lock())
        self.assertRaises(TypeError, next, stream)
        self.assertRaises(TypeError, stream.result, WATCHDOG)
        self.assertRaises(TypeError, asyncio.run, collect())

    def test_result_before_items(self):
        stream = self.executor.submit(work.count, 3000, 'last')
        self.assertEqual(stream.result(WATCHDOG), 'last')
        self.assertEqual(list(stream), list(range(3000)))

    def test_unread_stream_does_not_hold_up_others(self):
        streams = [self.executor.submit(work.count, 20_000) for _ in range(2)]
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)
        for stream in streams:
            self.assertEqual(sum(1 for _ in stream), 20_000)

    def test_endless_one_is_closed(self):
        stream = self.executor.submit(work.endless)
        self.assertEqual(next(stream), b'x')
        stream.close()
        self.assertTrue(stream.cancelled())
        self.assertEqual(self.executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_items_that_come_after_it_was_closed(self):
        """Those before them were dropped: there is no gap."""
        stream = self.executor.submit(work.endless)
        self.assertEqual(next(stream), b'x')
        stream.close()
        stream._take_in([GLib.Variant.new_from_bytes(
            GLib.VariantType('ay'), GLib.Bytes.new(pickle.dumps('late')), True)])
        with self.assertRaises(dray.CancelledError):
            next(stream)

    def test_large_items(self):
        stream = self.executor.submit(work.endless, LARGE)
        for _ in range(100):
            self.assertEqual(len(next(stream)), LARGE)
        stream.close()

    def test_async_for(self):
        async def collect():
            stream = self.executor.submit(work.count, 1000, 'last')
            items = [item async for item in stream]
            return items, await stream

        items, last = asyncio.run(collect())
        self.assertEqual((items, last), (list(range(1000)), 'last'))

    def test_async_for_while_the_end_comes(self):
        """The last items, and then the end, come between two steps of who iterates it."""
        class Condition(_future._Condition):
            has_come = False

            def __enter__(self):
                return self._lock.__enter__()

            def __exit__(self, *error):
                self._lock.__exit__(*error)
                if not self.has_come and threading.current_thread() is threading.main_thread():
                    self.has_come = True
                    arrival = threading.Thread(target=arrive)
                    arrival.start()
                    arrival.join(WATCHDOG)

        def arrive():
            data = _outcome.pack('last', False).in_one_piece()
            stream._take_in([_repository.new_value(data)])
            stream._take_in(None)
            stream.set_result(None)

        async def collect():
            return [item async for item in stream]

        stream = dray.Stream()
        stream._news = Condition()
        self.assertEqual(asyncio.run(collect()), ['last'])


class TestLife(Case):

    def threads(self):
        return {thread.name for thread in threading.enumerate()}

    def test_initializer(self):
        with dray.ProcessPoolExecutor(1, initializer=work.remember, initargs=('set',)) as executor:
            self.assertEqual(executor.submit(work.recall).result(WATCHDOG), 'set')

    def test_failing_initializer(self):
        """It breaks the executor, of whatever kind: no other worker would fare better."""
        with dray.ProcessPoolExecutor(1, initializer=work.fail, initargs=('no',)) as executor:
            calls = [executor.submit(work.recall) for _ in range(3)]
            for call in calls:
                error = call.exception(WATCHDOG)
                self.assertIsInstance(error, dray.BrokenProcessPool)
                self.assertIn('ValueError: no', str(error))
            with self.assertRaisesRegex(dray.BrokenProcessPool, 'ValueError: no'):
                executor.submit(work.recall)

    def test_initializer_that_does_not_say_why_it_fails(self):
        with dray.ProcessPoolExecutor(1, initializer=work.raise_it,
                                      initargs=(work.Mute,)) as executor:
            for call in [executor.submit(work.recall) for _ in range(3)]:
                error = call.exception(WATCHDOG)
                self.assertIsInstance(error, dray.BrokenProcessPool)
                self.assertIn('Mute', str(error))

    def test_max_tasks_per_child(self):
        with dray.ProcessPoolExecutor(1, max_tasks_per_child=2) as executor:
            pids = [executor.submit(work.pid).result(WATCHDOG) for _ in range(6)]
        self.assertEqual(len(set(pids)), 3)

    def test_drain_at_the_end(self):
        with dray.ProcessPoolExecutor(2) as executor:
            calls = [executor.submit(work.square, i) for i in range(100)]
        self.assertTrue(all(call.done() for call in calls))

    def test_cancel_pending_at_the_end(self):
        folder = tempfile.TemporaryDirectory()
        gate = str(pathlib.Path(folder.name, 'gate'))
        executor = dray.ProcessPoolExecutor(1)
        calls = [executor.submit(work.wait_for_file, gate) for _ in range(50)]
        while not any(call.running() for call in calls):
            pass
        executor.shutdown(wait=False, cancel_futures=True)
        while sum(call.done() for call in calls) < 48:  # or more of them would begin
            pass
        open(gate, 'w').close()
        executor.shutdown()
        self.assertTrue(all(call.done() for call in calls))
        self.assertGreaterEqual(sum(call.cancelled() for call in calls), 48)
        folder.cleanup()

    def test_processes(self):
        """What programs look at that do what is private to the standard library's executor."""
        executor = dray.ProcessPoolExecutor(1)
        self.addCleanup(executor.shutdown)
        future = executor.submit(time.sleep, 3600)
        (pid, process), = executor._processes.items()
        self.assertEqual((process.pid, process.ident), (pid, pid))
        self.assertTrue(process.is_alive())
        self.assertIsNone(process.exitcode)
        self.assertIn(f'pid={pid} started', repr(process))
        self.assertEqual(multiprocessing.connection.wait([process.sentinel], 0), [])
        process.kill()
        self.assertEqual(multiprocessing.connection.wait([process.sentinel]), [process.sentinel])
        process.join()
        self.assertFalse(process.is_alive())
        self.assertEqual(process.exitcode, -signal.SIGKILL)
        self.assertIn(f'pid={pid} stopped exitcode=-9', repr(process))
        self.assertIsInstance(future.exception(WATCHDOG), dray.BrokenProcessPool)

    def test_processes_of_forks(self):
        """Programs that ask for them look for all of them as soon as there is any."""
        executor = dray.ProcessPoolExecutor(3, multiprocessing.get_context('fork'))
        self.assertEqual(len(executor._processes), 0)
        executor.submit(work.pid).result(WATCHDOG)
        self.assertEqual((len(executor._processes), len(executor._processes.values())), (3, 1))
        executor.shutdown()

    def test_processes_are_listened_to_once(self):
        """Not once for each time that they are looked at, which would be each time that there is
        news."""
        update, news = _processes.Processes._update, []

        def count_and_update(workers):
            news.append(workers)
            update(workers)

        with mock.patch.object(_processes.Processes, '_update', count_and_update):
            executor = dray.ProcessPoolExecutor(4, max_tasks_per_child=1)
            executor._processes.living()
            squares = list(executor.map(work.square, range(20)))
            executor.shutdown()
        self.assertEqual(squares, [i * i for i in range(20)])
        self.assertLess(len(news), 20 * 20)

    def test_what_is_submitted_first_has_begun(self):
        """As in concurrent.futures, though there is no worker yet when it is shut down."""
        for wait in False, True:
            executor = dray.ProcessPoolExecutor(1)
            calls = [executor.submit(time.sleep, 0.1) for _ in range(100)]
            executor.shutdown(wait=wait, cancel_futures=True)
            executor.shutdown()
            self.assertIsNone(calls[0].result(WATCHDOG))
            self.assertTrue(calls[-1].cancelled())

    def test_forced_ends(self):
        """By that signal, which the library would not send as soon."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, signum in [('terminate_workers', signal.SIGTERM),
                             ('kill_workers', signal.SIGKILL)]:
            executor = dray.ProcessPoolExecutor(1)
            executor._pool.dray.props.grace_period = 3 * WATCHDOG * 1000
            force = getattr(executor, name)
            started = str(pathlib.Path(folder.name, name))
            # It is cancelled first, and would else have ended by that if it is quick.
            running, waiting = [executor.submit(work.refuse_to_end, started) for _ in range(2)]
            self.wait_for(lambda: os.path.exists(started))
            (process,) = executor._processes.values()
            force()
            process.join(WATCHDOG)
            self.assertEqual(process.exitcode, -signum)
            for call in running, waiting:
                self.assertIsInstance(call.exception(WATCHDOG), dray.BrokenProcessPool)
            with self.assertRaises(RuntimeError):
                executor.submit(work.square, 1)
            force()
            executor.shutdown()
            force()

    def test_kill_by_the_library_that_nobody_tells_of(self):
        """It is over, and so is the thread that would have heard of it, when it is to be killed."""
        def kill_late(process):
            process.join(WATCHDOG)
            self.wait_for(lambda: not process._may_be_told())
            kill(process)

        kill = _processes.Process.kill
        executor = dray.ProcessPoolExecutor(1)
        call = executor.submit(time.sleep, 3600)
        (process,) = executor._processes.values()
        with mock.patch.object(_processes.Process, 'kill', kill_late):
            executor.kill_workers()
        self.assertEqual(process.exitcode, -signal.SIGKILL)
        self.assertIsInstance(call.exception(WATCHDOG), dray.BrokenProcessPool)

    def test_forced_ends_by_a_view(self):
        for name in 'terminate_workers', 'kill_workers':
            view = dray.ProcessPoolExecutor(1).options(priority=1)
            call = view.submit(time.sleep, 3600)
            getattr(view, name)()
            self.assertIsInstance(call.exception(WATCHDOG), dray.BrokenProcessPool)
            self.assertRaises(RuntimeError, view.submit, work.square, 1)

    def test_forced_end_of_what_has_not_started(self):
        for name in 'terminate_workers', 'kill_workers':
            for calls in range(2):
                executor = dray.ProcessPoolExecutor(1)
                calls = [executor.submit(time.sleep, 3600) for _ in range(calls)]
                getattr(executor, name)()
                executor.shutdown()
                for call in calls:
                    self.assertIsInstance(call.exception(WATCHDOG), dray.BrokenProcessPool)

    def test_forced_end_of_streams(self):
        executor = dray.ProcessPoolExecutor(1)
        call = executor.submit(work.endless)
        next(call)
        executor.kill_workers()
        self.assertIsInstance(call.exception(WATCHDOG), dray.BrokenProcessPool)
        executor.shutdown()

    def test_dropped_executor_finishes(self):
        executor = dray.ProcessPoolExecutor(1)
        calls = [executor.submit(work.square, i) for i in range(100)]
        del executor
        gc.collect()
        self.assertEqual([call.result(WATCHDOG) for call in calls], [i * i for i in range(100)])

    def test_dropped_executor_ends_without_anybody_asking(self):
        executor = dray.ProcessPoolExecutor(1)
        thread = executor._pool.reactor.thread
        executor.submit(work.square, 1)
        del executor
        gc.collect()
        thread.join(WATCHDOG)
        self.assertFalse(thread.is_alive())

    def test_shut_down_leaves_no_thread(self):
        gc.collect()
        for thread in threading.enumerate():  # of earlier tests
            if thread.name == 'dray':
                thread.join(WATCHDOG)
        executor = dray.ProcessPoolExecutor(1)
        executor.submit(work.square, 1)
        executor.shutdown()
        self.assertNotIn('dray', self.threads())
        self.assertFalse([thread for thread in threading._dangling if thread.name == 'dray'])

    def test_interrupted_anywhere(self):
        """KeyboardInterrupt comes at any moment of submitting and waiting: none is lost, and the
        executor is as good as before."""
        def interrupt(signum, frame):
            raise KeyboardInterrupt

        lost = []
        n_rounds, n_caught = 300, 0
        gc.collect()
        gc.disable()  # what finalizers of others do with it is none of ours
        hook, sys.unraisablehook = sys.unraisablehook, lost.append
        handler = signal.signal(signal.SIGALRM, interrupt)
        executor = dray.ProcessPoolExecutor(1)
        executor.submit(work.square, 1).result(WATCHDOG)
        try:
            for i in range(n_rounds):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0015 + i % 37 * 1e-4)
                    while not lost:
                        calls = [executor.submit(work.square, n) for n in range(20)]
                        self.assertEqual([call.result() for call in calls],
                                         [n * n for n in range(20)])
                except KeyboardInterrupt:
                    n_caught += 1
        finally:
            gc.enable()
            signal.signal(signal.SIGALRM, handler)
            sys.unraisablehook = hook
        self.assertEqual((n_caught, lost), (n_rounds, []))
        self.assertEqual(executor.submit(work.square, 5).result(WATCHDOG), 25)
        executor.shutdown()

    def test_interrupted_while_a_result_is_read(self):
        """It is no result. That is read once more."""
        # Who runs tests in the background has it ignored.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, handler)
        with dray.ProcessPoolExecutor(1) as executor:
            future = executor.submit(work.make_interrupting)
            future._dray.wait(-1)  # so that nobody else reads it
            with self.assertRaises(KeyboardInterrupt):
                future.exception()
            self.assertEqual(future.result(WATCHDOG), 'read')

    def test_shutdown_interrupted_anywhere(self):
        """At the beginning of each function of Python's that it needs, which is where signals are
        looked for. What comes out is KeyboardInterrupt, and all has ended."""
        def trace(frame, event, argument):
            nonlocal step
            if frame.f_code.co_filename.endswith(self.INTERRUPTED):
                step += 1
                if step == last:
                    raise KeyboardInterrupt

        last, step, n_caught = 0, 0, 0
        while step >= last:
            last, step = last + 1, 0
            executor = dray.ProcessPoolExecutor(1)
            sys.settrace(trace)
            try:
                executor.shutdown()
            except KeyboardInterrupt:
                n_caught += 1
            finally:
                sys.settrace(None)
            executor.shutdown()
        self.assertGreater(n_caught, 10)

    INTERRUPTED = '_executor.py', '_reactor.py', '_shutdown.py', 'threading.py'

    def test_errors_keep_nothing(self):
        """Neither futures nor executors wait for somebody to collect garbage."""
        def fail(executor, function):
            future = executor.submit(function)
            reference = weakref.ref(future)
            try:
                future.result(WATCHDOG)
            except Exception:
                pass
            finally:
                del future  # the traceback leads to this frame as well
            return reference

        def fail_stream(executor):
            stream = executor.submit(work.count_and_fail, 3)
            reference = weakref.ref(stream)
            try:
                for _ in stream:
                    pass
            except ValueError:
                pass
            finally:
                del stream
            return reference

        gc.collect()
        gc.disable()
        try:
            executor = dray.ProcessPoolExecutor(1)
            futures = [fail(executor, work.find_nothing), fail(executor, work.die),
                       fail_stream(executor)]
            pool = weakref.ref(executor._pool)
            executor.shutdown()
            del executor
            timer = threading.Timer(WATCHDOG, os.abort)
            timer.start()
            while pool() is not None or any(future() is not None for future in futures):
                threading.Event().wait(0.001)
            timer.cancel()
        finally:
            gc.enable()

    def test_refused_arguments_keep_nothing(self):
        """Their future knows why, and where that was, as text."""
        class Unpicklable:
            def __reduce__(self):
                try:
                    raise KeyError('first')
                except KeyError:
                    raise ValueError('second')

        executor, argument = dray.ProcessPoolExecutor(1), Unpicklable()
        for function, inherits in itertools.product([work.square, work.count], [False, True]):
            with (self.subTest(function.__name__, inherits=inherits),
                  mock.patch.object(_inherit, 'is_needed', lambda: inherits)):
                try:
                    raise OSError('of the program')
                except OSError:
                    future = executor.submit(function, argument)
                kept = weakref.ref(argument)
                error = future.exception(WATCHDOG)
                self.assertIsInstance(error, ValueError)
                self.assertIsInstance(error.__cause__, KeyError)
                last = error
                while last.__cause__ is not None:
                    last = last.__cause__
                self.assertIn('in __reduce__', str(last))
                del argument, error, last
                gc.collect()
                self.assertIsNone(kept())
                argument = Unpicklable()
        executor.shutdown()
        kept = weakref.ref(executor)
        del executor
        gc.collect()
        self.assertIsNone(kept())

    def test_failed_futures_keep_nothing(self):
        """But what they say: no executor, nor its workers, nor what the program handled when it
        asked."""
        def chain_of(error):
            chain = []
            while error is not None:
                chain.append(error)
                error = error.__cause__ or error.__context__
            return chain

        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        calls = ([work.raise_it, work.UnreadableError], [work.make, work.UnreadableError],
                 [work.die], [work.find_nothing])
        for call, by_reactor in itertools.product(calls, [False, True]):
            with self.subTest(call[0].__name__, by_reactor=by_reactor):
                executor = dray.ProcessPoolExecutor(1)
                pool = weakref.ref(executor._pool)
                try:
                    raise OSError('of the program')
                except OSError as own:
                    future = executor.submit(*call)
                    dray_future = future._dray
                    self.wait_for(future.done if by_reactor else dray_future.is_done)
                    chain = chain_of(future.exception(WATCHDOG))
                    self.assertNotIn(own, chain)
                self.assertEqual({error.__traceback__ for error in chain}, {None})
                if work.UnreadableError in call:
                    names = [type(error).__name__ for error in chain]
                    self.assertEqual(names, ['BrokenProcessPool', 'KeyError', 'ValueError',
                                             '_RemoteTraceback'])
                    self.assertIn('in fail_twice' if call[0] is work.make else 'in raise_it',
                                  str(chain[-1]))
                del executor
                self.wait_for(lambda: pool() is None)

    def test_end_after_the_end_keeps_nothing(self):
        """What is to be done on a thread that has ended is not kept for it, nor what it was
        about."""
        executor = dray.ProcessPoolExecutor(1)
        workers = executor._processes
        executor.submit(work.square, 1).result(WATCHDOG)
        executor.shutdown()
        executor.kill_workers()
        kept = weakref.ref(workers)
        del executor, workers
        gc.collect()
        self.assertIsNone(kept())

    def test_thread_goes_with_the_last(self):
        executor = dray.ProcessPoolExecutor(1)
        executor.submit(work.square, 1).result()
        thread = executor._pool.reactor.thread
        executor.shutdown()
        del executor
        gc.collect()
        thread.join(WATCHDOG)
        self.assertFalse(thread.is_alive())


class TestInterruptedResults(ExecutorCase):

    def interrupt(self, function, last):
        """Calls it, with an interrupt at the beginning of so many functions of Python's, as above.
        Returns how many there were.
        """
        def trace(frame, event, argument):
            nonlocal step
            if frame.f_code.co_filename.endswith(self.INTERRUPTED):
                step += 1
                if step == last:
                    raise KeyboardInterrupt

        step = 0
        sys.settrace(trace)
        try:
            function()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        return step

    def check(self, wait, is_waiting):
        """It is as good as if nobody had asked: the result can be had, callbacks are called, and so
        is told who waits as well.
        """
        last, step = 0, 0
        while step >= last:
            last, called, told = last + 1, [], []
            future = self.executor.submit(work.echo, last)
            # As they come if the other thread is late.
            future._done_callbacks.append(_future._PlacedCallback(called.append))
            thread = threading.Thread(target=lambda: told.append(wait(future)))
            thread.start()
            self.wait_for(lambda: is_waiting(future))
            dray_future = future._dray
            if dray_future is not None:
                dray_future.wait(-1)
            step = self.interrupt(future.result, last)
            self.assertEqual(future.result(WATCHDOG), last)
            thread.join()
            self.wait_for(lambda: future not in self.executor._pool.futures)
            self.assertEqual((told, called), ([last], [future]), f'interrupted at {last}')
        return last

    def test_cancel(self):
        """Once more, it is done with all that belongs to it."""
        last, step = 0, 0
        while step >= last:
            last, called = last + 1, []
            started = self.path(f'started-{last}')
            future = self.executor.submit(work.sleep_until_cancelled, started, os.devnull)
            future.add_done_callback(called.append)
            self.wait_for(lambda: os.path.exists(started))
            step = self.interrupt(future.cancel, last)
            self.assertTrue(future.cancel())
            self.wait_for(lambda: future not in self.executor._pool.futures)
            self.assertEqual(called, [future], f'interrupted at {last}')
        self.assertGreater(last, 10)

    def test_with_another_one(self):
        n_steps = self.check(lambda future: super(dray.Future, future).result(WATCHDOG),
                              lambda future: future._condition._waiters)
        self.assertGreater(n_steps, 20)

    def test_with_one_that_waits_for_many(self):
        def wait(future):
            done, _ = concurrent.futures.wait([future], WATCHDOG)
            return done.pop().result()

        n_steps = self.check(wait, lambda future: future._waiters or future._dray is None)
        self.assertGreater(n_steps, 1)

    INTERRUPTED = ('_future.py', '_reactor.py', '_outcome.py', '_callbacks.py', '_threads.py',
                   'threading.py', '_base.py')
