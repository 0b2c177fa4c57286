# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that the package works in PyGObject's own event loop, in which asyncio and GLib are one.

PyGObject has it since 3.50; with an older one all of this is skipped. Something that is like it,
and is there always, is in test-contexts.
"""

import asyncio
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import unittest

import gi
import work
from cases import WATCHDOG, ExecutorCase, be_patient
from gi.repository import Gio, GLib
from terminal import Terminal

try:
    from gi.events import GLibEventLoop, GLibEventLoopPolicy
except ImportError:
    raise unittest.SkipTest(f'PyGObject has its own event loop since 3.50, and this is '
                            f'{gi.__version__}') from None

TESTS = pathlib.Path(__file__).resolve().parent


class EventsCase(ExecutorCase):

    def setUp(self):
        super().setUp()
        policy = GLibEventLoopPolicy()
        asyncio.set_event_loop_policy(policy)
        self.addCleanup(asyncio.set_event_loop_policy, None)
        self.loop = policy.get_event_loop()
        self.addCleanup(self.loop.close)

    def run_in_loop(self, coroutine):
        """That of the default main context, which is iterated meanwhile."""
        self.assertIsInstance(self.loop, GLibEventLoop)
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, WATCHDOG))

    async def see_file(self, path):
        while not os.path.exists(path):
            await asyncio.sleep(0.001)


class TestEventLoop(EventsCase):

    def test_await(self):
        async def add():
            first, second = (self.executor.submit(work.square, number) for number in (3, 4))
            return await first + await second

        self.assertEqual(self.run_in_loop(add()), 25)

    def test_await_what_fails(self):
        async def fail():
            with self.assertRaisesRegex(ValueError, 'for a reason'):
                await self.executor.submit(work.fail, 'for a reason')
            return await asyncio.gather(*(self.executor.submit(work.square, i) for i in range(9)))

        self.assertEqual(self.run_in_loop(fail()), [i * i for i in range(9)])

    def test_sources_are_called_meanwhile(self):
        """The call ends by what a source of GLib's does while it is awaited."""
        gate, ticks = self.path('gate'), []

        def tick():
            ticks.append(threading.current_thread())
            if len(ticks) == 3:
                open(gate, 'w').close()
            return True

        async def wait():
            ticking = GLib.timeout_add(1, tick)
            await self.executor.submit(work.wait_for_file, gate)
            GLib.source_remove(ticking)

        self.run_in_loop(wait())
        self.assertEqual(set(ticks), {threading.main_thread()})

    def test_stream(self):
        async def read():
            first = [item async for item in self.executor.submit(work.count, 300)]
            stream, some = self.executor.submit(work.endless), []
            async for item in stream:
                some.append(item)
                if len(some) == 1000:
                    break
            stream.close()
            return first, some

        self.assertEqual(self.run_in_loop(read()), (list(range(300)), [b'x'] * 1000))

    def test_stream_that_waits_for_a_source(self):
        """Items come while there is nothing else to do, and after what GLib has done."""
        gate, loop = self.path('gate'), self.loop

        async def read():
            items = []
            GLib.idle_add(lambda: open(gate, 'w').close())
            async for item in self.executor.submit(work.wait_and_count, gate, 3):
                self.assertIs(asyncio.get_running_loop(), loop)
                items.append(item)
            return items

        self.assertEqual(self.run_in_loop(read()), [0, 1, 2])

    def test_cancelled_task_cancels_its_call(self):
        be_patient(self.executor)
        started, ended = self.path('started'), self.path('ended')

        async def wait_for(future):
            await future

        async def begin_and_cancel():
            future = self.executor.submit(work.sleep_until_cancelled, started, ended)
            task = asyncio.create_task(wait_for(future))
            await self.see_file(started)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            await self.see_file(ended)
            return future

        self.assertTrue(self.run_in_loop(begin_and_cancel()).cancelled())

    def test_callbacks_come_in_the_loop(self):
        seen = []

        async def begin():
            over = asyncio.Event()

            def done(future):
                seen.append((future.result(), threading.current_thread(),
                             asyncio.get_running_loop()))
                over.set()

            options = self.executor.options(
                on_progress=lambda *report: seen.append((report, threading.current_thread())))
            options.submit(work.report, [(0.5, 'half'), (1, 'all')]).add_done_callback(done)
            await over.wait()

        self.run_in_loop(begin())
        main = threading.main_thread()
        self.assertEqual(seen[-2:], [((1, 'all'), main), (2, main, self.loop)])

    def test_loop_of_a_thread(self):
        """A main context of its own, where callbacks come as well."""
        outcome = []

        async def work_in_thread():
            over, seen = asyncio.Event(), []
            future = self.executor.submit(work.square, 5)
            future.add_done_callback(lambda _: seen.append(threading.current_thread()))
            future.add_done_callback(lambda _: over.set())
            squared = await future
            await over.wait()
            items = [item async for item in self.executor.submit(work.count, 3)]
            return squared, seen, items

        def run():
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            outcome.append(loop.run_until_complete(work_in_thread()))
            asyncio.set_event_loop(None)
            loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(WATCHDOG)
        self.assertEqual(outcome, [(25, [thread], [0, 1, 2])])


