#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that functions in Python run in workers of Python, and that each call ends as it should."""

import signal
import threading

from support import GRACE, WATCHDOG, Dray, GLib, TestCase, main, make_launcher
from gi.repository import Gio

DOMAIN = Dray.error_quark()


class Calls(TestCase):
    def test_wait(self):
        """Whoever waits gets the value that the function returned; None is ()."""
        arguments = GLib.Variant('(sai)', ('text', [1, 2, 3]))
        self.assertTrue(self.call('echo', arguments).equal(arguments))
        self.assertEqual(self.call('nothing').unpack(), ())

    def test_async(self):
        """The other half of an asynchronous call gives the value, in the main loop."""
        result = self.run_async(self.executor.call_async, 'echo', GLib.Variant('(i)', (7,)))
        self.assertEqual(self.executor.call_finish(result).unpack(), (7,))
        task = Dray.Task.new_call('echo', GLib.Variant('(i)', (8,)))
        result = self.run_async(self.executor.run_async, task)
        self.assertEqual(self.executor.run_finish(result).unpack(), (8,))
        result = self.run_async(self.executor.submit_async, task)
        future = self.executor.submit_finish(result)
        result = self.run_async(future.result_async)
        self.assertEqual(future.result_finish(result).unpack(), (8,))

    def test_done_callback(self):
        """Each callback is called once, in the main loop, with all of its data."""
        calls = []
        future = self.executor.call('echo', GLib.Variant('(i)', (7,)))
        future.add_done_callback(lambda *arguments: calls.append(arguments), 'some', 'data')
        future.wait(-1)
        self.assertEqual(calls, [])
        future.add_done_callback(lambda *arguments: calls.append(arguments), 'more')
        self.iterate(lambda: len(calls) == 2)
        self.assertEqual(calls, [(future, 'some', 'data'), (future, 'more')])
        self.assertEqual(future.dup_result().unpack(), (7,))
        self.assertEqual(future.props.state, Dray.FutureState.SUCCEEDED)

    def test_threads(self):
        """While one thread waits, others of Python's go on."""
        future = self.executor.call('wait_for_cancel', None)
        begun = threading.Event()

        def wait():
            begun.set()
            future.wait(-1)

        thread = threading.Thread(target=wait)
        thread.start()
        begun.wait()
        # With the interpreter's lock held, nobody would come here.
        future.cancel()
        thread.join(WATCHDOG)
        self.assertFalse(thread.is_alive())

    def test_shared(self):
        """Two tasks with one key share a run; one without has its own."""
        self.executor.set_max_workers(1)
        self.executor.set_paused(True)
        futures = []
        for key in ('turn', 'turn', None):
            task = Dray.Task.new_call('take_turn', None)
            task.set_key(key)
            futures.append(self.executor.submit(task))
        self.executor.set_paused(False)
        self.assertEqual([future.wait_result(-1).unpack() for future in futures], [0, 0, 1])

    def test_job(self):
        """A function can ask for its job and its worker; elsewhere there is no job."""
        future = self.executor.call('identify', None)
        self.assertEqual(future.wait_result(-1).unpack(), (future.get_id(), True, True))
        self.assertIsNone(Dray.Job.get_current())

    def test_wait_timeout(self):
        """A wait ends at its time, and the task goes on."""
        future = self.executor.call('wait_for_cancel', None)
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT, future.wait, 0)
        self.assertFalse(future.is_done())
        future.cancel()


class Errors(TestCase):
    def fail(self, name, arguments=None):
        return lambda: self.call(name, arguments)

    def test_glib_error(self):
        """A GLib.Error keeps its domain, code and message, whether the function or GIO made it."""
        arguments = GLib.Variant('(sis)', ('my-own-error-quark', 42, 'No such thing'))
        error = self.assert_error(GLib.quark_from_string('my-own-error-quark'), 42,
                                  self.fail('fail', arguments))
        self.assertEqual(error.message, 'No such thing')
        error = self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND,
                                  self.fail('open_missing'))
        self.assertIn('/no/such/file', error.message)

    def test_exception(self):
        """Any other exception fails the task, and says what it was; the worker lives on."""
        self.assertEqual(DOMAIN, Dray.Error.quark())
        error = self.assert_error(DOMAIN, Dray.Error.FAILED, self.fail('stumble'))
        self.assertIn('ZeroDivisionError', error.message)
        self.assertEqual(self.call('nothing').unpack(), ())
        self.assertEqual(self.executor.dup_counters().workers_started, 1)

    def test_wrong_value(self):
        """A function that returns something else than a GLib.Variant fails."""
        error = self.assert_error(DOMAIN, Dray.Error.FAILED, self.fail('forget'))
        self.assertIn('forget() has to return a GLib.Variant', error.message)

    def test_refused(self):
        """A name that is not there, and arguments of another type, are errors of the library."""
        self.assert_error(DOMAIN, Dray.Error.UNKNOWN_FUNCTION, self.fail('no such function'))
        self.assert_error(DOMAIN, Dray.Error.BAD_ARGUMENTS,
                          self.fail('count', GLib.Variant('s', 'x')))

    def test_death(self):
        """A worker that dies fails one task, and the next call has another worker."""
        error = self.assert_error(DOMAIN, Dray.Error.WORKER_DIED, self.fail('die'))
        self.assertIn('9', error.message)
        self.assertEqual(self.call('nothing').unpack(), ())
        counters = self.executor.dup_counters()
        self.assertEqual((counters.workers_died, counters.failed, counters.succeeded), (1, 1, 1))
        self.assertEqual(counters.workers_died_idle, 0)

    def test_retries(self):
        """A task with retries is run again when its worker has died."""
        task = Dray.Task.new_call('die', None)
        task.set_max_retries(1)
        future = self.executor.submit(task)
        self.assert_error(DOMAIN, Dray.Error.WORKER_DIED, future.wait_result, -1)
        self.assertEqual(self.executor.dup_counters().retried, 1)

    def test_initializer(self):
        """An exception in the initialiser is the reason why there is no worker."""
        launcher = make_launcher()
        launcher.set_initial_arguments(GLib.Variant('(s)', ('refuse',)))
        executor = self.make_executor(launcher)
        error = self.assert_error(DOMAIN, Dray.Error.LAUNCH,
                                  executor.call('nothing', None).wait_result, -1)
        self.assertIn('ValueError: these arguments are refused', error.message)


