// SPDX-License-Identifier: LGPL-2.1-or-later

// Where the reference finds what it is built on. gi-docgen's own script reads it.
baseURLs = [
  ['GLib', 'https://docs.gtk.org/glib/'],
  ['GObject', 'https://docs.gtk.org/gobject/'],
  ['Gio', 'https://docs.gtk.org/gio/'],
];
