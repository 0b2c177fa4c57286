#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tutorial's second step: a worker counts the lines of one file.

Usage: tutorial-call.py FILE
"""

import os
import sys

import gi
gi.require_version('Dray', '1')
from gi.repository import Dray, Gio, GLib


def count_lines(job, path):
    """In a worker process: how many lines a file has."""
    file = Gio.File.new_for_path(path.get_data_as_bytes().get_data())
    stream = file.read(job.get_cancellable())
    n_lines = 0
    while data := stream.read_bytes(65536, job.get_cancellable()).get_data():
        n_lines += data.count(b'\n')
    return GLib.Variant('t', n_lines)


def run_worker():
    worker = Dray.Worker()
    worker.add_typed_function('count-lines', GLib.VariantType('ay'), count_lines)
    return worker.run()


if sys.argv[1:] == ['--worker']:
    sys.exit(run_worker())

gi.require_version('Gtk', '3.0')
from gi.repository import Gtk  # noqa: E402


def main(path):
    launcher = Dray.Launcher.new_argv([sys.executable, __file__, '--worker'])
    executor = Dray.Executor.new(launcher)
    label = Gtk.Label(label='Counting…', wrap=True)

    def activate(application):
        window = Gtk.ApplicationWindow(application=application, title='Lines')
        window.set_default_size(480, 360)
        window.add(label)
        window.show_all()

    def show_lines(future):
        """In the main loop: what became of the call."""
        try:
            label.set_text(f'{future.dup_result().get_uint64()} lines')
        except GLib.Error as error:
            label.set_text(error.message)

    future = executor.call('count-lines', GLib.Variant('ay', os.fsencode(path)))
    future.add_done_callback(show_lines)

    application = Gtk.Application()
    application.connect('activate', activate)
    return application.run()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
