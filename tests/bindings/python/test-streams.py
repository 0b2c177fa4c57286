#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that items, progress, bytes, open files and the output of commands reach Python."""

import os
import tempfile

from support import Dray, GLib, TestCase, main, make_launcher
from gi.repository import Gio

DOMAIN = Dray.error_quark()


class Items(TestCase):
    def submit(self, name, arguments=None, pull=False):
        task = Dray.Task.new_call(name, arguments)
        task.set_pull(pull)
        return self.executor.submit(task)

    def test_pushed(self):
        """Items come in order, all before the end; the last progress comes, too."""
        said = []
        future = self.submit('count', GLib.Variant('(u)', (50,)))
        future.connect('item', lambda _future, value: said.append(value.unpack()))
        reports = []
        future.connect('progressed', lambda _future, *report: reports.append(report))
        future.add_done_callback(lambda _future: said.append('done'))
        self.iterate(lambda: 'done' in said)
        self.assertEqual(said, [*range(50), 'done'])
        self.assertEqual(reports[-1], (1.0, '50 of 50'))
        self.assertEqual(future.get_progress(), 1.0)
        self.assertEqual(future.dup_status(), '50 of 50')
        self.assertEqual(future.dup_result().unpack(), sum(range(50)))

    def test_pulled(self):
        """Whoever pulls gets each item once, one at a time or several, then None."""
        future = self.submit('count', GLib.Variant('(u)', (50,)), pull=True)
        seen = [future.wait_next_item(-1).unpack()]
        seen += [value.unpack() for value in future.wait_next_items(3, -1)]
        result = self.run_async(future.next_item_async)
        seen.append(future.next_item_finish(result).unpack())
        while True:
            result = self.run_async(future.next_items_async, 7)
            values = future.next_items_finish(result)
            if not values:
                break
            self.assertLessEqual(len(values), 7)
            seen += [value.unpack() for value in values]
        self.assertEqual(seen, list(range(50)))
        self.assertIsNone(future.wait_next_item(-1))

    def test_pulled_error(self):
        """At the end of a task that failed, pulling raises what it failed with."""
        future = self.submit('open_missing', pull=True)
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND,
                          future.wait_next_item, -1)

    def test_discarded(self):
        """Items that nobody pulls any more do not hold up their task."""
        n_items = 3000  # more than are read ahead
        future = self.submit('count', GLib.Variant('(u)', (n_items,)), pull=True)
        self.assertEqual(future.wait_next_item(-1).unpack(), 0)
        future.discard_items()
        self.iterate(future.is_done)
        self.assertEqual(future.dup_result().unpack(), sum(range(n_items)))
        self.assertIsNone(future.wait_next_item(-1))
        self.iterate(lambda: self.executor.dup_counters().undelivered_items == 0)

    def test_bytes(self):
        """A megabyte goes in and comes back, through pipes and through memory.

        Its bytes need not be a list of numbers.
        """
        data = bytes(range(256)) * 4096
        value = GLib.Variant.new_from_bytes(GLib.VariantType('ay'), GLib.Bytes.new(data), True)
        for shared_size in (1 << 30, 1 << 16):
            launcher = make_launcher()
            launcher.set_shared_size(shared_size)
            result = self.make_executor(launcher).call('reverse', value).wait_result(-1)
            self.assertEqual(result.get_data_as_bytes().get_data(), data[::-1])

    def test_attachments(self):
        """A worker reads an open file of the application's, and sends one of its own."""
        task = Dray.Task.new_call('shout', None)
        with tempfile.TemporaryFile() as file:
            file.write('grüß Gott'.encode())
            file.seek(0)
            files = Gio.UnixFDList.new()
            files.append(file.fileno())
            task.set_attachments(files)
        future = self.executor.submit(task)
        index = future.wait_result(-1).unpack()
        with os.fdopen(future.dup_attachments().get(index), encoding='utf-8') as reader:
            self.assertEqual(reader.read(), 'GRÜSS GOTT')


