#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that maps, combined futures, groups and completion queues can be used from Python."""

from support import Dray, GLib, TestCase, main
from gi.repository import Gio, GObject

DOMAIN = Dray.error_quark()


class Number(GObject.Object):
    def __init__(self, n):
        super().__init__()
        self.n = n


class Maps(TestCase):
    def read_results(self, mapped):
        """All outcomes, by index: values, and None for those that failed."""
        found = {}
        while True:
            outcome = mapped.wait_next(-1)
            if outcome is None:
                return [found[i] for i in range(len(found))]
            value = outcome.get_value()
            found[outcome.get_index()] = None if value is None else value.unpack()

    def test_values(self):
        """A function is run over an array; what fails has an outcome with the error."""
        values = [GLib.Variant('(i)', (n,)) for n in range(20)]
        results = self.read_results(self.executor.map_values('square', values))
        self.assertEqual(results, [None if n == 13 else n * n for n in range(20)])

        outcome = self.executor.map_values('square', values[13:14]).wait_next(-1)
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_DATA, outcome.dup_result)
        error = outcome.get_error()
        self.assertEqual((error.domain, error.message), ('g-io-error-quark', 'unlucky'))
        self.assertIsNone(outcome.get_value())

    def test_generator(self):
        """Arguments come from a Python iterator, which is asked only as needed."""
        asked = iter(range(2000))

        def generate():
            n = next(asked, None)
            return None if n is None else GLib.Variant('(i)', (n,))

        mapped = self.executor.map('square', generate)
        mapped.set_ordered(True)
        mapped.set_max_in_flight(64)
        self.assertEqual(mapped.wait_next(-1).get_index(), 0)
        self.assertLess(next(asked), 1900)
        outcomes = []
        while True:
            result = self.run_async(mapped.next_many_async, 100)
            some = mapped.next_many_finish(result)
            if not some:
                break
            outcomes += some
        self.assertEqual([outcome.get_index() for outcome in outcomes], list(range(1, 1999)))
        self.assertTrue(mapped.is_over())

    def test_model(self):
        """A list of objects is mapped by a function that says what each of them comes to."""
        model = Gio.ListStore.new(Number)
        for n in range(10):
            model.append(Number(n))
        mapped = self.executor.map_model('square', model,
                                         lambda number, factor: GLib.Variant(
                                             '(i)', (number.n * factor,)), 10)
        self.assertEqual(self.read_results(mapped), [(n * 10) ** 2 for n in range(10)])

    def test_for_each(self):
        """A function is called with each outcome in the main loop, then the number is told."""
        values = [GLib.Variant('(i)', (n,)) for n in range(14, 30)]
        for data, expected in ((None, ()), ('data', ('data',)), (('more', 'data'),) * 2):
            seen = []

            def look(_map, outcome, *arguments):
                self.assertEqual(arguments, expected)
                seen.append(outcome.dup_result().unpack())

            mapped = self.executor.map_values('square', values)
            result = self.run_async(lambda *rest: mapped.for_each_async(look, data, *rest))
            self.assertEqual(tuple(mapped.for_each_finish(result)), (True, 16))
            self.assertEqual(sorted(seen), [n * n for n in range(14, 30)])

    def test_any_number(self):
        """0 is for any number of outcomes, and not for their end."""
        values = [GLib.Variant('(i)', (n,)) for n in range(14, 30)]
        mapped = self.executor.map_values('square', values)
        outcomes = mapped.wait_next_many(0, -1)
        while some := mapped.wait_next_many(0, -1):
            outcomes += some
        self.assertEqual([outcome.dup_result().unpack() for outcome in outcomes],
                         [n * n for n in range(14, 30)])
        result = self.run_async(mapped.next_many_async, 0)
        self.assertFalse(mapped.next_many_finish(result))

    def test_cancel(self):
        """A map without an end ends when it is cancelled."""
        mapped = self.executor.map('square', lambda: GLib.Variant('(i)', (1,)))
        self.assertGreater(len(mapped.wait_next_many(10, -1)), 0)
        mapped.cancel()
        with self.assertRaises(GLib.Error) as caught:
            while mapped.wait_next(-1) is not None:
                pass
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))
        self.assertTrue(mapped.is_over())


