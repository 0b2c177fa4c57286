# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that dray.ProcessPoolExecutor does what that of concurrent.futures does, and what it does
better."""

import _multiprocessing
import asyncio
import concurrent.futures
import ctypes
import gc
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import pickle
import queue
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest
import weakref
from array import array
from multiprocessing import shared_memory
from unittest import mock

import dray
import resources
import work
from dray import _callbacks, _library, _message, _processes
from gi.repository import Gio, GLib

try:
    import numpy
except ImportError:
    numpy = None

LARGE = 4 * _message.OUT_OF_BAND
WATCHDOG = 120  # s


class GLibSelector(selectors.EpollSelector):
    """Iterates the main context of GLib while it waits."""

    def select(self, timeout=None):
        context, over = GLib.MainContext.default(), []
        sources = [GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, self.fileno(), GLib.IOCondition.IN,
                                         lambda *_: True)]
        if timeout is not None:
            sources.append(GLib.timeout_add(max(0, round(timeout * 1000)),
                                            lambda: over.append(1) or True))
        try:
            while not (ready := super().select(0)) and not over:
                context.iteration(True)
        finally:
            for source in sources:
                GLib.source_remove(source)
        return ready


class ExecutorCase(unittest.TestCase):
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

    def wait_for(self, condition):
        """Until it holds; whatever has to be done for it is done elsewhere."""
        timer = threading.Timer(WATCHDOG, os.abort)
        timer.start()
        while not condition():
            threading.Event().wait(0.001)
        timer.cancel()


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

    def test_bad_arguments_are_refused(self):
        with self.assertRaises(ValueError):
            dray.ProcessPoolExecutor(0)
        with self.assertRaises(TypeError):
            dray.ProcessPoolExecutor(initializer=5)
        with self.assertRaises(ValueError):
            dray.ProcessPoolExecutor(on_crash='panic')
        with self.assertRaises(ValueError):
            self.executor.map(work.square, [1], chunksize=0)
        with self.assertRaises(ValueError):
            self.executor.map(work.square, [1], buffersize=0)

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


class TestCancelling(ExecutorCase):

    def test_running_call(self):
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
        worker = self.executor.options(key=None).submit(work.pid).result()
        self.assertEqual(self.executor.submit(work.pid).result(), worker)
        started, ended = self.path('started'), self.path('ended')
        future = self.executor.submit(work.sleep_until_cancelled, started, ended)
        self.wait_for(lambda: os.path.exists(started))
        future.cancel()
        self.wait_for(lambda: os.path.exists(ended))
        self.assertEqual(self.executor.submit(work.square, 5).result(WATCHDOG), 25)

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


class TestLargeValues(ExecutorCase):

    VALUES = [
        b'x' * LARGE, bytearray(LARGE), array('d', range(LARGE // 8)),
        [b'a' * LARGE, 'text', b'b' * LARGE], {'key': bytes(LARGE)}, (bytes(LARGE), 1),
        b'', b'x', b'x' * (_message.OUT_OF_BAND - 1), b'x' * _message.OUT_OF_BAND,
    ]

    def test_there_and_back(self):
        for value in self.VALUES:
            with self.subTest(type=type(value).__name__):
                result = self.executor.submit(work.echo, value).result(WATCHDOG)
                self.assertEqual(type(result), type(value))
                self.assertEqual(result, value)

    def test_views(self):
        view = memoryview(bytes(range(256)) * 1024)[::2]
        result = self.executor.submit(work.echo, view).result(WATCHDOG)
        self.assertIsInstance(result, memoryview)
        self.assertEqual(bytes(result), bytes(view))

    def test_views_are_as_they_were(self):
        """Format, shape and whether they can be written to, small or large; what comes back large
        can not be written to, since it may be shared."""
        numbers = memoryview(array('d', range(24)))
        many = memoryview(array('i', range(LARGE)))
        views = [
            numbers, numbers.toreadonly(), numbers[::2], numbers[5:5],
            numbers.cast('B').cast('d', (2, 3, 4)), numbers.cast('B').cast('d', (24, 1)),
            memoryview(ctypes.c_double(1)), memoryview((ctypes.c_int * 4)(1, 2, 3, 4)),
            memoryview(b'x?'), memoryview(b'?').cast('?'),
            many, many.toreadonly(), many[::-1], many.cast('B').cast('i', (2, LARGE // 2)),
            memoryview(bytes(LARGE)),
        ]
        for view in views:
            with self.subTest(view=(view.format, view.shape, view.readonly)):
                code, before = view.format.lstrip('<>'), view.tobytes()
                described, result = self.executor.submit(work.describe_view, view).result(WATCHDOG)
                self.assertEqual(described, (code, view.shape, view.readonly, before))
                self.assertEqual(view.tobytes(), before)
                self.assertEqual((result.format, result.shape), (code, view.shape))
                self.assertEqual(result.readonly, view.readonly or result.nbytes > LARGE)
                self.assertEqual(result.tobytes()[1:], before[1:])

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_views_of_arrays(self):
        values = numpy.arange(LARGE, dtype='f4').reshape(4, -1)
        for view in memoryview(values), memoryview(numpy.asfortranarray(values)):
            _, result = self.executor.submit(work.describe_view, view.toreadonly()).result(WATCHDOG)
            self.assertEqual((result.format, result.shape), ('f', values.shape))
            self.assertTrue((numpy.asarray(result) == values).all())

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_views_that_python_has_no_others_of(self):
        for kind in '>i4', 'c8', [('x', 'i4')]:
            with self.subTest(kind=kind):
                future = self.executor.submit(work.echo, memoryview(numpy.zeros(9, dtype=kind)))
                self.assertRaisesRegex(TypeError, 'memoryview of the format', future.result,
                                       WATCHDOG)

    def test_exception_with_large_value(self):
        error = self.executor.submit(work.fail, 'x' * LARGE).exception(WATCHDOG)
        self.assertEqual(error.args, ('x' * LARGE,))

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_arrays(self):
        values = numpy.arange(LARGE, dtype=float)
        result = self.executor.submit(work.echo, values).result(WATCHDOG)
        self.assertTrue((result == values).all())
        self.assertEqual(self.executor.submit(work.describe, values).result(WATCHDOG),
                         ('ndarray', LARGE, True))

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_no_garbage_is_left(self):
        """What is large goes when it is dropped, and not when somebody collects garbage."""
        values = numpy.arange(LARGE, dtype=float)
        mixed = [values, b'x' * LARGE, bytearray(LARGE)]
        gc.collect()
        gc.disable()
        try:
            for value in values, mixed:
                result = self.executor.submit(work.echo, value).result(WATCHDOG)
                owner = result if value is values else result[0]
                while isinstance(owner, numpy.ndarray):
                    owner = owner.base
                gone = weakref.ref(owner.obj)
                del result, owner
                self.assertIsNone(gone())
                # The library's future has the result as well.
                self.wait_for(lambda: not _library._grips)
        finally:
            gc.enable()

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_arrays_are_not_kept(self):
        values = numpy.arange(LARGE, dtype=float)
        for _ in range(200):  # more than there is shared memory for at a time
            self.executor.submit(work.echo, values).result(WATCHDOG)


class TestFunctions(ExecutorCase):

    def test_without_a_name(self):
        self.assertEqual(self.executor.submit(lambda x: x + 1, 1).result(WATCHDOG), 2)

    def test_that_cannot_be_sent(self):
        lock = threading.Lock()

        def locked():
            return lock

        with self.assertRaises(pickle.PicklingError) as caught:
            self.executor.submit(locked)
        self.assertIn('locked', str(caught.exception))

    def test_argument_that_cannot_be_sent(self):
        future = self.executor.submit(work.echo, threading.Lock())
        self.assertIsInstance(future.exception(WATCHDOG), TypeError)

    def test_result_that_cannot_be_sent(self):
        error = self.executor.submit(threading.Lock).exception(WATCHDOG)
        self.assertIsInstance(error, TypeError)

    def test_module_off_the_path(self):
        import importlib.util
        import sys
        path = pathlib.Path(self.folder.name, 'elsewhere.py')
        path.write_text('def where():\n    return __file__\n')
        spec = importlib.util.spec_from_file_location('elsewhere', path)
        module = importlib.util.module_from_spec(spec)
        sys.modules['elsewhere'] = module
        spec.loader.exec_module(module)
        try:
            self.assertEqual(self.executor.submit(module.where).result(WATCHDOG), str(path))
        finally:
            del sys.modules['elsewhere']


class TestMultiprocessing(ExecutorCase):
    """Its locks and queues may be among arguments, and its shared memory is not removed."""

    contexts = [multiprocessing.get_context(method) for method in ('spawn', 'forkserver', 'fork')]

    def for_all(self):
        for context in self.contexts:
            with self.subTest(method=context.get_start_method()):
                yield context

    def test_queue_and_lock_in_arguments(self):
        for context in self.for_all():
            queue, lock = context.Queue(), context.Lock()
            self.executor.submit(work.put, queue, lock, 7).result(WATCHDOG)
            self.assertEqual(queue.get(timeout=WATCHDOG), 7)

    def test_queue_and_lock_for_initializers(self):
        for context in self.for_all():
            arguments = context.Queue(), context.Lock(), 8
            with dray.ProcessPoolExecutor(1, initializer=work.put, initargs=arguments) as executor:
                executor.submit(work.pid).result(WATCHDOG)
            self.assertEqual(arguments[0].get(timeout=WATCHDOG), 8)

    def test_locks_lock(self):
        """In workers, in the application, and in processes of multiprocessing."""
        for context in self.for_all():
            number = context.Value('q', 0)
            process = context.Process(target=work.add_one_by_one, args=(number, 2000))
            process.start()
            calls = [self.executor.submit(work.add_one_by_one, number, 2000) for _ in range(2)]
            work.add_one_by_one(number, 2000)
            for call in calls:
                call.result(WATCHDOG)
            process.join()
            self.assertEqual(number.value, 8000)

    def test_methods_of_semaphores(self):
        for context in self.for_all():
            semaphore = context.Semaphore(0)
            calls = [self.executor.submit(semaphore.acquire) for _ in range(5)]
            for _ in calls:
                semaphore.release()
            self.assertEqual([call.result(WATCHDOG) for call in calls], [True] * 5)

    def test_semaphores_leave_nothing(self):
        lock = multiprocessing.get_context('fork').Lock()
        name = os.readlink(f'/proc/self/fd/{lock._semlock.file}')
        self.assertIn('/sem.mp-', name)
        self.assertTrue(name.endswith(' (deleted)'), name)
        self.assertIn(name, resources.descriptors())
        del lock
        gc.collect()
        self.assertNotIn(name, resources.descriptors())

    def test_pipes_of_functions_without_a_name(self):
        for duplex in False, True:
            receiving, sending = multiprocessing.Pipe(duplex)
            with receiving, sending:
                send = self.executor.submit(lambda pipe: pipe.send('text'), sending)
                self.assertIsNone(send.exception(WATCHDOG))
                self.assertEqual(receiving.recv(), 'text')

    def test_descriptors_are_not_kept(self):
        queue, lock = self.contexts[0].Queue(), self.contexts[0].Lock()
        self.executor.submit(work.put, queue, lock, 0).result(WATCHDOG)
        before = len(os.listdir('/proc/self/fd'))
        for i in range(20):  # each takes two
            self.executor.submit(work.put, queue, lock, i).result(WATCHDOG)
        # The last call's may be on their way, and another worker has been started, which has a few.
        self.wait_for(lambda: len(os.listdir('/proc/self/fd')) < before + 20)

    def test_what_only_a_fork_would_share(self):
        """As locks are that were made before the package was imported."""
        lock = multiprocessing.get_context('fork').Lock()
        lock._semlock = _multiprocessing.SemLock(1, 1, 1, lock._make_name(), True)
        lock._make_methods()
        for call in [work.echo, lock], [lock.acquire]:
            error = self.executor.submit(*call).exception(WATCHDOG)
            self.assertIsInstance(error, TypeError)
            self.assertIn('import dray first', str(error))

    def test_two_way_pipes(self):
        """Beside large and small arguments, of streams as well, and after ours was closed."""
        for prefix in b'', b'> ', b'> ' * LARGE:
            ours, theirs = multiprocessing.Pipe()
            with ours:
                future = self.executor.submit(work.converse, theirs, prefix)
                theirs.close()
                for text in b'one', b'two':
                    ours.send_bytes(text)
                    self.assertEqual(ours.recv_bytes(), prefix[:2] + text.upper())
                ours.send_bytes(b'enough')
                self.assertEqual(future.result(WATCHDOG), len(prefix))

        ours, theirs = multiprocessing.Pipe()
        with ours, theirs:
            ours.send_bytes(b'enough')
            self.assertEqual(list(self.executor.submit(work.converse_and_count, theirs)), [0])

    def test_one_way_pipes(self):
        receiving, sending = multiprocessing.Pipe(duplex=False)
        with receiving, sending:
            self.executor.submit(work.put_into_pipe, sending, b'text').result(WATCHDOG)
            self.assertEqual(receiving.recv_bytes(), b'text')

    def test_sockets(self):
        ours, theirs = socket.socketpair()
        with ours:
            future = self.executor.submit(work.converse, theirs)
            theirs.close()
            ours.sendall(b'question')
            self.assertEqual(ours.recv(100), b'QUESTION')
            ours.shutdown(socket.SHUT_WR)
            self.assertEqual(future.result(WATCHDOG), 0)
            self.assertEqual(ours.recv(100), b'')  # nobody else has the other end

    def test_sockets_are_not_kept(self):
        def converse():
            ours, theirs = multiprocessing.Pipe()
            with ours, theirs:
                ours.send_bytes(b'enough')
                self.executor.submit(work.converse, theirs).result(WATCHDOG)

        converse()
        before = len(os.listdir('/proc/self/fd'))
        for _ in range(20):
            converse()
        # Another worker may have been started, which has a few.
        self.wait_for(lambda: len(os.listdir('/proc/self/fd')) < before + 20)

    def test_workers_return_no_pipes(self):
        error = self.executor.submit(work.open_pipe).exception(WATCHDOG)
        self.assertIsInstance(error, TypeError)
        self.assertIn('end of a pipe', str(error))
        name = 'multiprocessing.connection'
        self.assertEqual(self.executor.submit(work.echo, [name]).result(WATCHDOG), [name])

    def test_initializers_have_no_sockets(self):
        ours, theirs = multiprocessing.Pipe()
        with ours, theirs, self.assertRaisesRegex(TypeError, 'give it to a call'):
            dray.ProcessPoolExecutor(1, initializer=work.converse, initargs=(theirs,))

    def test_shared_memory_outlives_workers(self):
        memory = shared_memory.SharedMemory(create=True, size=16)
        self.addCleanup(memory.unlink)
        self.addCleanup(memory.close)
        self.executor.submit(work.write_shared_memory, memory.name, b'text').result(WATCHDOG)
        self.executor.shutdown()
        shared_memory.SharedMemory(memory.name).close()
        self.assertEqual(bytes(memory.buf[:4]), b'text')


class TestMainContexts(ExecutorCase):

    def test_callback_comes_in_the_loop(self):
        loop = GLib.MainLoop()
        seen = []

        def done(future):
            seen.append((future.result(), threading.current_thread()))
            loop.quit()

        def begin():
            self.executor.submit(work.square, 4).add_done_callback(done)
            return False

        GLib.idle_add(begin)
        loop.run()
        self.assertEqual(seen, [(16, threading.main_thread())])

    def test_added_before_the_loop_runs(self):
        loop = GLib.MainLoop()
        gate = self.path('gate')
        seen = []

        def done(future):
            seen.append(threading.current_thread())
            loop.quit()

        self.executor.submit(work.wait_for_file, gate).add_done_callback(done)
        GLib.idle_add(lambda: open(gate, 'w').close())
        loop.run()
        self.assertEqual(seen, [threading.main_thread()])

    def test_without_a_loop_it_comes_all_the_same(self):
        called = threading.Event()
        self.executor.submit(work.square, 4).add_done_callback(lambda future: called.set())
        self.assertTrue(called.wait(WATCHDOG))

    def run_in_loop(self, function):
        """Calls a function in a main loop, which it is given to quit."""
        loop = GLib.MainLoop()
        GLib.idle_add(lambda: function(loop) and False)
        loop.run()

    def test_callbacks_that_would_end_the_program(self):
        """On a thread that it has not started they end nothing, and the others are called."""
        called = []

        def leave(*args):
            called.append(args)
            sys.exit(5)

        with self.assertLogs('concurrent.futures', 'ERROR') as logged:
            future = self.executor.options(on_progress=leave).submit(work.report, [(0.5, 'half')])
            future.add_done_callback(leave)
            future.add_done_callback(called.append)
            self.executor.submit(work.square, 1).result(WATCHDOG)
            self.wait_for(lambda: future in called)
        self.assertEqual([args for args in called if args is not future],
                         [(0.5, 'half'), (future,)])
        self.assertEqual([record.exc_info[0] for record in logged.records], [SystemExit] * 2)
        self.assertEqual(self.executor.submit(work.square, 2).result(WATCHDOG), 4)

    def test_loop_goes_on_after_a_callback_that_raises(self):
        """Of what PyGObject calls, too; there what ends a program is what a loop is left by."""
        context = GLib.MainContext.new()
        place = _callbacks.Place(context)
        called = []

        def fail():
            raise KeyboardInterrupt

        place.call(lambda: called.append(1))
        place.call(fail)
        place.call(lambda: called.append(2))
        reported = []
        hook, sys.excepthook = sys.excepthook, lambda *error: reported.append(error[0])
        try:
            while len(called) < 2:
                context.iteration(True)
        finally:
            sys.excepthook = hook
        place.call(lambda: called.append(3))
        while len(called) < 3:
            context.iteration(True)
        self.assertEqual((called, reported), ([1, 2, 3], [KeyboardInterrupt]))

    def test_progress_comes_in_the_loop(self):
        """Each that has time to, in the main thread, and the last before the call is done."""
        gate = self.path('gate')
        seen = []

        def show(fraction, text):
            seen.append((fraction, text, threading.current_thread()))
            open(gate, 'w').close()

        def begin(loop):
            reports = [(None, 'begun'), (0.5, None), (2, 'ended')]
            options = self.executor.options(on_progress=show)
            future = options.submit(work.report, reports, gate)
            future.add_done_callback(lambda future: (seen.append(future.result()), loop.quit()))

        self.run_in_loop(begin)
        main = threading.main_thread()
        self.assertEqual(seen[-2:], [(1, 'ended', main), 3])
        self.assertEqual({report[2] for report in seen[:-1]}, {main})
        self.assertIn(seen[0][:2], [(None, 'begun'), (0.5, None)])

    def test_progress_of_a_stream_and_of_many_calls(self):
        """It may be summed up, but each call's last report comes."""
        seen = []
        options = self.executor.options(on_progress=lambda *report: seen.append(report))

        def begin(loop):
            self.assertEqual(len(list(options.submit(work.report_and_count, 1000))), 1000)
            results = list(options.map(work.report, [[(0.25, str(i))] for i in range(50)]))
            self.assertEqual(results, [1] * 50)
            GLib.timeout_add(1, lambda: len(seen) < 51 or loop.quit())

        self.run_in_loop(begin)
        self.assertEqual(seen[0], (1, '1000 of 1000'))  # all came while the loop was busy
        self.assertEqual(sorted(int(text) for _, text in seen[1:]), list(range(50)))

    def test_progress_without_a_loop(self):
        seen = []

        def show(fraction, text):
            seen.append((fraction, text))
            raise ValueError('which is logged')

        options = self.executor.options(on_progress=show)
        with self.assertLogs('concurrent.futures', 'ERROR') as logs:
            self.assertEqual(options.submit(work.report, [(0, 'a'), (1, 'b')]).result(WATCHDOG), 2)
            self.wait_for(lambda: seen[-1:] == [(1, 'b')] and len(logs.records) == len(seen))
        self.assertEqual(sorted(seen), seen)

    def test_progress_that_nobody_asked_for(self):
        self.assertEqual(self.executor.submit(work.report, [(0.1, 'a')] * 1000).result(), 1000)
        self.assertEqual(work.report([(0.1, 'a')] * 2), 2)
        with self.assertRaises(TypeError):
            self.executor.options(on_progress='loud')

    def test_asyncio(self):
        async def add():
            first, second = (self.executor.submit(work.square, number) for number in (3, 4))
            return await first + await second

        self.assertEqual(asyncio.run(add()), 25)

    def test_asyncio_in_the_loop_of_glib(self):
        """As in PyGObject's own event loop, where asyncio waits by iterating the main context."""
        ticks = []

        async def main():
            ticking = GLib.timeout_add(1, lambda: ticks.append(1) or True)
            gate = self.path('gate')
            waiting = self.executor.submit(work.wait_for_file, gate)
            squares = await asyncio.gather(
                *(self.executor.submit(work.square, i) for i in range(9)))
            items = [item async for item in self.executor.submit(work.count, 300)]
            before = len(ticks)
            while len(ticks) < before + 3:
                await asyncio.sleep(0.001)
            GLib.source_remove(ticking)
            open(gate, 'w').close()
            await waiting
            return squares, items

        loop = asyncio.SelectorEventLoop(GLibSelector())
        try:
            squares, items = loop.run_until_complete(main())
        finally:
            loop.close()
        self.assertEqual((squares, items), ([i * i for i in range(9)], list(range(300))))

    def test_asyncio_cancels(self):
        started, ended = self.path('started'), self.path('ended')

        async def begin_and_cancel():
            future = self.executor.submit(work.sleep_until_cancelled, started, ended)
            task = asyncio.ensure_future(asyncio.wrap_future(future))
            while not os.path.exists(started):
                await asyncio.sleep(0.001)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            return future

        future = asyncio.run(begin_and_cancel())
        self.assertTrue(future.cancelled())


class TestLife(unittest.TestCase):

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
            calls = [executor.submit(work.square, i) for i in range(50)]
            executor.shutdown(wait=wait, cancel_futures=True)
            executor.shutdown()
            self.assertEqual(calls[0].result(WATCHDOG), 0)
            self.assertTrue(calls[-1].cancelled())

    def test_forced_ends(self):
        for name, signum in [('terminate_workers', signal.SIGTERM),
                             ('kill_workers', signal.SIGKILL)]:
            executor = dray.ProcessPoolExecutor(1)
            force = getattr(executor, name)
            running, waiting = [executor.submit(time.sleep, 3600) for _ in range(2)]
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
