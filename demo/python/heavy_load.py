#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A thread of the window started a process and joined it before it read the result from a queue:
# more than 64 KB did not fit into the pipe, and both waited for each other for ever.
"""A window that has a picture of 900 KB computed in a process, and shows it."""

import gettext
import locale
import os
import sys
import time

import dray
import gi

gi.require_versions({'Gtk': '3.0', 'GdkPixbuf': '2.0'})
from gi.repository import GdkPixbuf, Gio, GLib, Gtk  # noqa: E402

_ = gettext.translation('dray', locale.bindtextdomain('dray', os.getenv('DRAY_DEMO_LOCALEDIR')),
                        fallback=True).gettext

WIDTH, HEIGHT = 640, 480
COLOURS = [bytes((max(0, 255 - 9 * n), 255 - 4 * n, min(255, 355 - 4 * n))) for n in range(60)]


def draw():
    """In a worker process: the heavy load. Returns the Mandelbrot set, in three bytes a pixel."""
    pixels = bytearray()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            c, z, n = complex(x - 460, y - 240) / 200, 0j, 0
            while abs(z) < 2 and n < len(COLOURS) - 1:
                z, n = z * z + c, n + 1
            pixels += COLOURS[n]
    return bytes(pixels)


class Window(Gtk.ApplicationWindow):
    """Its main loop goes on all the time."""

    title = _('Heavy Load')

    def __init__(self, application, executor, load):
        super().__init__(application=application, resizable=False)
        self.executor, self.load, self.job = executor, load, None
        self.image = Gtk.Image(width_request=WIDTH, height_request=HEIGHT)
        self.spinner = Gtk.Spinner()
        self.button = Gtk.Button(label=_('Start'))
        self.button.connect('clicked', self.on_clicked)
        self.header = Gtk.HeaderBar(title=self.title, show_close_button=True)
        self.header.pack_start(self.button)
        self.header.pack_start(self.spinner)
        self.set_titlebar(self.header)
        self.add(self.image)
        self.connect('destroy', self.on_destroy)
        self.show_all()

    def on_clicked(self, button):
        if self.job is not None:
            self.job.cancel()
            return
        self.button.set_label(_('Cancel'))
        self.spinner.start()
        self.ticks = GLib.timeout_add(100, self.on_tick, time.monotonic())
        self.job = self.executor.submit(self.load)
        self.job.add_done_callback(self.on_done)

    def on_tick(self, start):
        seconds = locale.format_string('%.1f', time.monotonic() - start)
        self.header.set_subtitle(_('At work for {seconds} s').format(seconds=seconds))
        return GLib.SOURCE_CONTINUE

    def on_done(self, job):
        """In the main loop, too: the result is there, all of it."""
        if job is not self.job:
            return  # there is no window any more
        self.job = None
        GLib.source_remove(self.ticks)
        self.spinner.stop()
        self.button.set_label(_('Start'))
        if job.cancelled():
            self.header.set_subtitle(_('Cancelled'))
        elif job.exception() is not None:
            self.header.set_subtitle(str(job.exception()))
        else:
            size = GLib.format_size(len(job.result()))
            self.header.set_subtitle(_('The result: {size}').format(size=size))
            self.image.set_from_pixbuf(self.picture_of(job.result()))

    def on_destroy(self, window):
        job, self.job = self.job, None
        if job is not None:
            GLib.source_remove(self.ticks)
            job.cancel()

    def picture_of(self, pixels):
        return GdkPixbuf.Pixbuf.new_from_bytes(
            GLib.Bytes.new(pixels), GdkPixbuf.Colorspace.RGB, False, 8, WIDTH, HEIGHT, 3 * WIDTH)


def main(window_type=Window, load=draw):
    application = Gtk.Application(flags=Gio.ApplicationFlags.NON_UNIQUE)
    try:
        with dray.ProcessPoolExecutor(1) as executor:
            application.connect('activate', lambda _: window_type(application, executor, load))
            return application.run()
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())
