#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tutorial's first step: a window."""

import sys

import gi
gi.require_version('Gtk', '3.0')
from gi.repository import Gtk


def activate(application):
    window = Gtk.ApplicationWindow(application=application, title='Lines')
    window.set_default_size(480, 360)
    window.add(Gtk.Label(label='Hello.'))
    window.show_all()


def main():
    application = Gtk.Application()
    application.connect('activate', activate)
    return application.run()


if __name__ == '__main__':
    sys.exit(main())
