# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that no order of waiting is a deadlock: in callbacks, on threads, in loops of asyncio, and
where finalizers ask for futures; and that it takes no more threads than that needs."""

import asyncio
import collections
import gc
import queue
import signal
import threading
import time
import unittest
import unittest.mock

import dray
import dray._callbacks
import work
from cases import WATCHDOG, WaitingCase
from gi.repository import GLib


class TestCallbacks(WaitingCase):

    def in_callback(self, function, executor=None):
        """What a function returns that is called when a call has ended, on the thread that sees
        to all others."""
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

    def test_thread_that_iterates(self):
        """And so with whatever else is no wait of the package's own: another thread does all that
        is to be done meanwhile."""
        def join():
            items = []
            stream = self.executor.submit(work.count, 1000)
            thread = threading.Thread(target=lambda: items.extend(stream))
            thread.start()
            thread.join()
            return items

        self.assertEqual(self.in_callback(join), list(range(1000)))

    def test_asyncio(self):
        async def wait():
            stream = self.executor.submit(work.count, 3)
            return await self.pause(), [item async for item in stream]

        self.assertEqual(self.in_callback(lambda: asyncio.run(wait())), (None, [0, 1, 2]))

    def test_of_progress(self):
        """Is held up in the same way."""
        reports = queue.SimpleQueue()

        def see(*report):
            self.pause().result()
            reports.put(report)

        self.executor.options(on_progress=see).submit(work.report, [(0.5, 'half')]).result()
        self.assertEqual(reports.get(timeout=WATCHDOG), (0.5, 'half'))

    def test_of_progress_for_the_same_call(self):
        """Of which the last is told by whoever finds the result, and calls back."""
        answers = queue.SimpleQueue()
        options = self.executor.options(on_progress=lambda *_report: answers.put(call.result()))
        call = options.submit(work.report, [(0.5, 'half')], str(self.gate))
        busy = threading.Event()
        self.addCleanup(busy.set)
        self.executor._pool.reactor.call(busy.wait)
        self.gate.touch()
        call._dray.wait(-1)
        self.assertEqual(call.result(), 1)
        self.assertEqual(answers.get(timeout=WATCHDOG), 1)

    def test_for_each_other(self):
        """The first waits for the second, which waits for the third, and so on."""
        n_callbacks = 4
        events = [threading.Event() for _ in range(n_callbacks + 1)]
        begun = queue.SimpleQueue()

        def wait_and_set(number):
            begun.put(number)
            events[number + 1].wait()
            events[number].set()

        calls = [self.executor.submit(work.wait_for_file, str(self.gate))
                 for _ in range(n_callbacks)]
        for number, call in enumerate(calls):
            call.add_done_callback(lambda _call, number=number: wait_and_set(number))
        self.gate.touch()
        self.assertEqual({begun.get(timeout=WATCHDOG) for _ in calls}, set(range(n_callbacks)))
        events[n_callbacks].set()
        self.assertTrue(events[0].wait(WATCHDOG))

    def test_for_each_other_when_the_pool_breaks(self):
        """All calls end by that, one after the other."""
        executor = dray.ProcessPoolExecutor(1, on_crash='break')
        self.addCleanup(executor.shutdown)
        answers = queue.SimpleQueue()
        calls = [executor.submit(work.wait_for_file_and_die, str(self.gate))]
        calls += [executor.submit(work.square, i) for i in range(3)]
        for call, other in zip(calls, calls[1:] + calls[:1]):
            call.add_done_callback(lambda _, other=other: answers.put(other.exception(WATCHDOG)))
        self.gate.touch()
        for _ in calls:
            self.assertIsInstance(answers.get(timeout=WATCHDOG), dray.BrokenProcessPool)

    def test_that_submits_and_hears_of_progress(self):
        def report():
            reports = queue.SimpleQueue()
            call = self.executor.options(on_progress=lambda *report: reports.put(report)).submit(
                work.report, [(0.5, 'half')])
            return call.result(), reports.get(timeout=WATCHDOG)

        self.assertEqual(self.in_callback(report), (1, (0.5, 'half')))

    def test_shutdown_when_it_was_cancelled(self):
        """Who cancels calls back, and the call may be one that does not end by itself."""
        endless = self.executor.submit(work.endless)
        endless.add_done_callback(lambda _future: self.executor.shutdown())
        endless.cancel()
        self.assertTrue(endless.cancelled())

    def test_shutdown_of_each_other(self):
        """Each in a callback of the other, on threads that wanted the results."""
        busy = threading.Event()
        self.executor._pool.reactor.call(busy.wait)
        others = [self.executor, dray.ProcessPoolExecutor(1)]
        meeting = threading.Barrier(2)

        def end(other):
            meeting.wait(WATCHDOG)
            other.shutdown()

        def want(executor, other):
            future = executor.submit(work.square, 3)
            future.add_done_callback(lambda _future: end(other))
            future._dray.wait(-1)
            future.result()

        threads = [threading.Thread(target=want, args=[a, b], daemon=True)
                   for a, b in (others, others[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WATCHDOG)
        busy.set()
        self.assertEqual([thread.is_alive() for thread in threads], [False] * 2)

    def test_in_a_callback_that_comes_meanwhile(self):
        """On the threads that have come to wait for the first, and for more than there are
        workers."""
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


class TestAsyncio(WaitingCase):

    async def collect(self):
        await asyncio.sleep(0)
        stream = self.executor.submit(work.count, 3)
        return await self.executor.submit(work.square, 3), [item async for item in stream]

    def test_end_of_a_stream_that_is_not_waited_for(self):
        """All that was yielded has come, and the stream is about to be done."""
        reactor = self.executor._pool.reactor
        ends = queue.SimpleQueue()

        async def give_up(stream):
            end = asyncio.ensure_future(anext(aiter(stream)))
            while not stream._done_callbacks:
                await asyncio.sleep(0.001)
            end.cancel()
            await asyncio.wait([end])
            return end.cancelled()

        with unittest.mock.patch.object(reactor, 'settle', ends.put):  # nobody sees to that yet
            stream = self.executor.submit(work.count, 0, 'last')
            self.assertTrue(asyncio.run(give_up(stream)))
            addresses = [ends.get(timeout=WATCHDOG)]
            while addresses[-1] != stream._dray.address:  # but what other tests have left
                addresses.append(ends.get(timeout=WATCHDOG))
        for address in addresses:
            reactor.settle(address)
        self.assertEqual(stream.result(WATCHDOG), 'last')

    def test_result_of_a_stream_that_nobody_iterates(self):
        """However it is awaited, and wherever: it takes in all items, as result() does."""
        n_items = 20_000

        async def await_it():
            stream = self.executor.submit(work.count, n_items, 'last')
            other = self.executor.submit(work.count, n_items, 'last')
            return await stream, await asyncio.wrap_future(other), stream

        answers = queue.SimpleQueue()
        self.executor.submit(work.square, 3).add_done_callback(
            lambda _future: answers.put(asyncio.run(await_it())))
        for *results, stream in asyncio.run(await_it()), answers.get(timeout=WATCHDOG):
            self.assertEqual(results, ['last', 'last'])
            self.assertEqual(list(stream), list(range(n_items)))

    def test_result_of_a_stream_that_somebody_iterates(self):
        """It takes in no more than he wants, whichever comes first."""
        counters = self.executor._pool.dray.dup_counters

        async def await_and_iterate(awaits_first):
            stream = self.executor.submit(work.endless)
            end = asyncio.wrap_future(stream) if awaits_first else None
            items = aiter(stream)
            self.assertEqual(await anext(items), b'x')
            end = end or asyncio.wrap_future(stream)
            while counters().undelivered_items < 500:  # or it would have been asked for
                await asyncio.sleep(0.001)
            self.assertEqual(await anext(items), b'x')
            stream.close()
            await asyncio.wait([end])
            return end.cancelled()

        for awaits_first in False, True:
            self.assertTrue(asyncio.run(await_and_iterate(awaits_first)))

    def test_while_the_main_loop_does_something_else(self):
        """Its context belongs to this thread, which has no time for it."""
        answers = queue.SimpleQueue()
        context = GLib.MainContext.default()
        self.assertTrue(context.acquire())
        self.addCleanup(context.release)
        threading.Thread(target=lambda: answers.put(asyncio.run(self.collect())),
                         daemon=True).start()
        self.assertEqual(answers.get(timeout=WATCHDOG), (9, [0, 1, 2]))

    def test_in_what_the_main_loop_runs(self):
        answers = []
        GLib.idle_add(lambda: answers.append(asyncio.run(self.collect())))
        while not answers:
            GLib.MainContext.default().iteration(True)
        self.assertEqual(answers, [(9, [0, 1, 2])])


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


class NosyCalls(collections.deque):
    """Where a finalizer is run while somebody finds that there is nothing."""

    finalizer = None

    def __bool__(self):
        is_empty = len(self) == 0
        finalizer, self.finalizer = self.finalizer, None
        if is_empty and finalizer is not None:
            finalizer()
        return not is_empty


class TestPlaces(unittest.TestCase):

    def run_elsewhere(self, function):
        results = []
        thread = threading.Thread(target=lambda: results.append(function()))
        thread.start()
        thread.join()
        return results[0]

    def test_nobody_iterates_it(self):
        place = dray._callbacks.Place(GLib.MainContext.new())
        self.assertFalse(place.is_running())
        self.assertFalse(self.run_elsewhere(place.is_running))

    def test_somebody_iterates_it(self):
        context = GLib.MainContext.new()
        place = dray._callbacks.Place(context)
        self.assertTrue(context.acquire())
        self.assertTrue(place.is_running())
        self.assertTrue(self.run_elsewhere(place.is_running))
        context.release()
        self.assertFalse(place.is_running())

    def test_interrupted_while_it_is_asked_for(self):
        """At any moment: nobody has it then."""
        def interrupt(signum, frame):
            raise KeyboardInterrupt

        handler = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, handler)
        context = GLib.MainContext.new()
        place = dray._callbacks.Place(context)
        n_rounds, n_caught = 2000, 0
        for i in range(n_rounds):
            try:
                signal.setitimer(signal.ITIMER_REAL, 2e-5 + i % 97 * 1e-6)
                while not place.is_running():
                    time.sleep(0)  # now and then Python itself has to see that there is a signal
            except KeyboardInterrupt:
                n_caught += 1
            self.assertFalse(context.is_owner(), f'in round {i}')
        self.assertEqual(n_caught, n_rounds)
        self.assertFalse(self.run_elsewhere(place.is_running))

    def test_call_by_a_finalizer_when_the_last_is_done(self):
        context = GLib.MainContext.new()
        place = dray._callbacks.Place(context)
        calls = []
        place._calls = NosyCalls()
        place._calls.finalizer = lambda: place.call(lambda: calls.append(2))
        place.call(lambda: calls.append(1))
        while context.pending():
            context.iteration(False)
        self.assertEqual(calls, [1, 2])


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
        self.submit_among(
            lambda: (future.done(), future.running(), future.cancelled(), repr(future)))

    def test_add_callbacks(self):
        called = []
        future = self.executor.submit(time.sleep, 0.01)
        self.submit_among(lambda: future.add_done_callback(called.append))
        self.wait_for(lambda: len(called) > 100)  # another thread calls those that waited for it

    def test_drop_streams(self):
        """A finalizer that submits one, which nobody has then, also where there is a lock."""
        n_submitted = 0

        def submit_and_drop():
            nonlocal n_submitted
            if n_submitted < 100:
                n_submitted += 1
                self.executor.submit(work.count, 2000)

        self.submit_among(submit_and_drop)
        self.assertGreater(n_submitted, 10)

    def test_submit(self):
        others = []
        self.submit_among(lambda: len(others) < 200 and others.append(
            self.executor.submit(work.square, 3)))
        self.assertEqual([other.result(WATCHDOG) for other in others], [9] * len(others))

    def test_submit_with_progress(self):
        """Of which the last is told in any case."""
        others, reports = [], []

        def submit():
            if len(others) < 100:
                followed = self.executor.options(on_progress=lambda *report: reports.append(report))
                others.append(followed.submit(work.report, [(0.5, 'half')]))

        self.submit_among(submit)
        self.assertEqual([other.result(WATCHDOG) for other in others], [1] * len(others))
        self.wait_for(lambda: reports == [(0.5, 'half')] * len(others))

    def test_make_an_executor_while_another_is_made(self):
        """The first of all, which starts the thread of all."""
        def new_reactor():
            if next(first, False):
                others.append(dray.ProcessPoolExecutor(1))  # a finalizer's
            return reactor_class()

        self.executor.shutdown()
        self.wait_for(lambda: dray._reactor._reactor is None)
        others = []
        first = iter([True])
        reactor_class = dray._reactor.Reactor
        with unittest.mock.patch.object(dray._reactor, 'Reactor', new_reactor):
            others.append(dray.ProcessPoolExecutor(1))
        for other in others:
            with other:
                self.assertEqual(other.submit(work.square, 3).result(WATCHDOG), 9)
