# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that what is called back comes in the main context, or in the loop of asyncio, that it
belongs to."""

import asyncio
import os
import selectors
import sys
import threading

import work
from cases import WATCHDOG, ExecutorCase
from dray import _callbacks
from gi.repository import GLib


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

    def test_callback_comes_in_the_loop_of_another_thread(self):
        """That has a main context of its own, and the main thread has a loop as well."""
        main_loop = GLib.MainLoop()
        gate = self.path('gate')
        seen = []

        def run_own_loop():
            context = GLib.MainContext.new()
            context.push_thread_default()
            loop = GLib.MainLoop.new(context, False)

            def done(future):
                seen.append(threading.current_thread())
                loop.quit()

            def begin(*_):
                self.executor.submit(work.wait_for_file, gate).add_done_callback(done)
                GLib.idle_add(lambda: open(gate, 'w').close())  # by the main thread's loop
                return False

            source = GLib.idle_source_new()
            source.set_callback(begin)
            source.attach(context)
            loop.run()
            context.pop_thread_default()
            GLib.idle_add(main_loop.quit)

        thread = threading.Thread(target=run_own_loop)
        thread.start()
        main_loop.run()
        thread.join()
        self.assertEqual(seen, [thread])

    def test_without_a_loop_it_comes_all_the_same(self):
        called = threading.Event()
        self.executor.submit(work.square, 4).add_done_callback(lambda future: called.set())
        self.assertTrue(called.wait(WATCHDOG))

    def test_without_a_loop_they_come_whatever_other_threads_do(self):
        """They all ask whether anybody iterates the context."""
        n_threads, n_calls = 6, 150
        called = []

        def call():
            for _ in range(n_calls):
                future = self.executor.submit(work.square, 4)
                future.add_done_callback(called.append)
                future.result(WATCHDOG)

        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-5)
        threads = [threading.Thread(target=call) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.executor.shutdown()
        self.assertEqual(len(called), n_threads * n_calls)

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