class Combined(TestCase):
    def submit(self, n):
        return self.executor.call('square', GLib.Variant('(i)', (n,)))

    def test_all(self):
        """All results in one, or the first error."""
        futures = [self.submit(n) for n in range(5)]
        results = Dray.Future.all(futures).wait_result(-1)
        self.assertEqual([value.unpack() if isinstance(value, GLib.Variant) else value
                          for value in results.unpack()], [0, 1, 4, 9, 16])
        failing = Dray.Future.all_race([self.submit(1), self.submit(13)])
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_DATA,
                          failing.wait_result, -1)

    def test_any_and_first(self):
        """One result is enough: the first that is good, or the first that is there."""
        value = Dray.Future.any([self.submit(13), self.submit(3)]).wait_result(-1)
        self.assertIn('9', value.print_(False))
        value = Dray.Future.first([self.submit(4)]).wait_result(-1)
        self.assertIn('16', value.print_(False))

    def test_and_then(self):
        """A task goes on with the result of another one, and fails with it."""
        task = Dray.Task.new_call('echo', GLib.Variant('(s)', ('squared',)))
        future = self.submit(6).and_then(self.executor, task, Dray.POSITION_LAST)
        self.assertEqual(future.wait_result(-1).unpack(), ('squared', 36))
        task = Dray.Task.new_call('nothing', None)
        future = self.submit(13).and_then(self.executor, task, Dray.POSITION_NONE)
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_DATA,
                          future.wait_result, -1)

    def test_group(self):
        """A group is joined when all of it is done; one that fails cancels the others."""
        group = Dray.Group()
        futures = [group.submit(self.executor, Dray.Task.new_call(
            'square', GLib.Variant('(i)', (n,)))) for n in range(5)]
        result = self.run_async(group.join_async)
        self.assertTrue(group.join_finish(result))
        self.assertTrue(group.join_sync(-1))
        self.assertEqual([future.dup_result().unpack() for future in futures], [0, 1, 4, 9, 16])

        group = Dray.Group()
        waiting = group.submit(self.executor, Dray.Task.new_call('wait_for_cancel', None))
        group.add(self.submit(13))
        self.assertTrue(group.wait(-1))
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_DATA, group.check)
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_DATA, group.join_sync, -1)
        self.assertEqual(waiting.get_state(), Dray.FutureState.CANCELLED)

    def test_group_with_cancellable(self):
        """A cancellable is for the tasks that were submitted with it, and not for their group."""
        group = Dray.Group()
        cancellable = Gio.Cancellable()
        waiting = group.submit(self.executor, Dray.Task.new_call('wait_for_cancel', None),
                               cancellable)
        cancellable.cancel()
        self.assertTrue(group.join_sync(-1))
        self.assertEqual(waiting.get_state(), Dray.FutureState.CANCELLED)

    def test_cancelled_group(self):
        """A group that is cancelled takes all with it that is in it, and that comes later."""
        group = Dray.Group.new()
        futures = [group.submit(self.executor, Dray.Task.new_call('wait_for_cancel', None))
                   for _ in range(3)]
        self.assertEqual(group.get_n_unfinished(), 3)
        self.assertTrue(group.check())
        self.assertFalse(group.is_cancelled())
        group.cancel()
        self.assertTrue(group.is_cancelled())
        futures.append(self.executor.call('wait_for_cancel', None))
        group.add(futures[-1])
        self.assertTrue(group.wait(-1))
        self.assertEqual(group.get_n_unfinished(), 0)
        self.assertEqual([future.get_state() for future in futures],
                         [Dray.FutureState.CANCELLED] * 4)
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED, group.check)

    def test_completion_queue(self):
        """Futures come out one by one as they are done, until none is left."""
        queue = Dray.CompletionQueue()
        for n in range(10):
            queue.add(self.submit(20 + n))
        seen = [queue.wait_next(-1).dup_result().unpack()]
        self.assertEqual(queue.get_length(), 9)
        while True:
            result = self.run_async(queue.next_async)
            future = queue.next_finish(result)
            if future is None:
                break
            seen.append(future.dup_result().unpack())
        self.assertEqual(sorted(seen), [(20 + n) ** 2 for n in range(10)])

    def test_completion_queue_many(self):
        """Futures that a queue submits come out of it several at a time, then there are none."""
        queue = Dray.CompletionQueue.new()
        submitted = [queue.submit(self.executor, Dray.Task.new_call(
            'square', GLib.Variant('(i)', (20 + n,)))) for n in range(10)]
        seen = []
        while True:
            result = self.run_async(queue.next_many_async, 4)
            futures = queue.next_many_finish(result)
            if not futures:
                break
            self.assertLessEqual(len(futures), 4)
            seen += futures
        self.assertEqual(len(seen), 10)
        self.assertEqual(set(seen), set(submitted))
        self.assertEqual([future.dup_result().unpack() for future in submitted],
                         [(20 + n) ** 2 for n in range(10)])


if __name__ == '__main__':
    main(__name__)