class TestApplication(EventsCase):

    def test_run(self):
        """An application's run() runs what was begun in its activation, and ends by it."""
        application = Gio.Application(application_id=None)
        outcome, tasks = [], set()

        async def use(executor):
            outcome.append(await executor.submit(work.square, 6))
            outcome.append([item async for item in executor.submit(work.count, 4)])
            executor.submit(work.square, 7).add_done_callback(finish)

        def finish(future):
            outcome.append((future.result(), threading.current_thread()))
            application.release()

        def activate(application):
            application.hold()
            tasks.add(asyncio.get_event_loop().create_task(use(self.executor)))

        application.connect('activate', activate)
        self.assertEqual(application.run(), 0)
        self.assertEqual(outcome, [36, [0, 1, 2, 3], (49, threading.main_thread())])
        self.assertTrue(all(task.done() for task in tasks))


# Runs in a process of its own; the argument is what it is to do.
PROGRAM = '''
import asyncio, sys, time
import dray
from gi.events import GLibEventLoopPolicy

def count(n):
    for i in range(n):
        dray.set_progress((i + 1) / n)
        yield i

def work():
    try:
        print('running', flush=True)
        while True:
            time.sleep(0.1)  # what comes just before is heard of afterwards
    except BaseException as error:
        print(f'ended by {type(error).__name__}', flush=True)
        raise

async def wait():
    with dray.ProcessPoolExecutor(1) as executor:
        await executor.submit(work)

def run_window():
    import gi
    gi.require_version('Gtk', '3.0')
    from gi.repository import Gtk

    class Application(Gtk.Application):

        def do_activate(self):
            self.label = Gtk.Label()
            self.window = Gtk.ApplicationWindow(application=self, child=self.label)
            self.window.show_all()
            self.task = asyncio.get_event_loop().create_task(self.fill())

        async def fill(self):
            with dray.ProcessPoolExecutor(1) as executor:
                async for item in executor.submit(count, 3):
                    self.label.set_text(f'{self.label.get_text()} {item}')
                await executor.submit(abs, -1)
            print('label:' + self.label.get_text(), flush=True)
            self.window.destroy()

    return Application(application_id=None).run()

if __name__ == '__main__':
    policy = GLibEventLoopPolicy()
    asyncio.set_event_loop_policy(policy)
    if sys.argv[1] == 'window':
        sys.exit(run_window())
    policy.get_event_loop().run_until_complete(wait())
'''


class TestPrograms(unittest.TestCase):

    def start(self, what, *prefix):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        program = pathlib.Path(folder.name, 'program.py')
        program.write_text(PROGRAM)
        # What is started for accessible programs takes its time to end.
        terminal = Terminal(*prefix, sys.executable, program, what,
                            environment={'NO_AT_BRIDGE': '1'})
        self.addCleanup(terminal.close)
        return terminal

    @unittest.skipIf(shutil.which('xvfb-run') is None, 'there is no Xvfb')
    def test_window(self):
        terminal = self.start('window', TESTS.parent / 'support/on-display')
        self.assertEqual(terminal.wait(), 0, terminal.output)
        self.assertIn('label: 0 1 2\n', terminal.output)

    def test_ctrl_c(self):
        terminal = self.start('wait')
        terminal.wait_for('^running$')
        terminal.press_ctrl_c()
        self.assertEqual(terminal.wait(), -signal.SIGINT, terminal.output)
        self.assertEqual(terminal.output.splitlines().count('ended by JobCancelled'), 1,
                         terminal.output)
        self.assertEqual(terminal.processes(), set())
