#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that what can be set from Python is there to be read, by its function and as a property."""

import tempfile

from support import Dray, GLib, TestCase, main, make_launcher
from gi.repository import Gio


class Executors(TestCase):
    def test_properties(self):
        """Every property can be given to a new executor, and is set, read and notified later."""
        launcher = make_launcher()
        executor = self.make_executor(launcher, grace_period=7, slice=1500, paused=True)
        self.assertEqual((executor.props.grace_period, executor.props.slice), (7, 1500))
        self.assertTrue(executor.get_paused() and executor.props.paused)
        self.assertIs(executor.get_launcher(), launcher)
        self.assertIs(executor.props.launcher, launcher)

        told = []
        executor.connect('notify', lambda _executor, pspec: told.append(pspec.name))
        executor.props.delivery_priority = 50
        executor.props.idle_timeout = 8
        executor.props.launch_timeout = 9000
        executor.props.max_message_size = 1 << 20
        executor.props.max_pending_bytes = 1 << 40
        executor.props.max_tasks_per_worker = 12
        executor.props.max_undelivered_bytes = 1 << 41
        executor.props.max_undelivered_bytes_per_future = 1 << 42
        executor.props.max_undelivered_items = 13
        executor.props.max_undelivered_items_per_future = 14
        self.assertEqual(told, [
            'delivery-priority', 'idle-timeout', 'launch-timeout', 'max-message-size',
            'max-pending-bytes', 'max-tasks-per-worker', 'max-undelivered-bytes',
            'max-undelivered-bytes-per-future', 'max-undelivered-items',
            'max-undelivered-items-per-future',
        ])
        self.assertEqual([executor.get_property(name) for name in told],
                         [50, 8, 9000, 1 << 20, 1 << 40, 12, 1 << 41, 1 << 42, 13, 14])

    def test_sandbox_shortfall(self):
        """Where nothing was asked for, nothing is missing."""
        self.call('nothing')
        self.assertIsNone(self.executor.props.sandbox_shortfall)
        self.assertIsNone(self.executor.dup_sandbox_shortfall())

    def test_max_message_size(self):
        """An executor does what such a property says: a larger value is refused."""
        executor = self.make_executor(make_launcher(), max_message_size=4096)
        value = GLib.Variant('s', 'x' * 5000)
        self.assert_error(Dray.Error.quark(), Dray.Error.TOO_LARGE,
                          executor.call('echo', value).wait_result, -1)


class Launchers(TestCase):
    def test_functions(self):
        """What a function sets, another gets, and so does the property."""
        launcher = make_launcher()
        self.assertIsNone(launcher.dup_directory())
        launcher.set_directory('/usr')
        self.assertEqual((launcher.dup_directory(), launcher.props.directory), ('/usr', '/usr'))
        launcher.set_directory(None)
        self.assertIsNone(launcher.props.directory)
        launcher.set_limit(Dray.Limit.CORE_SIZE, 1 << 40)
        self.assertEqual(launcher.get_limit(Dray.Limit.CORE_SIZE), 1 << 40)
        launcher.set_niceness(4)
        self.assertEqual((launcher.get_niceness(), launcher.props.niceness), (4, 4))
        launcher.set_shared_size(1 << 40)
        self.assertEqual((launcher.get_shared_size(), launcher.props.shared_size), (1 << 40,) * 2)
        launcher.set_trusted(True)
        self.assertTrue(launcher.get_trusted() and launcher.props.trusted)
        launcher.set_stderr(Dray.Stderr.INHERIT)
        self.assertEqual((launcher.get_stderr(), launcher.props.stderr),
                         (Dray.Stderr.INHERIT, Dray.Stderr.INHERIT))

    def test_properties(self):
        """What was set as a property is told by the function, lists and values as well."""
        launcher = Dray.Launcher(argv=['true', 'ä'], niceness=2)
        self.assertEqual(launcher.props.argv, ['true', 'ä'])
        self.assertEqual(launcher.get_niceness(), 2)
        told = []
        launcher.connect('notify', lambda _launcher, pspec: told.append(pspec.name))
        launcher.props.prefix = ['nice', 'ö']
        launcher.props.environment = ['A=ü']
        launcher.props.initial_arguments = GLib.Variant('(s)', ('first',))
        launcher.props.sandbox = Dray.Sandbox.READ_ONLY
        launcher.props.sandbox_need = Dray.SandboxNeed.PREFERRED
        self.assertEqual(set(told), {'prefix', 'environment', 'initial-arguments', 'sandbox',
                                     'sandbox-need'})
        self.assertEqual(launcher.dup_prefix(), ['nice', 'ö'])
        self.assertEqual(launcher.dup_environment(), ['A=ü'])
        self.assertEqual(launcher.dup_initial_arguments().unpack(), ('first',))
        self.assertEqual(launcher.get_sandbox(), Dray.Sandbox.READ_ONLY)
        self.assertEqual(launcher.get_sandbox_need(), Dray.SandboxNeed.PREFERRED)
        launcher.set_prefix(None)
        launcher.set_initial_arguments(None)
        self.assertFalse(launcher.props.prefix)
        self.assertIsNone(launcher.props.initial_arguments)


