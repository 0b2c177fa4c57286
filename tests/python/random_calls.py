# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random calls of the whole interface of the package: the operations, each with what is known of
it.

An operation takes a Doer, which has the world and a source of random numbers. It may be called on
any thread, and in any callback.
"""

import asyncio
import concurrent.futures
import gc
import logging
import os
import random
import threading
import time

import dray
import work
from gi.repository import GLib
from random_world import BROKEN, CANCELLED, SHUT_DOWN, TIMED_OUT, Callback, Executor, Fate

NEVER = object()  # the result of what does not return
A_MOMENT = 0.02  # s

_here = threading.local()


class Doer:
    """Does one thing after the other, as its random numbers say."""

    def __init__(self, world, seed):
        self.world = world
        self.random = random.Random(seed)

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def timeout(self):
        return self.random.choice([0, 0.001, 0.01, None, None])

    def do_something(self, operations=None):
        operations = operations or OPERATIONS
        operation, = self.random.choices(*zip(*operations.items()))
        operation(self)

    def reenter(self):
        """In a callback: what is done there is done in a callback, too."""
        depth = getattr(_here, 'depth', 0)
        if depth >= self.world.most_depth or self.world.is_ending:
            return
        _here.depth = depth + 1
        try:
            if self.chance(35):
                self.do_something(getattr(_here, 'operations', None))
        except Exception as error:
            self.tell(error)
        finally:
            _here.depth = depth

    def tell(self, error):
        """That of an operation, which has no reason to raise one but the end of the program."""
        if not is_about_end(error):
            logging.getLogger('random').error('', exc_info=error)
            self.world.wrong(f'{type(error).__name__}: {error}')

    def another(self):
        return Doer(self.world, self.random.random())


def is_about_end(error):
    return 'interpreter shutdown' in str(error)


def _add_callback(doer, fate, future):
    is_in_loop = (GLib.main_depth() > 0
                  and not threading.current_thread().name.startswith('dray'))
    other = doer.another()
    future.add_done_callback(Callback(
        doer.world, fate, threading.current_thread() if is_in_loop else None,
        lambda _future: other.reenter()))
    fate.call_back(future)


# --- Executors ---

def new_executor(doer):
    random = doer.random
    n_workers = random.choice([1, 1, 2, 3])
    options, ends = {}, doer.world.ends
    kind = random.choice(['plain', 'plain', 'breaks', 'renews', 'initializes', 'fails'])
    if kind == 'breaks':
        options['on_crash'] = 'break'
        ends |= BROKEN
    elif kind == 'renews':
        options['max_tasks_per_child'] = random.choice([2, 10, 20])
    elif kind == 'initializes':
        options.update(initializer=work.remember, initargs=(3,))
    elif kind == 'fails' and doer.chance(20):
        options.update(initializer=work.fail, initargs=('not today',))
        ends |= BROKEN
    return Executor(dray.ProcessPoolExecutor(n_workers, **options), f'{kind} ({n_workers})', ends)


def replace_executor(doer):
    """The old one is dropped, or shut down before that."""
    if doer.world.is_ending:
        return
    old = doer.world.replace_executor(doer.random, new_executor(doer))
    if old is not None and doer.chance(50):
        _end(doer, old)


def end_executor(doer):
    executor = doer.world.pick_executor(doer.random)
    if executor is not None and doer.chance(30):
        _end(doer, executor)


def _end(doer, executor):
    how = doer.random.randrange(4)
    executor.ends |= SHUT_DOWN
    if how == 0:
        executor.executor.shutdown(doer.chance(60))
    elif how == 1:
        executor.ends |= CANCELLED
        executor.executor.shutdown(doer.chance(60), cancel_futures=True)
    else:
        executor.ends |= BROKEN | CANCELLED
        if how == 2:
            executor.executor.terminate_workers()
        else:
            executor.executor.kill_workers()


def look_at_processes(doer):
    executor = doer.world.pick_executor(doer.random)
    if executor is None:
        return
    kills = doer.chance(30)
    if kills:
        executor.ends |= BROKEN
    for process in executor.executor._processes.living():
        repr(process)
        if kills:
            process.kill()


# --- Calls ---

def submit(doer):
    """Sometimes many at once."""
    executor = doer.world.pick_executor(doer.random)
    if executor is None:
        return
    for _ in range(doer.random.choice([1, 1, 1, 2, 12])):
        submit_to(doer, executor)


def submit_to(doer, executor, make=None):
    """Returns the fate and the future, which others may get as well, if there are any."""
    if make is None:
        make, = doer.random.choices(*zip(*CALLS.items()))
    options, fate, function, *arguments = make(doer, executor)
    view = executor.executor
    if doer.chance(25):
        options['priority'] = doer.random.randint(-2, 2)
    if options:
        view = view.options(**options)
    try:
        future = view.submit(function, *arguments)
    except RuntimeError as error:
        if not is_about_end(error):
            end = BROKEN if isinstance(error, dray.BrokenProcessPool) else SHUT_DOWN
            doer.world.check(executor.ends & (end | BROKEN), f'{fate.what}: {error}')
        return None
    doer.world.put(doer.random, (fate, future))
    if doer.chance(40):
        _add_callback(doer, fate, future)
    return fate, future


def _square(doer, executor):
    number = doer.random.randrange(1000)
    options = {'key': f'square {number % 8}'} if doer.chance(10) else {}
    if options:
        number %= 8
    return options, Fate(doer.world, executor, 'square', number ** 2), work.square, number


def _sleep(doer, executor):
    return {}, Fate(doer.world, executor, 'sleep'), time.sleep, doer.random.random() * A_MOMENT


def _echo(doer, executor):
    value = bytes(doer.random.choice([10, 100_000, 3_000_000]))
    return {}, Fate(doer.world, executor, 'echo', value), work.echo, value


def _fail(doer, executor):
    return ({}, Fate(doer.world, executor, 'fail', error=(ValueError, 'wrong')),
            work.fail, 'wrong')


def _die(doer, executor):
    options = {'retries': 1} if doer.chance(30) else {}
    fate = Fate(doer.world, executor, 'die', dies=True)
    return ((options, fate, work.die) if doer.chance(50)
            else (options, fate, os._exit, doer.random.randrange(3)))


def _unreadable(doer, executor):
    return {}, Fate(doer.world, executor, 'unreadable', dies=True), work.make_unreadable


def _unsendable(doer, executor):
    fate = Fate(doer.world, executor, 'unsendable',
                error=(TypeError, "cannot pickle '_thread.lock' object"))
    return {}, fate, work.echo, threading.Lock()


def _too_long(doer, executor):
    fate = Fate(doer.world, executor, 'too long', NEVER, ends=TIMED_OUT)
    return {'timeout': 0.01}, fate, time.sleep, 3600


def _report(doer, executor):
    reports = [(i / 10, str(i)) for i in range(doer.random.randint(1, 10))]
    fate = Fate(doer.world, executor, 'report', len(reports))
    return _follow(doer), fate, work.report, reports


def _follow(doer):
    last = -1

    def see(fraction, text):
        nonlocal last
        doer.world.check(fraction >= last, f'progress: {fraction} came after {last}')
        last = fraction
        other.reenter()

    other = doer.another()
    return {'on_progress': see}


def _stream_of(doer, executor, what, n_items, **expected):
    fate = Fate(doer.world, executor, what, **expected)
    fate.n_items = n_items
    return fate


def _count(doer, executor):
    n = doer.random.choice([0, 1, 10, 300, 3000])
    return {}, _stream_of(doer, executor, 'count', n, value='last'), work.count, n, 'last'


def _report_and_count(doer, executor):
    n = doer.random.choice([1, 10, 2000])
    stream = _stream_of(doer, executor, 'report and count', n)
    return _follow(doer), stream, work.report_and_count, n


def _blocks(doer, executor):
    n, size = doer.random.randrange(40), doer.random.choice([10, 70_000])
    fate = _stream_of(doer, executor, 'blocks', n)
    fate.makes_item = lambda number: (number, b'x' * size)
    return {}, fate, work.blocks, n, size


def _count_and_fail(doer, executor):
    n = doer.random.randrange(400)
    fate = _stream_of(doer, executor, 'count and fail', n, error=(ValueError, 'after all'))
    return {}, fate, work.count_and_fail, n


def _count_and_die(doer, executor):
    n = doer.random.randrange(400)
    fate = _stream_of(doer, executor, 'count and die', n, dies=True)
    return {}, fate, work.count_and_die, n


STREAMS = {
    _count: 14, _report_and_count: 2, _blocks: 4, _count_and_fail: 3, _count_and_die: 1,
}

CALLS = {
    _square: 30, _sleep: 12, _echo: 5, _fail: 6, _die: 2, _unreadable: 1, _unsendable: 1,
    _too_long: 1, _report: 4, **STREAMS,
}


# --- Futures ---

def ask(doer):
    call = doer.world.pick(doer.random)
    if call is not None:
        ask_for(doer, *call)


def ask_for(doer, fate, future, timeout=NEVER):
    if timeout is NEVER:
        timeout = doer.timeout()
    try:
        if doer.chance(50):
            future.result(timeout)
        else:
            future.exception(timeout)
    except TimeoutError:
        doer.world.check(timeout is not None or fate.may(TIMED_OUT), f'{fate.what}: a timeout')
        return
    except (Exception, concurrent.futures.CancelledError) as error:
        doer.world.check(fate.expects(error), f'{fate.what}: {error!r}')
    fate.judge(future)


def look(doer):
    for fate, future in doer.world.pick_some(doer.random, 5):
        repr(future), future.running(), future.cancelled()
        if future.done():
            fate.judge(future)


def cancel(doer):
    call = doer.world.pick(doer.random)
    if call is None:
        return
    fate, future = call
    was_done = future.done()
    if not was_done:
        fate.ends |= CANCELLED
    cancelled = future.cancel()
    doer.world.check(future.done(), f'{fate.what}: cancel() did not end it')
    doer.world.check(cancelled == future.cancelled(), f'{fate.what}: cancel() says {cancelled}')


def add_callback(doer):
    call = doer.world.pick(doer.random)
    if call is not None:
        _add_callback(doer, *call)


def wait(doer):
    calls = doer.world.pick_some(doer.random, 8)
    fates = {future: fate for fate, future in calls}
    timeout = doer.timeout()
    mode = doer.random.choice([dray.ALL_COMPLETED, dray.FIRST_COMPLETED, dray.FIRST_EXCEPTION])
    done, _ = dray.wait(fates, timeout, mode)
    doer.world.check(timeout is not None or done or not fates, 'wait() did not wait')
    for future in done:
        fates[future].judge(future)


def as_completed(doer):
    fates = {future: fate for fate, future in doer.world.pick_some(doer.random, 8)}
    timeout = doer.timeout()
    try:
        for future in concurrent.futures.as_completed(list(fates), timeout):
            fates[future].judge(future)
            if doer.chance(10):
                break
    except TimeoutError:
        doer.world.check(timeout is not None, 'as_completed() timed out')


def drop(doer):
    doer.world.drop_one(doer.random)


def collect(doer):
    gc.collect(doer.random.randrange(3))


# --- Streams ---

def iterate(doer):
    call = doer.world.pick(doer.random, dray.Stream)
    if call is not None:
        iterate_some(doer, *call)


def iterate_some(doer, fate, stream):
    most = doer.random.choice([1, 5, 10_000])
    fate.begin()
    last = -1
    try:
        for _ in range(most):
            last = fate.see(next(stream), last)
    except StopIteration:
        fate.see_end()
    except (Exception, concurrent.futures.CancelledError) as error:
        doer.world.check(fate.expects(error), f'{fate.what}: {error!r}')
    if doer.chance(20):
        close(doer, fate, stream)


def close(doer, fate, stream):
    if not stream.done():
        fate.ends |= CANCELLED
    stream.close()
    doer.world.check(stream.done(), f'{fate.what}: close() did not end it')


def have_enough(doer):
    """Of a generator without an end, which is dropped where the loop is left."""
    executor = doer.world.pick_executor(doer.random)
    if executor is None:
        return
    n_taken = 0
    try:
        for item in executor.executor.submit(work.endless):
            doer.world.check(item == b'x', 'another item')
            n_taken += 1
            if n_taken > 100 or doer.chance(10):
                break
    except (dray.CancelledError, RuntimeError) as error:
        if not is_about_end(error):
            doer.world.check(executor.ends, f'endless in {executor.what}: {error!r}')


def forget(doer):
    """Streams that nobody iterates, and which are dropped at once, or by who has waited a while."""
    executor = doer.world.pick_executor(doer.random)
    if executor is None:
        return
    for _ in range(doer.random.choice([1, 1, 4])):
        make, = doer.random.choices(*zip(*STREAMS.items()))
        options, fate, function, *arguments = make(doer, executor)
        try:
            stream = executor.executor.options(**options).submit(function, *arguments)
        except RuntimeError as error:
            if not is_about_end(error):
                doer.world.check(executor.ends, f'{fate.what}: {error}')
            return
        doer.world.all_futures.add(stream)
        if doer.chance(30):
            dray.wait([stream], doer.random.random() * A_MOMENT)
        if doer.chance(20):
            ask_for(doer, fate, stream, 0.001)
        del stream


# --- Maps ---

def map_all(doer):
    """Or some, when the rest is dropped."""
    executor = doer.world.pick_executor(doer.random)
    if executor is None:
        return
    n = doer.random.choice([0, 1, 7, 60])
    options = {'chunksize': doer.random.choice([1, 1, 3])}
    if doer.chance(30):
        options['buffersize'] = doer.random.randint(1, 5)
    if doer.chance(20):
        options['timeout'] = doer.random.random() * A_MOMENT
    most = n if doer.chance(70) else doer.random.randint(0, n)
    taken = []
    try:
        results = executor.executor.map(work.square, range(n), **options)
        for _, number in zip(range(most), results):
            taken.append(number)
        doer.world.check(len(taken) == most, f'map: {len(taken)} results for {most}')
    except TimeoutError:
        doer.world.check('timeout' in options, 'map: a timeout')
    except (dray.CancelledError, RuntimeError) as error:
        if not is_about_end(error):
            doer.world.check(executor.ends, f'map in {executor.what}: {error!r}')
    doer.world.check(taken == [i * i for i in range(len(taken))], f'map: {taken}')


# --- What waits in a way that the package knows nothing of ---

def join_thread(doer):
    def do_something():
        _here.operations = HARMLESS
        other.do_something(HARMLESS)

    other = doer.another()
    thread = threading.Thread(target=do_something, name='joined', daemon=True)
    if doer.world.start_thread(thread):
        thread.join()


def run_asyncio(doer):
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(do_asynchronously(doer))


async def do_asynchronously(doer):
    operation = doer.random.choice(ASYNCHRONOUS)
    await operation(doer)


async def await_one(doer):
    """Who awaits does not block, and so nobody makes way for him: he has enough after a while.
    But what is done must come."""
    call = doer.world.pick(doer.random)
    if call is None:
        return
    fate, future = call
    fate.ends |= CANCELLED
    awaits = asyncio.ensure_future(_await(future))
    fate.call_back(future)
    await asyncio.wait([awaits], timeout=doer.random.random() * A_MOMENT)
    if future.done():
        await asyncio.wait([awaits])
        _judge_awaited(doer, fate, awaits)
        fate.judge(future)
    else:
        awaits.cancel()
        await asyncio.wait([awaits])
        doer.world.check(future.done(), f'{fate.what}: who awaits it was cancelled')


async def await_some(doer):
    calls = doer.world.pick_some(doer.random, 5)
    awaits = [asyncio.wrap_future(future) for _, future in calls]
    for fate, future in calls:
        fate.call_back(future)
    if calls:
        await asyncio.wait(awaits, timeout=A_MOMENT)
        for one in awaits:  # or asyncio complains that nobody looks at what comes later
            one.add_done_callback(lambda one: one.cancelled() or one.exception())
    for (fate, future), one in zip(calls, awaits):
        if one.done():
            _judge_awaited(doer, fate, one)
            fate.judge(future)


async def _await(future):
    return await future


def _judge_awaited(doer, fate, awaits):
    if awaits.cancelled():
        doer.world.check(fate.may(CANCELLED), f'{fate.what}: who awaits it is cancelled')
        return
    error = awaits.exception()
    if error is not None:
        doer.world.check(fate.expects(error), f'{fate.what}: {error!r}')


async def run_in_executor(doer):
    executor = doer.world.pick_executor(doer.random)
    if executor is None:
        return
    loop = asyncio.get_running_loop()
    try:
        calls = loop.run_in_executor(executor.executor, work.square, 5)
        answer = await asyncio.wait_for(calls, 10 * A_MOMENT)
        doer.world.check(answer == 25, f'asyncio: {answer}')
    except TimeoutError:
        pass
    except (asyncio.CancelledError, RuntimeError) as error:
        if not is_about_end(error):
            doer.world.check(executor.ends, f'asyncio in {executor.what}: {error!r}')


async def iterate_asynchronously(doer):
    call = doer.world.pick(doer.random, dray.Stream)
    if call is None:
        return
    fate, stream = call
    most = doer.random.choice([1, 5, 10_000])
    fate.begin()
    last = -1
    items = aiter(stream)
    try:
        for _ in range(most):
            timeout = None if stream.done() else 10 * A_MOMENT
            last = fate.see(await asyncio.wait_for(anext(items), timeout), last)
    except StopAsyncIteration:
        fate.see_end()
    except TimeoutError:
        doer.world.check(timeout is not None or fate.may(TIMED_OUT), f'{fate.what}: a timeout')
    except (Exception, concurrent.futures.CancelledError) as error:
        doer.world.check(fate.expects(error), f'{fate.what}: {error!r}')


ASYNCHRONOUS = [await_one, await_some, run_in_executor, iterate_asynchronously]

OPERATIONS = {
    submit: 30, ask: 8, look: 4, cancel: 6, add_callback: 6, wait: 5, as_completed: 5, drop: 6,
    collect: 1, iterate: 12, have_enough: 2, forget: 4, map_all: 4, replace_executor: 1,
    end_executor: 1, look_at_processes: 1, join_thread: 2, run_asyncio: 3,
}

# Whoever waits for a thread that does these waits for nothing that waits for him.
HARMLESS = {submit: 10, ask: 10, wait: 5, as_completed: 5, iterate: 20, map_all: 4}
