# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rounds of random calls, and programs that end in the midst of one.

Usage: random_rounds.py --seed N --end END        what test-random.py starts

In a round there are four actors: the main thread, which iterates the main context of GLib in
every other round, a thread with a main context of its own, one with a loop of asyncio, and one
with neither.
"""

import argparse
import atexit
import asyncio
import faulthandler
import gc
import os
import pathlib
import random
import signal
import sys
import threading
import time

import dray
import random_calls
import work
from dray import _turns
from gi.repository import GLib
from random_calls import Doer
from random_world import CANCELLED, SHUT_DOWN, World
from resources import descriptors

TIME_FACTOR = int(os.environ.get('DRAY_TEST_TIME_FACTOR', '1'))
PATIENCE = 150 * TIME_FACTOR  # s: no round takes as long, on any machine
SETTLING_TIME = 20 * TIME_FACTOR  # s
N_STEPS = 30
PACKAGES_PATIENCE = _turns._PATIENCE
A_MOMENT = 0.001  # s


# --- Actors ---

class Actor(Doer):

    def __init__(self, world, seed, n_steps):
        super().__init__(world, seed)
        self.n_steps = n_steps
        self.has_acted = False

    def steps(self):
        """Does one each time that it is asked."""
        for _ in range(self.n_steps):
            if self.world.is_ending:
                break
            try:
                self.do_something()
            except Exception as error:
                self.tell(error)
            yield

    def act(self):
        for _ in self.steps():
            pass
        self.has_acted = True


class LoopActor(Actor):
    """Does what it does in a main loop, or beside it."""

    def act(self):
        context = GLib.MainContext.ref_thread_default()
        steps = self.steps()
        has_more = True

        def do_one(*_data):
            nonlocal has_more
            has_more = next(steps, self) is not self
            return False

        while has_more:
            if self.chance(50):
                source = GLib.idle_source_new()
                source.set_callback(do_one)
                source.attach(context)
            else:
                do_one()
            for _ in range(self.random.randint(1, 4)):
                context.iteration(False)
        self.has_acted = True


class OtherLoopActor(LoopActor):
    """In a main context of its own."""

    def act(self):
        context = GLib.MainContext.new()
        context.push_thread_default()
        super().act()
        while not self.world.is_over:
            context.iteration(False)
            time.sleep(0.0005)
        while context.iteration(False):
            pass
        context.pop_thread_default()


class AsyncioActor(Actor):

    def act(self):
        asyncio.run(self.act_asynchronously())

    async def act_asynchronously(self):
        """Some of it at the same time."""
        tasks = []
        for _ in self.steps():
            tasks.append(asyncio.ensure_future(random_calls.do_asynchronously(self.another())))
            if self.chance(40):
                await asyncio.sleep(0)
            if self.chance(10):
                await asyncio.gather(*tasks)
                tasks.clear()
        await asyncio.gather(*tasks)
        self.has_acted = True


def _start(actor, daemon):
    def act():
        try:
            actor.act()
        except BaseException as error:
            if not isinstance(error, SystemExit):
                actor.tell(error)
            raise

    thread = threading.Thread(target=act, name=type(actor).__name__, daemon=daemon)
    thread.start()
    return thread


def _open(seed, n_steps, ends=0):
    """Returns the world, the actor for the main thread, and the others."""
    numbers = random.Random(seed)
    world = World(seed, ends)
    world.is_over = False
    first = Doer(world, numbers.random())
    for _ in range(2):
        world.executors.append(random_calls.new_executor(first))
    kinds = [LoopActor if seed % 2 == 0 else Actor, Actor, OtherLoopActor, AsyncioActor]
    main, *others = [kind(world, numbers.random(), n_steps) for kind in kinds]
    return world, main, others


# --- Rounds ---

def run_rounds(seeds, n_steps=N_STEPS):
    """Returns how much went wrong, in all of them."""
    watchdog = Watchdog()
    _warm_up()
    n_wrong = 0
    for seed in seeds:
        n_wrong += _run_round(seed, n_steps, watchdog)
    watchdog.end()
    return n_wrong


def _warm_up():
    """What GLib, the library and Python make once, and keep."""
    with dray.ProcessPoolExecutor(1) as executor:
        asyncio.run(_await_square(executor))
    context = GLib.MainContext.default()
    while context.iteration(False):
        pass
    while len(threading.enumerate()) > 2:  # this one, and the watchdog
        time.sleep(0.001)


async def _await_square(executor):
    return await executor.submit(work.square, 3)


def _run_round(seed, n_steps, watchdog):
    surroundings = Surroundings()
    # In every other two rounds callbacks are held to be long that are not.
    _turns._PATIENCE = A_MOMENT if seed % 4 > 1 else PACKAGES_PATIENCE
    world, main, others = _open(seed, n_steps)
    watchdog.watch(world)
    threads = [_start(other, True) for other in others]
    main.act()
    context = GLib.MainContext.default()

    def iterate_until(condition):
        while not condition():
            if not context.iteration(False):
                time.sleep(0.0005)

    iterate_until(lambda: all(other.has_acted for other in others))
    world.is_ending = True
    _end_executors(world, main)
    iterate_until(lambda: world.is_all_told()
                  and all(future.done() for future in list(world.all_futures)))
    world.is_over = True
    iterate_until(lambda: not any(thread.is_alive() for thread in threads))
    _judge_all(world)
    surroundings.settle(world, context)
    return world.n_wrong


def _end_executors(world, doer):
    for executor in world.executors:
        executor.ends |= SHUT_DOWN
        cancels = doer.chance(30)
        if cancels:
            executor.ends |= CANCELLED
        executor.executor.shutdown(doer.chance(80), cancel_futures=cancels)
    dray.wait([future for _, future in world.calls])


def _judge_all(world):
    for fate, future in world.calls:
        fate.judge(future)
        fate.judge_at_end()
    world.calls.clear()
    world.executors.clear()


class Surroundings:
    """What the process has of the system, and what must not be more afterwards."""

    def __init__(self):
        self.before = self._count()

    @staticmethod
    def _count():
        folders = list(pathlib.Path('/proc/self/task').iterdir())
        n_children = 0
        for folder in folders:
            try:
                n_children += len((folder / 'children').read_text().split())
            except OSError:
                pass  # it has just ended
        return {'threads': len(folders), 'children': n_children, 'descriptors': len(descriptors())}

    def settle(self, world, context):
        """What is on its way out gets the time for that."""
        end = time.monotonic() + SETTLING_TIME
        while not self._is_settled(world) and time.monotonic() < end:
            while context.iteration(False):
                pass
            time.sleep(0.002)
            gc.collect()
        now = self._count()
        for name, number in now.items():
            world.check(number <= self.before[name],
                        f'{number} {name} are left, and there were {self.before[name]}: '
                        f'{threading.enumerate()}, {descriptors()}')
        for future in list(world.all_futures):
            world.wrong(f'A future is left: {future!r}, by '
                        f'{[type(r).__name__ for r in gc.get_referrers(future)]}')

    def _is_settled(self, world):
        now = self._count()
        return (not world.all_futures
                and all(now[name] <= self.before[name] for name in now))


class Watchdog:
    """Tells of a round that does not end, and ends it."""

    def __init__(self):
        self._over = threading.Event()
        self._world = None
        self._end = time.monotonic() + PATIENCE
        self._thread = threading.Thread(target=self._watch, name='watchdog', daemon=True)
        self._thread.start()

    def watch(self, world):
        self._world = world
        self._end = time.monotonic() + PATIENCE

    def end(self):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while (remaining := self._end - time.monotonic()) > 0:
            if self._over.wait(remaining):
                return
        print(f'WRONG (seed {self._world.seed}): it does not end', file=sys.stderr)
        print(self._world.describe(), file=sys.stderr, flush=True)
        faulthandler.dump_traceback(all_threads=True)
        if 'RANDOM_STAY' in os.environ:
            signal.pause()
        os._exit(1)


# --- Programs that end in the midst of it ---

def _return():
    pass


def _exit():
    sys.exit(3)


def _raise():
    raise ValueError('on purpose')


def _interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)


def _exit_at_once():
    os._exit(3)


def _exit_in_thread():
    threading.Thread(target=_exit).start()


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)


# Each with the statuses that it may have
ENDS = {
    'return': (_return, {0}),
    'exit': (_exit, {3}),
    'raise': (_raise, {1}),
    'interrupt': (_interrupt, {-signal.SIGINT, 1, 130}),
    'exit-at-once': (_exit_at_once, {3}),
    'exit-in-thread': (_exit_in_thread, {0}),
    'kill': (_kill, {-signal.SIGKILL}),
}


def run_program(seed, end):
    """The other actors are daemons, which go on, in two of three, or are waited for."""
    world, main, others = _open(seed, N_STEPS, CANCELLED)
    world.is_over = True  # whose loop nobody has to iterate when it has done its steps
    atexit.register(world.stop_threads)
    Watchdog().watch(world)
    for other in others:
        _start(other, daemon=seed % 3 != 0)
    for _, _ in zip(range(main.random.randrange(N_STEPS)), main.steps()):
        pass
    ENDS[end][0]()


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--end', choices=ENDS, required=True)
    arguments = parser.parse_args()
    faulthandler.enable()
    run_program(arguments.seed, arguments.end)
