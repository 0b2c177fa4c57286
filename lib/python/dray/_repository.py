# SPDX-License-Identifier: LGPL-2.1-or-later
"""The introspected library, of the version that this package is for."""

import gi

gi.require_version('Dray', '1')

from gi.repository import Dray, Gio, GLib  # noqa: E402

__all__ = ['Dray', 'Gio', 'GLib', 'new_value']

_BYTES = GLib.VariantType('ay')


def new_value(data: bytes) -> GLib.Variant:
    """A value of type `ay`."""
    return GLib.Variant.new_from_bytes(_BYTES, GLib.Bytes.new(data), True)
