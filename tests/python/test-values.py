# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that what is sent arrives as itself: large values, functions of all kinds, and what belongs
to multiprocessing."""

import _multiprocessing
import contextlib
import ctypes
import errno
import functools
import gc
import importlib
import importlib.util
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import pickle
import resource
import socket
import subprocess
import sys
import textwrap
import threading
import types
import unittest
import weakref
from array import array
from multiprocessing import shared_memory

import dray
import resources
import work
from cases import WATCHDOG, ExecutorCase
from dray import _calls, _library, _message, _outcome

try:
    import cloudpickle
except ImportError:
    cloudpickle = None
try:
    import numpy
except ImportError:
    numpy = None

LARGE = 4 * _message.OUT_OF_BAND


@contextlib.contextmanager
def no_free_descriptor():
    """Gives some that are held, and can be closed."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 20, limits[1]))
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield held
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


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
        kinds = ['>i4', 'c8', [('x', 'i4')]]
        try:
            memoryview(bytes(2)).cast('e')
        except ValueError:
            kinds.append('f2')
        for kind in kinds:
            with self.subTest(kind=kind):
                future = self.executor.submit(work.echo, memoryview(numpy.zeros(9, dtype=kind)))
                self.assertRaisesRegex(TypeError, 'memoryview of the format', future.result,
                                       WATCHDOG)

    def test_exception_with_large_value(self):
        error = self.executor.submit(work.fail, 'x' * LARGE).exception(WATCHDOG)
        self.assertEqual(error.args, ('x' * LARGE,))

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_exception_with_array(self):
        values = numpy.arange(LARGE, dtype=float)
        error = self.executor.submit(work.raise_it, ValueError, values).exception(WATCHDOG)
        self.assertTrue((error.args[0] == values).all())
        self.assertTrue(error.args[0].flags.aligned)

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_arrays(self):
        values = numpy.arange(LARGE, dtype=float)
        result = self.executor.submit(work.echo, values).result(WATCHDOG)
        self.assertTrue((result == values).all())
        self.assertEqual(self.executor.submit(work.describe, values).result(WATCHDOG),
                         ('ndarray', LARGE, True))

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_with_hardly_a_free_descriptor(self):
        """There are other ways than a file."""
        with dray.ProcessPoolExecutor(1) as executor:
            executor.submit(work.pid).result(WATCHDOG)
            with no_free_descriptor() as held:
                for n_free in range(3):
                    with self.subTest(n_free=n_free):
                        future = executor.submit(len, bytes(LARGE))
                        self.assertEqual(future.result(WATCHDOG), LARGE)
                    os.close(held.pop())

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


