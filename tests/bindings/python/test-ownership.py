#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that nothing is freed too early or too late in thousands of calls from Python.

What is passed is so large that memory would grow by far more than the limit if each call left a
single one of its values behind; and objects are counted as they go.
"""

import gc
import sys
import unittest.mock
import weakref

from support import Dray, GLib, TestCase, main, make_launcher

N_WARM = 300
N_ROUNDS = 1000
SIZE = 32 * 1024         # what a single value of each round would add up to is 32 MiB
MAX_GROWTH = 16 * 1024   # KiB
SLOT_SIZE = 256 * 1024   # twice that is more than enough to be shared


def resident():
    with open('/proc/self/status', encoding='utf-8') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmRSS:'))


def make_value():
    return GLib.Variant.new_from_bytes(GLib.VariantType('ay'), GLib.Bytes.new(bytes(SIZE)), True)


class Ownership(TestCase):
    def setUp(self):
        super().setUp()
        self.executor.set_max_workers(1)
        self.n_gone = 0
        self.n_made = 0

    def watch(self, thing):
        """Counts when an object goes."""
        self.n_made += 1
        thing.weak_ref(self.note)
        return thing

    def note(self):
        self.n_gone += 1

    def repeat(self, function):
        """Repeats something; memory must not grow here, nor in the worker."""
        for _ in range(N_WARM):
            function()
        gc.collect()
        before = resident(), self.call('resident').unpack()
        for _ in range(N_ROUNDS):
            function()
        gc.collect()
        self.iterate(lambda: self.n_gone == self.n_made)
        after = resident(), self.call('resident').unpack()
        for one, other in zip(before, after):
            self.assertLess(other - one, MAX_GROWTH)

    def test_waiting(self):
        """Arguments and results that are waited for."""
        def round_trip():
            future = self.watch(self.executor.call('reverse', make_value()))
            self.assertEqual(future.wait_result(-1).get_size(), SIZE)
            self.assertEqual(future.dup_result().n_children(), SIZE)
            self.assertEqual(future.get_task().get_arguments().get_size(), SIZE)
        self.repeat(round_trip)

    def test_callbacks(self):
        """Callbacks go when they were called, with what they hold."""
        class Held:
            pass

        held = weakref.WeakSet()

        def round_trip():
            thing = Held()
            held.add(thing)
            results = []
            future = self.watch(self.executor.call('reverse', make_value()))
            future.add_done_callback(
                lambda future, _thing: results.append(future.dup_result()), thing)
            self.executor.call_async('reverse', make_value(), None,
                                     lambda executor, result, _thing: results.append(
                                         executor.call_finish(result)), thing)
            del future, thing
            self.iterate(lambda: len(results) == 2)
        self.repeat(round_trip)
        self.assertEqual(len(held), 0)

    def test_items(self):
        """Items that are emitted, and items that are pulled."""
        def pull():
            task = Dray.Task.new_call('count', GLib.Variant('(u)', (3,)))
            task.set_label('x' * SIZE)
            task.set_pull(True)
            future = self.watch(self.executor.submit(task))
            self.assertEqual(future.wait_next_item(-1).unpack(), 0)
            while future.wait_next_items(2, -1):
                pass
            self.assertEqual(len(future.get_task().get_label()), SIZE)

        def push():
            items = []
            future = self.watch(self.executor.call('count', GLib.Variant('(u)', (3,))))
            future.connect('item', lambda _future, value: items.append(value))
            self.iterate(future.is_done)
            self.iterate(lambda: len(items) == 3)
        self.repeat(pull)
        self.repeat(push)

    def test_maps(self):
        """Outcomes, one by one and in arrays, with values and errors."""
        value = GLib.Variant('(i)', (13,))

        def read():
            mapped = self.watch(self.executor.map_values('square', [value, value]))
            outcome = mapped.wait_next(-1)
            self.assertEqual(outcome.get_error().message, 'unlucky')
            for outcome in mapped.wait_next_many(5, -1):
                with self.assertRaises(GLib.Error):
                    outcome.ref().dup_result()
            large = self.watch(self.executor.map_values('echo', [make_value()]))
            self.assertEqual(large.wait_next_many(5, -1)[0].dup_result().get_size(), SIZE)
        self.repeat(read)

    def test_kept_outcomes(self):
        """What the function for each outcome kept is its own, also where it raises."""
        numbers = range(20, 70)
        values = [GLib.Variant('(i)', (number,)) for number in numbers]

        def read():
            kept = []
            ends = []
            mapped = self.watch(self.executor.map_values('square', values))

            def keep(_mapped, outcome):
                kept.append(outcome)
                raise ValueError('this is printed, and forgotten')

            mapped.for_each_async(keep, None, None, lambda _mapped, result: ends.append(result))
            self.iterate(lambda: ends)
            self.assertTrue(mapped.for_each_finish(ends.pop()))
            self.assertEqual([outcome.get_index() for outcome in kept], list(range(50)))
            self.assertEqual([outcome.get_value().unpack() for outcome in kept],
                             [number * number for number in numbers])

        with unittest.mock.patch.object(sys, 'excepthook', lambda *_arguments: None):
            for _ in range(20):
                read()
        sys.last_value = sys.last_traceback = None  # these hold what was raised last
        gc.collect()
        self.iterate(lambda: self.n_gone == self.n_made)

    def test_combined(self):
        """Parts of combined futures, of groups and of queues, in arrays and out of them."""
        def combine():
            parts = [self.watch(self.executor.call('reverse', make_value())) for _ in range(2)]
            for combined in (Dray.Future.all(parts), Dray.Future.any(parts)):
                self.watch(combined).wait(-1)
            queue = Dray.CompletionQueue()
            group = Dray.Group()
            for part in parts:
                queue.add(part)
                group.add(part)
            self.assertTrue(group.wait(-1))
            self.assertIn(queue.wait_next(-1), parts)
            self.assertIn(queue.wait_next_many(2, -1)[0], parts)
            self.assertIsNone(queue.wait_next(-1))
        self.repeat(combine)

    def test_trusted(self):
        """Memory that a worker shares with the application stays as it is while Python holds it."""
        launcher = make_launcher()
        launcher.set_trusted(True)
        executor = self.make_executor(launcher, max_workers=1)
        kept = {}
        for i in range(200):
            data = GLib.Bytes.new(bytes([i, i + 1]) * SLOT_SIZE)
            value = GLib.Variant.new_from_bytes(GLib.VariantType('ay'), data, True)
            kept[i] = executor.call('reverse', value).wait_result(-1)
            kept.pop(i - 3, None)
            for k, result in kept.items():
                self.assertEqual(result.get_data_as_bytes().get_data(),
                                 bytes([k + 1, k]) * SLOT_SIZE)

    def test_pictures(self):
        """Boxed values, strings and lists of strings that are handed out."""
        launcher = Dray.Launcher.new_argv(['x' * SIZE])

        def look():
            self.assertEqual(len(launcher.dup_argv()[0]), SIZE)
            launcher.set_environment(['A=' + 'x' * SIZE])
            self.assertEqual(len(launcher.dup_environment()), 1)
            launcher.set_initial_arguments(make_value())
            self.assertEqual(launcher.dup_initial_arguments().get_size(), SIZE)
            self.executor.dup_counters().copy()
            task = Dray.Task.new_command(['x' * SIZE])
            task.set_input_bytes(GLib.Bytes.new(bytes(SIZE)))
            self.assertEqual(len(task.get_argv()[0]), SIZE)
            self.assertEqual(task.get_input_bytes().get_size(), SIZE)
        self.repeat(look)

    def test_errors(self):
        """Errors that functions raise."""
        text = 'x' * SIZE
        arguments = GLib.Variant('(sis)', ('my-error-quark', 1, text))

        def fail():
            future = self.watch(self.executor.call('fail', arguments))
            with self.assertRaises(GLib.Error) as caught:
                future.wait_result(-1)
            self.assertEqual(caught.exception.code, 1)
        self.repeat(fail)


if __name__ == '__main__':
    main(__name__)
