#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Loads all files of a folder in worker processes, while the window stays alive.

Usage: file-loader.py [--exit-when-done] [--screenshot FILE] [FOLDER]
"""

import argparse
import gettext
import hashlib
import locale
import signal
import sys

import gi
gi.require_version('Dray', '1')
gi.require_version('Gdk', '3.0')
gi.require_version('Gtk', '3.0')
from gi.repository import Dray, Gio, GLib  # noqa: E402

BATCH = 100
CHUNK = 1 << 20
TIME_LIMIT = 60_000  # milliseconds for one file

_ = gettext.gettext


# --- In the worker processes ---

def list_files(job, arguments):
    """Streams the names and addresses of a folder's files, so many at a time."""
    folder = Gio.File.new_for_uri(arguments.unpack()[0])
    found = folder.enumerate_children('standard::name,standard::display-name,standard::type',
                                      Gio.FileQueryInfoFlags.NONE, job.get_cancellable())
    batch = []
    for info in found:
        if info.get_file_type() != Gio.FileType.DIRECTORY:
            batch.append((info.get_display_name(), found.get_child(info).get_uri()))
        if len(batch) == BATCH:
            job.emit(GLib.Variant('a(ss)', batch))
            batch = []
    job.emit(GLib.Variant('a(ss)', batch))


def load_file(job, arguments):
    """Reads a file, and returns its size, its type and its checksum."""
    file = Gio.File.new_for_uri(arguments.unpack()[0])
    cancellable = job.get_cancellable()
    info = file.query_info('standard::size,standard::content-type',
                           Gio.FileQueryInfoFlags.NONE, cancellable)
    stream = file.read(cancellable)
    checksum = hashlib.sha256()
    n_read = 0
    while chunk := stream.read_bytes(CHUNK, cancellable).get_data():
        checksum.update(chunk)
        n_read += len(chunk)
        job.set_progress(min(n_read / max(info.get_size(), 1), 1), None)
    return GLib.Variant('(tss)', (n_read, info.get_content_type() or '', checksum.hexdigest()))


def run_worker():
    worker = Dray.Worker.new()
    worker.add_typed_function('list', GLib.VariantType('(s)'), list_files)
    worker.add_typed_function('load', GLib.VariantType('(s)'), load_file)
    return worker.run()


# --- In the application ---