class TestNestedValues(ExecutorCase):
    """What is large is left out of the pickle wherever it is, on both ways, and so are views, of
    which pickle knows nothing."""

    VALUES = [
        b'x' * LARGE, bytearray(LARGE), array('d', range(LARGE // 8)), memoryview(b'v' * LARGE),
        memoryview(bytearray(LARGE)), b'x' * _message.OUT_OF_BAND,
        # What the pickle itself has before and after such things.
        b'\x95' * LARGE, b'B' + (LARGE).to_bytes(4, 'little') * (LARGE // 4),
    ]
    SMALL = [b'x', bytearray(b'x'), array('i', [1]), array('d'), memoryview(b'x'), memoryview(b''),
             memoryview(bytearray(9))[::2]]

    def nests(self, value):
        """Calls that have a value somewhere, and where it is found in what comes back."""
        yield 'keyword', (), {'key': value}, lambda args, kwargs: kwargs['key']
        yield 'list', ([1, value],), {}, lambda args, kwargs: args[0][1]
        yield 'many', (1,) * 99 + (value,), {}, lambda args, kwargs: args[99]
        yield ('dictionaries', ({'a': {'b': value}},), {},
               lambda args, kwargs: args[0]['a']['b'])
        yield 'attribute', (work.Box(value),), {}, lambda args, kwargs: args[0].content
        yield ('attribute of an element', (), {'boxes': [work.Box([value])]},
               lambda args, kwargs: kwargs['boxes'][0].content[0])

    def check_all(self, function):
        for value in self.VALUES + self.SMALL:
            for name, args, kwargs, find in self.nests(value):
                with self.subTest(type=type(value).__name__, size=len(value), where=name):
                    future = self.executor.submit(function, *args, **kwargs)
                    result = find(*future.result(WATCHDOG))
                    self.assertIs(type(result), type(value))
                    self.assertEqual(result, value)

    def test_there_and_back(self):
        self.check_all(work.echo_all)

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    def test_of_functions_without_a_name(self):
        self.check_all(lambda *args, **kwargs: (args, kwargs))

    def test_beside_a_lock(self):
        """Which takes another pickler."""
        view = memoryview(b'v' * LARGE)
        args, _ = self.executor.submit(work.lock_and_echo, [view, b'x' * LARGE],
                                       multiprocessing.Lock()).result(WATCHDOG)
        self.assertEqual(args, [view, b'x' * LARGE])

    def test_in_chunks(self):
        for values in self.VALUES, self.SMALL:
            results = list(self.executor.map(work.echo, values, chunksize=2))
            self.assertEqual(list(map(type, results)), list(map(type, values)))
            self.assertEqual(results, values)

    def test_yielded(self):
        items = list(self.executor.submit(work.yield_boxes, self.VALUES))
        self.assertEqual([box.content for box in items], self.VALUES)

    def test_of_functions(self):
        """Which may be methods, or have arguments of their own."""
        view = memoryview(b'v' * LARGE)
        for function in work.Box(view).get, functools.partial(work.echo, view):
            self.assertEqual(self.executor.submit(function).result(WATCHDOG), view)

    def test_twice(self):
        """It is sent once, and is one again."""
        for value in self.VALUES:
            message = _message.pack([value, work.Box(value)])
            self.assertEqual(len(message.buffers), 1)
            first, second = _message.unpack(message.in_one_piece())
            self.assertIs(first, second.content)

    def test_not_in_the_pickle(self):
        for value in self.VALUES:
            for name, args, kwargs, _ in self.nests(value):
                with self.subTest(type=type(value).__name__, where=name):
                    message = _calls.pack(work.echo_all, args, kwargs)
                    self.check_left_out(message, memoryview(value).nbytes)
                    message = _outcome.pack((args, kwargs), False)
                    self.check_left_out(message, memoryview(value).nbytes)

    def check_left_out(self, message, size):
        self.assertEqual([buffer.nbytes for buffer in message.buffers], [size])
        self.assertLess(len(message.data), 2000)

    def test_among_much_else(self):
        """Pickle writes that in pieces of its own, as large as what is left out."""
        text = [str(i) for i in range(LARGE)]
        value = [text, b'a' * LARGE, text[:9], bytearray(LARGE), 'x' * LARGE,
                 array('i', range(LARGE)), text[9:], b'b' * LARGE, b'c' * LARGE, LARGE]
        message = _message.pack(value)
        self.assertEqual([buffer.nbytes for buffer in message.buffers],
                         [LARGE, LARGE, 4 * LARGE, LARGE, LARGE])
        self.assertEqual(_message.unpack(message.in_one_piece()), value)
        self.assertEqual(self.executor.submit(work.echo, value).result(WATCHDOG), value)

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_in_order(self):
        """Pickle's own buffers are told of, and others found."""
        arrays = [numpy.full(LARGE, i, dtype='u1') for i in range(4)]
        value = [arrays[0], b'a' * LARGE, arrays[1], arrays[2], memoryview(b'b' * LARGE),
                 b'c' * LARGE, arrays[3]]
        result = self.executor.submit(work.echo, work.Box(value)).result(WATCHDOG).content
        self.assertEqual([bytes(element[:1]) for element in result],
                         [b'\0', b'a', b'\1', b'\2', b'b', b'c', b'\3'])

    def test_views_are_where_they_arrived(self):
        """In shared memory: nothing has copied them."""
        view = memoryview(bytearray(b'v' * LARGE))
        arrived, box = self.executor.submit(work.look_into, work.Box(view)).result(WATCHDOG)
        self.assertIn('memfd:', arrived)
        self.assertIn('memfd:', work.mapping_of(box.content))
        self.assertNotIn('memfd:', work.mapping_of(view))


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


class TestModulesOffThePath(ExecutorCase):
    """As plugins are: workers find what the application has loaded."""

    MODULE = '''
        class Thing:
            def __init__(self, content=None):
                self.content = content

            def get(self):
                return self.content

        def where():
            return __file__

        def take(*args, **kwargs):
            return len(args) + len(kwargs)
    '''

    def setUp(self):
        super().setUp()
        self.before = set(sys.modules), sys.path.copy()

    def tearDown(self):
        for name in set(sys.modules) - self.before[0]:
            if str(getattr(sys.modules[name], '__file__', '')).startswith(self.folder.name):
                del sys.modules[name]
        sys.path[:] = self.before[1]
        super().tearDown()

    def write(self, name, text=MODULE):
        path = pathlib.Path(self.folder.name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def load(self, name, path):
        """As programs do that have plugins."""
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    def executors(self):
        """One that was there before the modules were, and one that was not."""
        executor = dray.ProcessPoolExecutor(1)
        self.addCleanup(executor.shutdown)
        return self.executor, executor

    def check(self, function, *args, **kwargs):
        for executor in self.executors():
            executor.submit(function, *args, **kwargs).result(WATCHDOG)

    def test_function(self):
        path = self.write('elsewhere.py')
        module = self.load('elsewhere', path)
        for executor in self.executors():
            self.assertEqual(executor.submit(module.where).result(WATCHDOG), str(path))

    def test_of_another_name(self):
        path = self.write('elsewhere/file.py')
        module = self.load('elsewhere', path)
        sys.path.append(str(path.parent))
        for executor in self.executors():
            self.assertEqual(executor.submit(module.where).result(WATCHDOG), str(path))

    def test_values(self):
        thing = self.load('elsewhere', self.write('elsewhere.py')).Thing()
        for args, kwargs in [((thing,), {}), ((), {'key': thing}), (([1, thing],), {}),
                             ((work.Box(thing),), {}), ((), {'key': {'a': [work.Box(thing)]}})]:
            self.check(work.echo_all, *args, **kwargs)
        self.check(thing.get)
        self.check(functools.partial(work.echo, thing))

    def test_in_chunks(self):
        thing = self.load('elsewhere', self.write('elsewhere.py')).Thing(1)
        for executor in self.executors():
            results = list(executor.map(work.Box.get, map(work.Box, [thing] * 4), chunksize=2))
            self.assertEqual([result.content for result in results], [1] * 4)

    def test_initializer(self):
        module = self.load('elsewhere', self.write('elsewhere.py'))
        for initializer in (work.echo, [module.Thing()]), (module.where, []):
            with dray.ProcessPoolExecutor(1, initializer=initializer[0],
                                          initargs=initializer[1]) as executor:
                self.assertEqual(executor.submit(abs, -1).result(WATCHDOG), 1)

    def test_package(self):
        self.write('package/__init__.py', 'from . import part')
        path = self.write('package/part.py')
        self.write('package/inner/__init__.py')
        package = self.load('package', path.parent / '__init__.py')
        import package.inner
        self.check(package.part.take, package.inner.Thing())

    def test_package_without_a_file(self):
        path = self.write('package/part.py')
        sys.path.append(self.folder.name)
        module = importlib.import_module('package.part')
        sys.path.pop()
        self.addCleanup(sys.modules.pop, 'package')
        for executor in self.executors():
            self.assertEqual(executor.submit(module.where).result(WATCHDOG), str(path))

    def test_package_of_the_programs_making(self):
        sys.modules['plugins'] = types.ModuleType('plugins')
        self.addCleanup(sys.modules.pop, 'plugins')
        self.check(self.load('plugins.first', self.write('first.py')).where)

    def test_sibling(self):
        """Of which the call knows nothing."""
        self.write('elsewhere/sibling.py')
        path = self.write('elsewhere/elsewhere.py', """
            def ask():
                import sibling
                return sibling.where()
        """)
        sys.path.insert(0, str(path.parent))
        import elsewhere
        elsewhere.ask()
        sys.path.remove(str(path.parent))
        for executor in self.executors():
            self.assertEqual(executor.submit(elsewhere.ask).result(WATCHDOG),
                             str(path.with_name('sibling.py')))

    def test_path_of_later(self):
        """It was added when there was an executor."""
        path = self.write('elsewhere/later.py')
        sys.path.append(str(path.parent))
        import later
        self.assertEqual(self.executor.submit(later.where).result(WATCHDOG), str(path))

    def test_others_are_not_told(self):
        """Whatever there is of the standard library, and of others."""
        code = """
            import asyncio, concurrent.futures, ctypes, email.mime.text, importlib.resources, json
            import multiprocessing.managers, os, sqlite3, unittest.mock, xml.etree.ElementTree
            import zoneinfo
            import dray
            from gi.repository import Gio
            try:
                import numpy.testing, cloudpickle
            except ImportError:
                pass
            executor = dray.ProcessPoolExecutor(1)
            print(executor._pool.elsewhere._told, executor._pool.elsewhere.news())
        """
        output = subprocess.check_output([sys.executable, '-c', textwrap.dedent(code)], text=True)
        self.assertEqual(output, '{} {}\n')


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

    def test_many_semaphores_leave_files_to_the_program(self):
        """Of an eighth one is kept open, and again when some are gone; the others can't be sent."""
        code = """
            import multiprocessing, resource
            import dray
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
            new = multiprocessing.get_context('fork').Lock
            locks = [new() for _ in range(1000)]
            open('/dev/null').close()
            with dray.ProcessPoolExecutor(1) as executor:
                for lock in locks[0], locks[-1]:
                    print(executor.submit(str, lock).exception())
                locks.clear()
                print(executor.submit(str, new()).exception())
        """
        output = subprocess.check_output([sys.executable, '-c', textwrap.dedent(code)], text=True)
        first, last, later = output.splitlines()
        self.assertEqual((first, later), ('None', 'None'))
        self.assertIn('too many', last)

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

    def test_sockets_with_hardly_a_free_descriptor(self):
        """Each is duplicated a few times on its way. Where that can't be, that is the call's error.
        """
        def is_alone():
            executor.submit(work.pid).result(WATCHDOG)  # what is done is looked after then
            n_same = 0
            for descriptor in range(theirs.fileno() + 100):  # the lowest that are free are taken
                with contextlib.suppress(OSError):
                    n_same += os.path.sameopenfile(descriptor, theirs.fileno())
            return n_same == 1

        def is_refused(*more):
            try:
                executor.submit(work.take, theirs, *more).result(WATCHDOG)
            except OSError as error:
                self.assertEqual(error.errno, errno.EMFILE)
                return True
            self.wait_for(is_alone)
            return False

        ours, theirs = socket.socketpair()
        with ours, theirs, dray.ProcessPoolExecutor(1) as executor:
            self.assertFalse(is_refused())
            with no_free_descriptor() as held:
                for _ in range(3):
                    self.assertTrue(is_refused())
                    self.assertTrue(is_refused(bytes(LARGE)))
                    os.close(held.pop())
                while is_refused() or is_refused(bytes(LARGE)):
                    os.close(held.pop())

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
