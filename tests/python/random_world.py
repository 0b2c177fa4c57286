# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is known of the calls of the random program, and what must not come of them.

What may come of a call is noted before anything is done to it. So whatever is seen of its future at
any time, by anybody, can be judged.
"""

import asyncio
import concurrent.futures
import gc
import sys
import threading
import weakref

import dray

CANCELLED, BROKEN, TIMED_OUT, SHUT_DOWN = 1, 2, 4, 8


class World:
    """What all actors of a round have in common."""

    def __init__(self, seed, ends=0, most_depth=3):
        self.seed = seed
        self.ends = ends  # what may come of everything
        self.most_depth = most_depth  # of operations, each in a callback of the one before
        self.lock = threading.RLock()
        self.thread_lock = threading.RLock()
        self.has_threads = True
        self.n_wrong = 0
        self.is_ending = False
        self.callbacks = set()  # that still have to come
        self.executors = []
        self.calls = []  # (fate, future)
        self.all_futures = weakref.WeakSet()

    def start_thread(self, thread):
        """False: the program is about to end, and Python can't have threads begin then."""
        with self.thread_lock:
            if not self.has_threads:
                return False
            thread.start()
            return True

    def stop_threads(self):
        with self.thread_lock:
            self.has_threads = False

    def wrong(self, text):
        self.n_wrong += 1
        print(f'WRONG (seed {self.seed}): {text}', file=sys.stderr, flush=True)

    def check(self, condition, text):
        if not condition:
            self.wrong(text)

    def put(self, random, call):
        """Keeps it for everybody. Where there are many, another one goes."""
        with self.lock:
            self.all_futures.add(call[1])
            if self.is_ending:
                return
            self.calls.append(call)
            is_full = len(self.calls) > 40
        if is_full:
            self.drop_one(random)

    def drop_one(self, random):
        with self.lock:
            if not self.calls:
                return
            fate, future = self.calls.pop(random.randrange(len(self.calls)))
        fate.drop(future)

    def pick(self, random, kind=object):
        with self.lock:
            calls = [call for call in self.calls if isinstance(call[1], kind)]
            return random.choice(calls) if calls else None

    def pick_some(self, random, most):
        with self.lock:
            return random.sample(self.calls, min(len(self.calls), random.randint(0, most)))

    def pick_executor(self, random):
        with self.lock:
            return random.choice(self.executors) if self.executors else None

    def replace_executor(self, random, new):
        """Returns one that is not there any more, if there were enough."""
        with self.lock:
            old = None
            if len(self.executors) > 2:
                old = self.executors.pop(random.randrange(len(self.executors)))
            self.executors.append(new)
            return old

    def is_all_told(self):
        with self.lock:
            return not self.callbacks

    def describe(self):
        """What is open, for people."""
        with self.lock:
            lines = [f'  no callback yet: {callback.fate.what}' for callback in self.callbacks]
            lines += [f'  not done: {future._name} {future!r}' for future in list(self.all_futures)
                      if not concurrent.futures.Future.done(future)]
            lines += [f'  is read: {stream._name} {stream!r}, {stream._asks=}, {stream._over=}'
                      for stream in list(self.all_futures)
                      if isinstance(stream, dray.Stream) and (stream._news._waiters
                                                              or stream._wanted)]
        lines += [f'  waits: {" in ".join(reversed(_places(task.get_coro())))}, for '
                  f'{task._fut_waiter!r}'
                  for task in gc.get_objects()
                  if isinstance(task, asyncio.Task) and not task.done()]
        reactor = dray._reactor._reactor
        if reactor is not None:
            lines.append(f'  the reactor: {len(reactor._records)} calls, the last {reactor._last}, '
                         f'{reactor._asks=}, {reactor._place._armed=}, {reactor._turns.steps=}')
        return '\n'.join(lines)


def _places(coroutine):
    """Where it waits: in a coroutine that another one awaits, and so on."""
    places = []
    while (frame := getattr(coroutine, 'cr_frame', None)) is not None:
        places.append(f'{coroutine.__qualname__} (line {frame.f_lineno})')
        coroutine = coroutine.cr_await
    return places


class Executor:
    """One of the world's, and what may come to all of its calls."""

    def __init__(self, executor, what, ends=0):
        self.executor = executor
        self.what = what
        self.ends = ends
        self.breaks = False