class FileLoader:
    NAME, SIZE, TYPE, PERCENT, TEXT, COLOR = range(6)

    def __init__(self, options):
        self.options = options
        self.executor = Dray.Executor.new(
            Dray.Launcher.new_argv([sys.executable, __file__, '--worker']))
        self.load = Gio.Cancellable()  # the current load; whatever belongs to another is old
        self.rows = Gtk.ListStore(str, str, str, int, str, str)
        self.build_window()
        self.window.show_all()

    def build_window(self):
        self.header = Gtk.HeaderBar(title=_('File Reader'), show_close_button=True)
        open_button = Gtk.Button(label=_('Open Folder'))
        open_button.connect('clicked', self.on_open)
        self.cancel_button = Gtk.Button(label=_('Cancel'), sensitive=False)
        self.cancel_button.connect('clicked', lambda _button: self.load.cancel())
        self.header.pack_start(open_button)
        self.header.pack_end(self.cancel_button)

        view = Gtk.TreeView(model=self.rows)
        text, progress = Gtk.CellRendererText, Gtk.CellRendererProgress
        for title, cell, attributes in (
                (_('Name'), text(ellipsize='middle', width_chars=24), {'text': self.NAME}),
                (_('Size'), text(xalign=1), {'text': self.SIZE}),
                (_('Type'), text(), {'text': self.TYPE}),
                (_('Reading'), progress(width=90), {'value': self.PERCENT}),
                (_('Contents'), text(ellipsize='end'),
                 {'text': self.TEXT, 'foreground': self.COLOR})):
            view.append_column(Gtk.TreeViewColumn(title, cell, **attributes))
        scroller = Gtk.ScrolledWindow(child=view, expand=True)
        self.bar = Gtk.ProgressBar(show_text=True, margin=6)

        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        box.add(scroller)
        box.add(self.bar)
        self.window = Gtk.Window(child=box, default_width=900, default_height=500)
        self.window.set_titlebar(self.header)
        self.window.connect('destroy', self.on_destroy)

    def on_open(self, _button):
        chooser = Gtk.FileChooserNative.new(_('Open Folder'), self.window,
                                            Gtk.FileChooserAction.SELECT_FOLDER, None, None)
        if chooser.run() == Gtk.ResponseType.ACCEPT:
            self.open(chooser.get_file())

    def open(self, folder):
        self.load.cancel()
        self.load = Gio.Cancellable()
        self.rows.clear()
        self.counts = {'found': 0, 'loaded': 0, 'failed': 0, 'cancelled': 0}
        self.cancel_button.set_sensitive(True)
        self.header.set_subtitle(folder.get_parse_name())
        task = Dray.Task.new_call('list', GLib.Variant('(s)', (folder.get_uri(),)))
        self.listing = self.executor.submit(task, self.load)
        self.listing.connect('item', self.on_files, self.load)
        self.listing.add_done_callback(self.on_listed, self.load)

    def on_files(self, _listing, files, load):
        for name, uri in files.unpack() if load is self.load else ():
            row = self.rows.append([name, '', '', 0, '', None])
            self.counts['found'] += 1
            task = Dray.Task.new_call('load', GLib.Variant('(s)', (uri,)))
            task.set_time_limit(TIME_LIMIT)
            future = self.executor.submit(task, load)
            future.connect('progressed', self.on_progressed, row, load)
            future.add_done_callback(self.on_loaded, row, load)

    def on_progressed(self, _future, fraction, _text, row, load):
        if load is self.load:
            self.rows[row][self.PERCENT] = int(100 * fraction)

    def on_loaded(self, future, row, load):
        if load is not self.load:
            return
        try:
            size, content_type, checksum = future.dup_result().unpack()
            self.rows[row][:5] = [self.rows[row][self.NAME], GLib.format_size(size), content_type,
                                  100, checksum]
            self.counts['loaded'] += 1
        except GLib.Error as error:
            self.rows[row][self.TEXT] = error.message
            self.rows[row][self.COLOR] = 'red'
            cancelled = error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)
            self.counts['cancelled' if cancelled else 'failed'] += 1
        self.check_end()

    def on_listed(self, listing, load):
        if load is not self.load:
            return
        try:
            listing.dup_result()
        except GLib.Error as error:
            self.header.set_subtitle(error.message)
        self.check_end()

    def check_end(self):
        found, *ended = self.counts.values()
        self.bar.set_fraction(sum(ended) / max(found, 1))
        self.bar.set_text(f'{sum(ended)} / {found}')
        if self.listing.is_done() and sum(ended) == found:
            self.cancel_button.set_sensitive(False)
            if self.options.exit_when_done:
                # When all that changed was drawn.
                self.drawn = self.window.get_frame_clock().connect('after-paint', self.finish)
                self.window.queue_draw()

    def finish(self, clock):
        clock.disconnect(self.drawn)
        if self.options.screenshot:
            window = self.window.get_window()
            Gdk.pixbuf_get_from_window(window, 0, 0, window.get_width(), window.get_height()) \
                .savev(self.options.screenshot, 'png', [], [])
        print(' '.join(f'{what}={number}' for what, number in self.counts.items()))
        self.window.destroy()

    def on_destroy(self, _window):
        self.load.cancel()
        self.load = None
        self.executor.shutdown_async(Dray.ShutdownMode.TERMINATE, None,
                                     lambda *_: Gtk.main_quit())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--exit-when-done', action='store_true')
    parser.add_argument('--screenshot', metavar='FILE')
    parser.add_argument('folder', nargs='?')
    options = parser.parse_args()
    loader = FileLoader(options)
    if options.folder:
        loader.open(Gio.File.new_for_commandline_arg(options.folder))
    Gtk.main()


if __name__ == '__main__':
    locale.setlocale(locale.LC_ALL, '')
    gettext.textdomain('dray')
    if sys.argv[1:] == ['--worker']:
        sys.exit(run_worker())
    # A worker has no display, and needs no GTK.
    from gi.repository import Gdk, Gtk
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