class Steering(TestCase):
    def test_cancel_pending(self):
        """What is cancelled while it is pending never runs."""
        self.executor.set_paused(True)
        future = self.executor.call('nothing', None)
        future.cancel()
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED, future.dup_result)
        self.assertEqual(future.get_state(), Dray.FutureState.CANCELLED)

    def test_cancel_running(self):
        """A cancellable stops a running function, which may look at its job's."""
        cancellable = Gio.Cancellable()
        future = self.executor.submit(Dray.Task.new_call('wait_for_cancel', None), cancellable)
        future.connect('item', lambda _future, _value: cancellable.cancel())
        self.iterate(future.is_done)
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED, future.dup_result)

    def test_cancel_confirmed(self):
        """Where the worker has to confirm, a result that it returns counts."""
        self.executor.props.grace_period = GRACE
        task = Dray.Task.new_call('wait_for_cancel', None)
        task.set_cancel_mode(Dray.CancelMode.CONFIRMED)
        future = self.executor.submit(task)
        future.connect('item', lambda future, _value: future.cancel())
        self.iterate(future.is_done)
        self.assertEqual(future.dup_result().unpack(), 'stopped')

    def test_cancel_all(self):
        """All that is not done can be cancelled at once, whether it has begun or not."""
        self.executor.set_max_workers(1)
        futures = [self.executor.call('wait_for_cancel', None) for _ in range(3)]
        futures[0].connect('item', lambda _future, _value: self.executor.cancel_all())
        self.iterate(lambda: all(future.is_done() for future in futures))
        self.assertEqual([future.get_state() for future in futures],
                         [Dray.FutureState.CANCELLED] * 3)

    def test_cancel_signal(self):
        """A function that blocks gets the signal that its worker has set."""
        launcher = make_launcher()
        launcher.setenv('DRAY_TEST_SIGNAL', '1')
        task = Dray.Task.new_call('wait_for_signal', None)
        task.set_cancel_mode(Dray.CancelMode.CONFIRMED)
        future = self.make_executor(launcher, grace_period=GRACE).submit(task)
        future.connect('item', lambda future, _value: future.cancel())
        self.iterate(future.is_done)
        self.assertEqual(future.dup_result().unpack(), signal.SIGUSR1)

    def test_time_limit(self):
        """A task that runs for too long fails with an error of its own."""
        task = Dray.Task.new_call('wait_for_cancel', None)
        task.set_time_limit(20)
        future = self.executor.submit(task)
        self.assert_error(DOMAIN, Dray.Error.TIMED_OUT, future.wait_result, -1)

    def test_priorities(self):
        """Of what is pending, the lowest number goes first, also if it was changed."""
        self.executor.set_max_workers(1)
        self.executor.set_paused(True)
        futures = []
        for priority in (0, -1, 0):
            task = Dray.Task.new_call('take_turn', None)
            task.set_priority(priority)
            futures.append(self.executor.submit(task))
        self.assertTrue(futures[2].set_priority(-5))
        self.assertEqual(futures[2].get_priority(), -5)
        self.executor.set_paused(False)
        self.assertEqual([future.wait_result(-1).unpack() for future in futures], [2, 1, 0])

    def test_shutdown(self):
        """A shutdown runs what is pending, tells when nothing is left, and refuses what is new."""
        futures = [self.executor.call('echo', GLib.Variant('(i)', (i,))) for i in range(20)]
        result = self.run_async(self.executor.shutdown_async, Dray.ShutdownMode.DRAIN)
        self.assertTrue(self.executor.shutdown_finish(result))
        self.assertEqual([future.dup_result().unpack() for future in futures],
                         [(i,) for i in range(20)])
        late = self.executor.call('nothing', None)
        self.assert_error(DOMAIN, Dray.Error.SHUT_DOWN, late.dup_result)


if __name__ == '__main__':
    main(__name__)