class Fate:
    """Of a call: what it gives, and what else may come of it."""

    def __init__(self, world, executor, what, value=None, error=None, dies=False, ends=0):
        self.world = world
        self.executor = executor
        self.what = f'{what} in {executor.what}'
        self.value = value
        self.error = error  # (class, text)
        self.dies = dies
        self.ends = ends
        self.n_items = None  # of a stream
        self.makes_item = int
        self.is_iterated = False
        self.is_dropped = False
        self.has_callbacks = False
        # protected by the world's lock
        self.outcome = None
        self.seen = set()
        self.has_all = False

    def drop(self, future):
        """The world does not have it any more. A stream that was iterated is closed by that, when
        nobody else has it, and another one goes on."""
        if self.n_items is None or future.done():
            return
        self.is_dropped = True
        if self.is_iterated:
            self.ends |= CANCELLED
        if self.has_callbacks:
            self._close(future)

    def call_back(self, future):
        """Somebody is called when it is done. So a stream is kept, and would wait for a reader that
        does not come where the world has dropped it."""
        self.has_callbacks = True
        if self.is_dropped:
            self._close(future)

    def _close(self, stream):
        self.ends |= CANCELLED
        stream.close()

    def may(self, end):
        return bool((self.ends | self.executor.ends) & end)

    def begin(self):
        self.is_iterated = True
        if self.is_dropped:
            self.ends |= CANCELLED

    def see(self, item, last):
        """Returns its number, which is more than that of the one before, for who iterates."""
        number = item if isinstance(item, int) else item[0]
        with self.world.lock:
            self.world.check(number > last, f'{self.what}: {number} came after {last}')
            self.world.check(number not in self.seen, f'{self.what}: {number} came twice')
            self.world.check(item == self.makes_item(number), f'{self.what}: it is not the item')
            self.seen.add(number)
        return number

    def see_end(self):
        """That of the iteration, without an error."""
        self.has_all = True
        self.world.check(not self.dies and self.error is None, f'{self.what}: it ended well')

    def judge(self, future):
        """How it has ended."""
        world = self.world
        if not future.done():
            world.wrong(f'{self.what}: it is not done')
            return
        if future.cancelled():
            outcome = 'cancelled', None
            well = self.may(CANCELLED)
        else:
            error = future.exception(0)
            outcome = self._outcome(error, future)
            well = self._is_well(error, future)
        world.check(well, f'{self.what}: {outcome} is not what should come of it')
        with world.lock:
            self.outcome = self.outcome or outcome
            world.check(self.outcome == outcome, f'{self.what}: {outcome} after {self.outcome}')

    def _outcome(self, error, future):
        if error is None:
            return 'value', repr(future.result(0))[:40]
        return 'error', f'{type(error).__name__}: {str(error)[:200]}'

    def _is_well(self, error, future):
        if error is None:
            return not self.dies and self.error is None and future.result(0) == self.value
        return self.expects(error)

    def expects(self, error):
        """Whether a wait for it may raise that."""
        if isinstance(error, concurrent.futures.CancelledError):
            return self.may(CANCELLED)
        if isinstance(error, dray.BrokenProcessPool):
            return self.dies or self.may(BROKEN)
        if isinstance(error, TimeoutError):
            return self.may(TIMED_OUT)
        return self.error is not None and (type(error), str(error)) == self.error

    def judge_at_end(self):
        """When all is over."""
        if self.has_all and not self.may(CANCELLED):
            missing = set(range(self.n_items)) - self.seen
            self.world.check(not missing, f'{self.what}: {len(missing)} items did not come')


class Callback:
    """Has to come once; in the loop that it was added in, if there was one."""

    def __init__(self, world, fate, thread, then):
        self.world = world
        self.fate = fate
        self.thread = thread
        self.then = then
        self.n_calls = 0
        with world.lock:
            world.callbacks.add(self)

    def __call__(self, future):
        world = self.world
        with world.lock:
            self.n_calls += 1
            world.callbacks.discard(self)
            world.check(self.n_calls == 1, f'{self.fate.what}: a callback comes again')
        if self.thread is not None:
            world.check(threading.current_thread() is self.thread,
                        f'{self.fate.what}: a callback comes on another thread')
        self.fate.judge(future)
        if not world.is_ending:
            self.then(future)