class Tasks(TestCase):
    def test_call(self):
        """A call has all that was set, and what it may lack is None."""
        task = Dray.Task.new_call('echo', None)
        self.assertIsNone(task.get_attachments())
        self.assertIsNone(task.get_argv() or None)
        self.assertEqual(task.get_kind(), Dray.TaskKind.CALL)
        self.assertFalse(task.get_pull())
        with tempfile.TemporaryFile() as file:
            files = Gio.UnixFDList.new()
            files.append(file.fileno())
            self.assertTrue(task.set_attachments(files))
        self.assertEqual(task.get_attachments().get_length(), 1)
        task.set_attachments(None)
        self.assertIsNone(task.get_attachments())
        task.set_key('ключ')
        self.assertEqual(task.get_key(), 'ключ')
        task.set_key(None)
        self.assertIsNone(task.get_key())
        task.set_cancel_mode(Dray.CancelMode.CONFIRMED)
        task.set_max_retries(3)
        task.set_priority(-7)
        task.set_pull(True)
        task.set_time_limit(60000)
        self.assertEqual((task.get_cancel_mode(), task.get_max_retries(), task.get_priority(),
                          task.get_pull(), task.get_time_limit()),
                         (Dray.CancelMode.CONFIRMED, 3, -7, True, 60000))

    def test_command(self):
        """So has a command, sizes beyond 32 bits included."""
        task = Dray.Task.new_command(['true'])
        self.assertIsNone(task.get_input_bytes())
        self.assertIsNone(task.get_directory())
        self.assertIsNone(task.get_arguments())
        task.set_encoding(Dray.Encoding.UTF8)
        task.set_split(Dray.Split.RECORDS)
        task.set_max_output_size(1 << 40)
        task.set_max_record_size(1 << 41)
        self.assertEqual((task.get_encoding(), task.get_split(), task.get_max_output_size(),
                          task.get_max_record_size()),
                         (Dray.Encoding.UTF8, Dray.Split.RECORDS, 1 << 40, 1 << 41))


class Others(TestCase):
    def test_map(self):
        """A map tells how it goes, and which task its calls are."""
        mapped = self.executor.map_values('square', [GLib.Variant('(i)', (3,))])
        mapped.props.ordered = True
        mapped.props.max_in_flight = 5
        self.assertTrue(mapped.get_ordered())
        self.assertEqual(mapped.get_max_in_flight(), 5)
        self.assertEqual(mapped.get_task().get_function(), 'square')
        self.assertEqual(mapped.props.task.get_function(), 'square')
        result = self.run_async(mapped.next_async)
        self.assertEqual(mapped.next_finish(result).dup_result().unpack(), 9)

    def test_future(self):
        """A future tells of itself as properties."""
        task = Dray.Task.new_call('count', GLib.Variant('(u)', (5,)))
        task.set_label('of five')
        future = self.executor.submit(task)
        other = self.executor.call('nothing', None)
        future.wait(-1)
        self.iterate(lambda: future.props.progress == 1.0)
        self.assertEqual(future.props.status, '5 of 5')
        self.assertEqual(future.props.task.get_label(), 'of five')
        self.assertGreater(future.get_id(), 0)
        self.assertEqual(future.props.id, future.get_id())
        self.assertNotEqual(other.get_id(), future.get_id())


if __name__ == '__main__':
    main(__name__)
