#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A window that has a file's lines counted in a worker.

Usage: python-window.py FILE
"""

import sys

import dray
import gi
gi.require_version('Gtk', '3.0')
from gi.repository import Gtk


def count_lines(path):
    """In a worker process."""
    with open(path, 'rb') as file:
        return sum(1 for _ in file)


class Window(Gtk.ApplicationWindow):

    def __init__(self, application, executor, path):
        super().__init__(application=application, title='Lines')
        self.executor = executor
        self.path = path
        self.button = Gtk.Button(label='Count', halign=Gtk.Align.CENTER)
        self.button.connect('clicked', self.on_clicked)
        self.label = Gtk.Label(label='Nothing was counted yet.', wrap=True)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, margin=24)
        box.add(self.button)
        box.add(self.label)
        self.add(box)
        self.set_default_size(480, 180)

    def on_clicked(self, button):
        button.set_sensitive(False)
        future = self.executor.submit(count_lines, self.path)
        future.add_done_callback(self.show_result)

    def show_result(self, future):
        self.button.set_sensitive(True)
        error = future.exception()
        self.label.set_text(str(error) if error else f'{future.result()} lines')


def main(path):
    with dray.ProcessPoolExecutor() as executor:
        application = Gtk.Application()
        application.connect('activate', lambda _: Window(application, executor, path).show_all())
        return application.run()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
