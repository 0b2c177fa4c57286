# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that the package leaves its application as it found it.

No forks, no threads, open files or child processes after the last executor, none of Python's
settings changed, nothing that grows; and a fork of the application is told that it can't use what
it got.
"""

import gc
import logging
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
import weakref
from concurrent import futures

from gi.repository import GLib

import dray
import work
from resources import descriptors

WATCHDOG = 120  # s


def children():
    path = pathlib.Path(f'/proc/self/task/{threading.get_native_id()}/children')
    return set(path.read_text().split())


def threads():
    """Those of Python and of the library alike."""
    names = []
    for folder in pathlib.Path('/proc/self/task').iterdir():
        try:
            names.append(pathlib.Path(folder, 'comm').read_text().strip())
        except OSError:
            pass  # it has just ended
    return sorted(names)


def resident():
    """Memory in use, in bytes."""
    pages = pathlib.Path('/proc/self/statm').read_text().split()[1]
    return int(pages) * os.sysconf('SC_PAGE_SIZE')


class HostCase(unittest.TestCase):

    def wait_for(self, condition, text):
        """Without a thread for it: threads are what is counted."""
        end = time.monotonic() + WATCHDOG
        while not condition():
            if time.monotonic() > end:
                self.fail(f'There was no waiting for {text}')
            time.sleep(0.005)


class TestTraces(HostCase):

    def use(self):
        with dray.ProcessPoolExecutor(2) as executor:
            list(executor.map(work.square, range(20)))
            list(executor.submit(work.count, 10))
            executor.submit(work.die).exception()
            executor.submit(work.echo, bytes(1 << 20)).result()

    def test_nothing_is_left(self):
        self.use()  # the first time, what is imported stays
        self.wait_for(lambda: not {'dray', 'dray-io'} & set(threads()), 'the end of threads')
        gc.collect()
        # Something of that use may still be on its way out, so there may be less in the end.
        n_threads, n_children, n_descriptors = len(threads()), len(children()), len(descriptors())
        # What is let go of goes at once, and not when the collector comes.
        gc.disable()
        self.addCleanup(gc.enable)
        self.use()
        self.wait_for(lambda: not {'dray', 'dray-io'} & set(threads()), 'the end of threads')
        self.wait_for(lambda: len(threads()) <= n_threads, 'the end of other threads')
        self.wait_for(lambda: len(children()) <= n_children, 'the end of workers')
        self.wait_for(lambda: len(descriptors()) <= n_descriptors, 'the end of descriptors')

    def test_the_main_context_keeps_nothing(self):
        """A program that never iterates it is left with no executor of the library."""
        def leave(executor):
            with executor:
                executor.submit(work.square, 2).result()

        def cancel(executor):
            executor.submit(work.square, 2).result()
            executor.shutdown(False, cancel_futures=True)
            executor.shutdown()

        def kill(executor):
            executor.submit(work.square, 2).result()
            executor.kill_workers()
            executor.shutdown()

        def crash(executor):
            executor.submit(work.die).exception()
            executor.shutdown()

        for end in leave, cancel, kill, crash:
            with self.subTest(end=end.__name__):
                executor = dray.ProcessPoolExecutor(1, on_crash='break')
                kept = executor._pool.dray.weak_ref()
                end(executor)
                del executor
                gc.collect()
                self.wait_for(lambda: kept() is None, 'the end of the library\'s executor')
                self.wait_for(lambda: not GLib.MainContext.default().pending(), 'all else there')

    def test_futures_that_are_done_keep_nothing(self):
        """Whoever keeps results keeps no worker and no thread."""
        def cancelled(executor):
            future = executor.submit(work.endless)
            next(future)
            future.close()
            return future

        def read(executor):
            stream = executor.submit(work.count, 3)
            self.assertEqual(list(stream), [0, 1, 2])
            return stream

        for make in (lambda executor: executor.submit(work.square, 2),
                     lambda executor: executor.submit(work.fail, 'so'),
                     lambda executor: executor.options(priority=1).submit(work.square, 2),
                     cancelled, read):
            executor = dray.ProcessPoolExecutor(1)
            pid = executor.submit(work.pid).result()
            future = make(executor)
            futures.wait([future])
            pool = weakref.ref(executor._pool)
            del executor
            gc.collect()
            self.wait_for(lambda: pool() is None, 'the end of the executor')
            self.wait_for(lambda: not os.path.exists(f'/proc/{pid}'), 'the end of the worker')
            self.wait_for(lambda: 'dray' not in threads(), 'the end of the thread')
            self.assertTrue(future.done())

    def test_settings_stay(self):
        handlers = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGCHLD,
                                                            signal.SIGTERM, signal.SIGPIPE)]
        loggers = list(logging.getLogger().handlers), list(
            logging.getLogger('concurrent.futures').handlers)
        method = multiprocessing.get_start_method(allow_none=True)
        state = dict(os.environ), os.getcwd(), list(sys.path), sys.excepthook, threading.excepthook
        self.use()
        self.assertEqual(handlers, [signal.getsignal(signum) for signum in (
            signal.SIGINT, signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE)])
        self.assertEqual(loggers, (logging.getLogger().handlers,
                                   logging.getLogger('concurrent.futures').handlers))
        self.assertEqual(multiprocessing.get_start_method(allow_none=True), method)
        self.assertEqual(state, (dict(os.environ), os.getcwd(), list(sys.path), sys.excepthook,
                                 threading.excepthook))

    def test_nothing_grows(self):
        with dray.ProcessPoolExecutor(1) as executor:
            def run(n):
                for _ in range(n // 100):
                    for future in [executor.submit(work.square, i) for i in range(100)]:
                        future.result()
            run(3000)
            gc.collect()
            memory, objects = resident(), len(gc.get_objects())
            run(20_000)
            gc.collect()
            self.assertLess(len(gc.get_objects()) - objects, 500)
            self.assertLess(resident() - memory, 8 << 20)

    def test_in_threads(self):
        results = []

        def use():
            with dray.ProcessPoolExecutor(1) as executor:
                results.append(sum(executor.map(work.square, range(20))))

        users = [threading.Thread(target=use) for _ in range(4)]
        for user in users:
            user.start()
        for user in users:
            user.join(WATCHDOG)
        self.assertEqual(results, [sum(i * i for i in range(20))] * 4)


class TestFirstUse(unittest.TestCase):
    """Nothing is made when it is first used, by as many threads as use it then."""

    PROGRAM = '''
        import sys, threading
        from dray import ProcessPoolExecutor

        def use():
            together.wait()
            with ProcessPoolExecutor(1) as executor:
                assert executor.submit(abs, -1).result() == 1
                assert executor.options(timeout=3600).submit(abs, -2).result() == 2
            print('well', flush=True)

        if __name__ == '__main__':
            sys.setswitchinterval(1e-6)
            together = threading.Barrier(4)
            users = [threading.Thread(target=use) for _ in range(4)]
            for user in users:
                user.start()
            for user in users:
                user.join()
    '''

    def test_in_threads(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'program.py')
            path.write_text(textwrap.dedent(self.PROGRAM))
            result = subprocess.run([sys.executable, path], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, timeout=WATCHDOG,
                                    check=False)
        self.assertEqual(result.stdout, 'well\n' * 4)


class ProgramCase(unittest.TestCase):

    def run_program(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name, 'program.py')
        path.write_text(textwrap.dedent(text))
        environment = {**os.environ, 'PYTHONFAULTHANDLER': '1'}
        result = subprocess.run([sys.executable, path], stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.STDOUT, timeout=WATCHDOG, check=False,
                                env=environment)
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout


class TestNoForks(ProgramCase):
    """Whatever an executor does, the application is never forked for it."""

    def test_all_that_starts_workers(self):
        """What is to be done before each fork is counted, from before the package is imported."""
        self.run_program('''
            import ctypes, multiprocessing, os, signal, time, traceback

            forks = []
            note = ctypes.CFUNCTYPE(None)(lambda: forks.append(traceback.extract_stack()))
            # pthread_atfork() is linked into each program, and only this is in the library.
            assert ctypes.CDLL(None).__register_atfork(note, None, None, None) == 0

            import dray

            def count(n):
                yield from range(n)

            def die(signum):
                os.kill(os.getpid(), signum)

            def prepare():
                pass

            def use(**options):
                with dray.ProcessPoolExecutor(2, **options) as executor:
                    assert executor.submit(abs, -1).result() == 1
                    assert list(executor.map(abs, range(100), chunksize=7)) == list(range(100))
                    assert list(executor.submit(count, 1000)) == list(range(1000))
                    assert len(executor.submit(bytes, 1 << 22).result()) == 1 << 22
                    crashed = executor.submit(die, signal.SIGKILL)
                    assert isinstance(crashed.exception(), dray.BrokenProcessPool)
                    again = executor.options(retries=2).submit(die, signal.SIGSEGV)
                    assert isinstance(again.exception(), dray.BrokenProcessPool)
                    late = executor.options(timeout=0.01).submit(time.sleep, 3600)
                    assert isinstance(late.exception(), TimeoutError)
                    assert executor.submit(abs, -2).result() == 2

            if __name__ == '__main__':
                use()
                use(initializer=prepare, max_tasks_per_child=1)
                use(mp_context=multiprocessing.get_context('fork'))
                executor = dray.ProcessPoolExecutor(2)
                future = executor.submit(time.sleep, 3600)
                while not future.running():
                    time.sleep(0.001)
                executor.kill_workers()
                assert isinstance(future.exception(), dray.BrokenProcessPool)
                executor.shutdown()
                for fork in forks:
                    print(*traceback.format_list(fork))
                assert not forks
                pid = os.fork()  # it would have been noticed
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
                assert len(forks) == 1
        ''')


class TestForks(ProgramCase):
    """What the application forks, by whatever means, ends in good order, and hears a clear
    error."""

    def test_fork_hears_a_clear_error(self):
        output = self.run_program('''
            import os, sys, time, dray
            if __name__ == '__main__':
                executor = dray.ProcessPoolExecutor(1)
                assert executor.submit(abs, -1).result() == 1
                running = executor.submit(time.sleep, 0.5)
                pid = os.fork()
                if pid == 0:
                    try:
                        executor.submit(abs, -1)
                    except RuntimeError as error:
                        print(error, flush=True)
                    print(running.exception(), flush=True)
                    executor.shutdown()
                    with dray.ProcessPoolExecutor(1) as own:
                        assert own.submit(abs, -3).result() == 3
                    sys.exit(3)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
                assert executor.submit(abs, -2).result() == 2
        ''')
        self.assertEqual(len(output.splitlines()), 2, output)
        for line in output.splitlines():
            self.assertIn('fork', line)

    def test_streams(self):
        """They are dropped in the fork, which is nothing to the application."""
        self.run_program('''
            import gc, os, sys, dray
            def count(n):
                yield from range(n)
            if __name__ == '__main__':
                executor = dray.ProcessPoolExecutor(1)
                streams = [executor.submit(count, 5000) for _ in range(3)]
                assert next(streams[0]) == 0
                pid = os.fork()
                if pid == 0:
                    assert 'fork' in str(streams[2].exception())
                    streams.clear()
                    gc.collect()
                    sys.exit(3)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
                first, second, _ = streams
                del streams
                assert list(first) == list(range(1, 5000))
                assert list(second) == list(range(5000))
        ''')

    def test_streams_are_not_read(self):
        """However far they had come, nobody waits in the fork for what does not come there."""
        output = self.run_program('''
            import asyncio, os, signal, sys, time, dray
            def count(n):
                yield from range(n)
            async def iterate(stream):
                return [item async for item in stream]
            def tell(function, *args):
                try:
                    print(function(*args), flush=True)
                except RuntimeError as error:
                    print(type(error).__name__, 'fork' in str(error), flush=True)
            if __name__ == '__main__':
                executor = dray.ProcessPoolExecutor(1)
                done, complete, begun, unread = (
                    executor.submit(count, n) for n in (3, 3, 5000, 5000))
                while not done.done():
                    time.sleep(0.001)
                assert list(complete) == [0, 1, 2]
                assert next(begun) == 0
                pid = os.fork()
                if pid == 0:
                    signal.alarm(60)
                    for stream in done, begun, unread:
                        tell(next, stream)
                        tell(asyncio.run, iterate(stream))
                        stream.close()
                        tell(next, stream)
                    for stream in done, begun, unread:
                        tell(stream.result)
                    tell(list, complete)
                    sys.exit(3)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
                assert list(done) == [0, 1, 2]
                assert list(begun) == list(range(1, 5000))
                assert list(unread) == list(range(5000))
        ''')
        refused = 'BrokenProcessPool True'
        self.assertEqual(output.splitlines(),
                         [refused] * 9 + ['None', refused, refused, '[]'])

    def test_processes_of_multiprocessing(self):
        self.run_program('''
            import multiprocessing, dray
            def child(queue): queue.put(7)
            if __name__ == '__main__':
                context = multiprocessing.get_context('fork')
                with dray.ProcessPoolExecutor(1) as executor:
                    executor.submit(abs, -1)
                    for _ in range(10):
                        queue = context.Queue()
                        process = context.Process(target=child, args=(queue,))
                        process.start()
                        assert queue.get() == 7
                        process.join()
                        assert process.exitcode == 0
        ''')

    def test_while_other_threads_submit(self):
        self.run_program('''
            import os, threading, dray
            if __name__ == '__main__':
                executor = dray.ProcessPoolExecutor(1)
                is_over = False
                def submit():
                    while not is_over:
                        executor.submit(abs, -1).result()
                threads = [threading.Thread(target=submit) for _ in range(3)]
                for thread in threads:
                    thread.start()
                for _ in range(30):
                    pid = os.fork()
                    if pid == 0:
                        try:
                            executor.submit(abs, -1)
                        except RuntimeError:
                            executor.shutdown()
                            os._exit(5)
                        os._exit(6)
                    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
                is_over = True
        ''')