class Commands(TestCase):
    def run_command(self, *argv, split=Dray.Split.NONE, text=None):
        task = Dray.Task.new_command(argv)
        task.set_split(split)
        task.set_encoding(Dray.Encoding.UTF8)
        if text is not None:
            task.set_input_bytes(GLib.Bytes.new(text.encode()))
        future = self.executor.submit(task)
        lines = []
        future.connect('item', lambda _future, value: lines.append(value.unpack()))
        self.iterate(future.is_done)
        self.iterate(lambda: future.props.state not in (Dray.FutureState.PENDING,
                                                        Dray.FutureState.RUNNING))
        return future, lines

    def test_output(self):
        """The output of a command is its result, or comes in lines."""
        future, _ = self.run_command('sort', text='b\na\n')
        self.assertEqual(future.dup_result().unpack(), 'a\nb\n')
        _, lines = self.run_command('sort', split=Dray.Split.LINES, text='b\na\n')
        self.assertEqual(lines, ['a', 'b'])

    def test_failures(self):
        """An exit status and a signal are the codes of two domains of errors."""
        future, _ = self.run_command('sh', '-c', 'echo why >&2; exit 3')
        error = self.assert_error(GLib.spawn_exit_error_quark(), 3, future.dup_result)
        self.assertIn('why', error.message)
        future, _ = self.run_command('sh', '-c', 'kill $$')
        self.assertEqual(Dray.SignalError.quark(), Dray.signal_error_quark())
        self.assert_error(Dray.SignalError.quark(), Dray.SignalError.TERMINATE,
                          future.dup_result)
        future, _ = self.run_command('/no/such/program')
        self.assert_error(DOMAIN, Dray.Error.LAUNCH, future.dup_result)

    def test_input_fd(self):
        """A command reads an open file, from where it is."""
        task = Dray.Task.new_command(['cat'])
        task.set_encoding(Dray.Encoding.UTF8)
        self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.FAILED, task.set_input_fd, 1 << 20)
        with tempfile.TemporaryFile() as file:
            file.write('vorbei, grün'.encode())
            file.flush()
            os.lseek(file.fileno(), len('vorbei, '), os.SEEK_SET)
            self.assertTrue(task.set_input_fd(file.fileno()))
        self.assertEqual(self.executor.submit(task).wait_result(-1).unpack(), 'grün')

    def test_max_sizes(self):
        """Output that is too large, and a line that is too long, fail their tasks."""
        for size, code in ((5, None), (4, Dray.Error.TOO_LARGE)):
            task = Dray.Task.new_command(['echo', 'four'])
            task.set_max_output_size(size)
            future = self.executor.submit(task)
            if code is None:
                self.assertEqual(bytes(future.wait_result(-1)), b'four\n')
            else:
                self.assert_error(DOMAIN, code, future.wait_result, -1)

        task = Dray.Task.new_command(['printf', r'four\nfive!\n'])
        task.set_split(Dray.Split.LINES)
        task.set_max_record_size(4)
        task.set_pull(True)
        future = self.executor.submit(task)
        self.assertEqual(bytes(future.wait_next_item(-1)), b'four')
        self.assert_error(DOMAIN, Dray.Error.TOO_LARGE, future.wait_next_item, -1)

    def test_settings(self):
        """What was set is there to be read, lists of words as well."""
        task = Dray.Task.new_command(['true', 'ä'])
        self.assertEqual(task.get_argv(), ['true', 'ä'])
        self.assertFalse(task.get_environment())
        task.set_environment(['A=1', 'B=ö'])
        self.assertEqual(task.get_environment(), ['A=1', 'B=ö'])
        self.assertEqual(task.get_kind(), Dray.TaskKind.COMMAND)
        self.assertIsNone(task.get_function())
        self.assertIsNone(task.get_key())
        task.set_directory('/')
        self.assertEqual(task.get_directory(), '/')
        task.set_label('a label')
        self.assertEqual(task.get_label(), 'a label')


if __name__ == '__main__':
    main(__name__)
