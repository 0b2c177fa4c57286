#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that launchers, and the lists of futures and workers, can be used from Python."""

import os
import pathlib
import signal
import tempfile

from support import GRACE, Dray, GLib, TestCase, main, make_launcher

DOMAIN = Dray.error_quark()


class Launching(TestCase):
    def tell(self, launcher):
        executor = self.make_executor(launcher)
        return executor.call('tell', None).wait_result(-1).unpack()

    def test_surroundings(self):
        """A worker has the environment, directory, niceness, limits and value that were set."""
        launcher = make_launcher()
        launcher.setenv('DRAY_TEST', 'grün')
        launcher.set_directory('/usr')
        launcher.set_niceness(3)
        launcher.set_limit(Dray.Limit.OPEN_FILES, 64)
        launcher.set_initial_arguments(GLib.Variant('(s)', ('first',)))
        said = self.tell(launcher)
        self.assertEqual(said['function'], 'tell')
        self.assertEqual(said['attempt'], '1')
        self.assertEqual(said['variable'], 'grün')
        self.assertEqual(said['directory'], '/usr')
        self.assertEqual(said['files'], '64')
        self.assertEqual(said['initial'], "('first',)")
        self.assertGreaterEqual(int(said['niceness']), 3)

    def test_finalizer(self):
        """A worker that ends in good order calls its finaliser, with its data."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'finished')
            launcher = make_launcher()
            launcher.setenv('DRAY_TEST_FINISHED', str(path))
            executor = self.make_executor(launcher, grace_period=GRACE)
            executor.call('nothing', None).wait(-1)
            executor.shutdown_sync(Dray.ShutdownMode.DRAIN)
            self.assertEqual(path.read_text(encoding='utf-8'), 'all done')

    def test_settings(self):
        """What was set is there to be read: lists, values, and two numbers at a time."""
        launcher = Dray.Launcher.new_argv(['python', 'ä'])
        self.assertEqual(launcher.dup_argv(), ['python', 'ä'])
        self.assertFalse(launcher.dup_prefix())
        launcher.set_prefix(['nice'])
        self.assertEqual(launcher.dup_prefix(), ['nice'])
        launcher.set_io_class(Dray.IoClass.BEST_EFFORT, 5)
        self.assertEqual(tuple(launcher.get_io_class()), (Dray.IoClass.BEST_EFFORT, 5))
        launcher.set_environment(['A=1'])
        self.assertEqual(launcher.dup_environment(), ['A=1'])
        launcher.unsetenv('A')
        self.assertEqual(launcher.dup_environment(), [])
        self.assertIsNone(launcher.dup_initial_arguments())
        launcher.grant_path('/usr', Dray.Access.READ)
        self.assertEqual(launcher.dup_granted_paths(Dray.Access.READ), ['/usr'])
        self.assertEqual(launcher.dup_granted_paths(Dray.Access.READ_WRITE), [])
        launcher.set_sandbox(Dray.Sandbox.STRICT)
        launcher.set_sandbox_need(Dray.SandboxNeed.PREFERRED)
        self.assertEqual((launcher.get_sandbox(), launcher.get_sandbox_need()),
                         (Dray.Sandbox.STRICT, Dray.SandboxNeed.PREFERRED))
        self.assertEqual(launcher.get_stderr(), Dray.Stderr.CAPTURE)
        self.assertTrue(Dray.Worker.is_requested(['program', '--dray-worker']))
        self.assertFalse(Dray.Worker.is_requested(['program']))

    def test_sandbox(self):
        """An interpreter works without the network, where the machine has sandboxes."""
        launcher = make_launcher()
        launcher.set_sandbox(Dray.Sandbox.NO_NETWORK)
        launcher.set_sandbox_need(Dray.SandboxNeed.PREFERRED)
        executor = self.make_executor(launcher)
        try:
            self.assertEqual(executor.call('nothing', None).wait_result(-1).unpack(), ())
        finally:
            shortfall = executor.dup_sandbox_shortfall()
            if shortfall is not None:
                print(f'# {shortfall}')

    def test_module(self):
        """Workers can be a program of the library, which loads a module."""
        launcher = Dray.Launcher.new_module(
            os.path.join(os.environ['G_TEST_BUILDDIR'], 'worker-module.so'))
        launcher.set_initial_arguments(GLib.Variant('s', 'Grüß Gott'))
        executor = self.make_executor(launcher)
        value = executor.call('greet', GLib.Variant('(s)', ('Dray',))).wait_result(-1)
        self.assertEqual(value.unpack(), 'Grüß Gott, Dray!')

    def test_self(self):
        """This same program is the interpreter, which knows nothing of workers, and says so."""
        launcher = Dray.Launcher.new_self()
        self.assertEqual(launcher.dup_argv()[1:], ['--dray-worker'])
        executor = self.make_executor(launcher)
        error = self.assert_error(DOMAIN, Dray.Error.LAUNCH,
                                  executor.call('nothing', None).wait_result, -1)
        self.assertIn('--dray-worker', error.message)

    def test_stderr(self):
        """What a worker said last is told when it died, unless it was said elsewhere."""
        for mode, told in ((Dray.Stderr.CAPTURE, True), (Dray.Stderr.INHERIT, False)):
            launcher = make_launcher()
            launcher.set_stderr(mode)
            executor = self.make_executor(launcher)
            error = self.assert_error(DOMAIN, Dray.Error.WORKER_DIED,
                                      executor.call('die', None).wait_result, -1)
            self.assertEqual('last words' in error.message, told)

    def test_no_worker(self):
        """A program that is not there is an error of the calls, not a hang."""
        executor = self.make_executor(Dray.Launcher.new_argv(['/no/such/program']))
        self.assert_error(DOMAIN, Dray.Error.LAUNCH,
                          executor.call('nothing', None).wait_result, -1)

    def test_lists(self):
        """The lists of futures and workers are models that tell what changes in them."""
        futures, workers = self.executor.get_futures(), self.executor.get_workers()
        changes = []
        futures.connect('items-changed', lambda *change: changes.append(change))
        future = self.executor.call('wait_for_cancel', None)
        self.iterate(lambda: workers.get_n_items() == 1 and futures.get_n_items() == 1)
        worker = workers.get_item(0)
        self.iterate(lambda: worker.get_state() == Dray.WorkerState.BUSY)
        self.assertIs(futures.get_item(0), future)
        self.assertEqual(worker.get_task().get_function(), 'wait_for_cancel')
        self.assertTrue(os.path.exists(f'/proc/{worker.get_pid()}'))
        self.assertIsNotNone(worker.get_start_time().format_iso8601())
        worker.kill()
        self.iterate(lambda: worker.props.state == Dray.WorkerState.GONE)
        self.assert_error(DOMAIN, Dray.Error.WORKER_DIED, future.dup_result)
        self.assertGreaterEqual(len(changes), 2)

    def test_worker_process(self):
        """A worker process tells what it is doing, what it has done, and how it ended."""
        self.executor.set_max_workers(1)
        workers = self.executor.get_workers()
        for _ in range(3):
            self.call('nothing')
        self.iterate(lambda: workers.get_n_items() == 1)
        worker = workers.get_item(0)
        self.iterate(lambda: worker.get_tasks_done() == 3)
        self.assertIsNone(worker.get_task())
        self.assertEqual(worker.get_wait_status(), -1)
        future = self.executor.call('wait_for_cancel', None)
        self.iterate(lambda: worker.props.task is not None)
        self.assertEqual(worker.props.task.get_function(), 'wait_for_cancel')
        self.assertEqual(worker.props.pid, worker.get_pid())
        self.assertEqual(worker.props.start_time.format_iso8601(),
                         worker.get_start_time().format_iso8601())
        os.kill(worker.get_pid(), signal.SIGTERM)
        self.iterate(lambda: worker.props.state == Dray.WorkerState.GONE)
        self.assertTrue(future.is_done())
        self.assertEqual(worker.props.tasks_done, 3)
        self.assertEqual(worker.props.wait_status, worker.get_wait_status())
        self.assertEqual(os.waitstatus_to_exitcode(worker.get_wait_status()), -signal.SIGTERM)

    def test_properties(self):
        """Properties are set when an executor is made, and later."""
        executor = self.make_executor(make_launcher(), max_workers=2, idle_timeout=1000)
        self.assertEqual((executor.get_max_workers(), executor.props.max_workers), (2, 2))
        executor.props.max_pending_tasks = 1
        executor.set_paused(True)
        first, second = executor.call('nothing', None), executor.call('nothing', None)
        self.assertFalse(first.is_done())
        self.assert_error(DOMAIN, Dray.Error.QUEUE_FULL, second.dup_result)
        executor.set_paused(False)
        first.wait(-1)

    def test_counters(self):
        """Counters are a picture, which stays what it is."""
        before = self.executor.dup_counters()
        self.executor.call('count', GLib.Variant('(u)', (5,))).wait(-1)
        self.executor.call('stumble', None).wait(-1)
        after = self.executor.dup_counters()
        self.assertEqual((before.submitted, before.items), (0, 0))
        self.assertEqual((after.submitted, after.succeeded, after.failed), (2, 1, 1))
        self.assertEqual(after.items, 5)
        self.assertEqual(after.copy().submitted, 2)


if __name__ == '__main__':
    main(__name__)
