# SPDX-License-Identifier: LGPL-2.1-or-later
"""The introspected library, of the version that this package is for."""

import gi

gi.require_version('Dray', '1')

from gi.repository import Dray, Gio, GLib  # noqa: E402

__all__ = ['Dray', 'Gio', 'GLib', 'BYTES']

BYTES = GLib.VariantType('ay')
