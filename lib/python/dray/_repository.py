# SPDX-License-Identifier: LGPL-2.1-or-later
"""The introspected library, of the version that this package is for."""

try:
    import gi
except ImportError as error:
    raise ImportError('dray needs PyGObject, which Debian has in the package python3-gi') from error

try:
    gi.require_version('Dray', '1')
except ValueError as error:
    raise ImportError('The library that dray is for is not found: there is no Dray-1.typelib. Where it '
                      'is not installed for all, GI_TYPELIB_PATH has to name its folder, and '
                      'LD_LIBRARY_PATH that of libdray-1.so.0') from error

from gi.repository import Dray, Gio, GLib  # noqa: E402

__all__ = ['Dray', 'Gio', 'GLib', 'new_value']

_BYTES = GLib.VariantType('ay')


def new_value(data: bytes) -> GLib.Variant:
    """A value of type `ay`."""
    return GLib.Variant.new_from_bytes(_BYTES, GLib.Bytes.new(data), True)
