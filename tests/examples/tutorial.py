#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tutorial arrives at: a window that shows how many lines each file in a folder has.

Usage: tutorial.py FOLDER
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


def list_files(job, path):
    """In a worker process: sends the path of each file in a folder."""
    folder = Gio.File.new_for_path(path.get_data_as_bytes().get_data())
    children = folder.enumerate_children('standard::name,standard::type', 0, job.get_cancellable())
    for info in children:
        if info.get_file_type() == Gio.FileType.REGULAR:
            child = os.fsencode(children.get_child(info).get_path())
            if not job.emit(GLib.Variant('ay', child)):
                break


def run_worker():
    worker = Dray.Worker()
    worker.add_typed_function('count-lines', GLib.VariantType('ay'), count_lines)
    worker.add_typed_function('list-files', GLib.VariantType('ay'), list_files)
    return worker.run()


if sys.argv[1:] == ['--worker']:
    sys.exit(run_worker())

gi.require_version('Gtk', '3.0')
from gi.repository import Gtk  # noqa: E402


class Lines:
    """In the application: the files, and what is known of each."""

    def __init__(self, folder):
        launcher = Dray.Launcher.new_argv([sys.executable, __file__, '--worker'])
        self.executor = Dray.Executor.new(launcher)
        self.rows = Gtk.ListStore(str, str)
        self.bar = Gtk.ProgressBar(show_text=True, valign=Gtk.Align.CENTER)
        self.stop = Gtk.Button(label='Stop')
        self.stop.connect('clicked', lambda _: self.executor.cancel_all())
        self.n_files = 0
        self.n_done = 0
        self.read_folder(folder)

    def read_folder(self, folder):
        self.listing = self.executor.call('list-files', GLib.Variant('ay', os.fsencode(folder)))
        self.listing.connect('item', self.add_file)
        self.listing.add_done_callback(self.end_listing)

    def add_file(self, _listing, path):
        """In the main loop: another file was found."""
        name = os.path.basename(path.get_data_as_bytes().get_data())
        row = self.rows.append([name.decode(errors='replace'), '…'])
        self.n_files += 1
        self.show_progress()
        counted = self.executor.call('count-lines', path)
        counted.add_done_callback(self.show_lines, row)

    def show_lines(self, future, row):
        """In the main loop: the lines of a file were counted, or not."""
        try:
            text = str(future.dup_result().get_uint64())
        except GLib.Error as error:
            cancelled = error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)
            text = 'stopped' if cancelled else error.message
        self.rows.set_value(row, 1, text)
        self.n_done += 1
        self.show_progress()

    def end_listing(self, future):
        """In the main loop: there are no more files, or the folder could not be read."""
        self.show_progress()
        try:
            future.dup_result()
        except GLib.Error as error:
            self.bar.set_text(error.message)

    def show_progress(self):
        self.bar.set_fraction(self.n_done / self.n_files if self.n_files else 1)
        self.bar.set_text(f'{self.n_done} of {self.n_files} files')
        self.stop.set_sensitive(self.n_done < self.n_files)

    def make_list(self):
        text = Gtk.CellRendererText()
        view = Gtk.TreeView(model=self.rows)
        for i, title in enumerate(('File', 'Lines')):
            view.append_column(Gtk.TreeViewColumn(title, text, text=i))
        view.get_column(0).set_expand(True)
        scrolled = Gtk.ScrolledWindow()
        scrolled.add(view)
        return scrolled

    def activate(self, application):
        foot = Gtk.Box(spacing=12, margin=12)
        foot.pack_start(self.bar, True, True, 0)
        foot.pack_end(self.stop, False, False, 0)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        box.pack_start(self.make_list(), True, True, 0)
        box.pack_end(foot, False, False, 0)
        window = Gtk.ApplicationWindow(application=application, title='Lines')
        window.set_default_size(480, 360)
        window.add(box)
        window.show_all()


def main():
    lines = Lines(sys.argv[1] if len(sys.argv) > 1 else '.')
    application = Gtk.Application()
    application.connect('activate', lines.activate)
    return application.run()


if __name__ == '__main__':
    sys.exit(main())
