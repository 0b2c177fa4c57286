# SPDX-License-Identifier: LGPL-2.1-or-later
"""The introspected library, of the version that this package is for."""

try:
    import gi
except ImportError as error:
    raise ImportError('dray needs PyGObject, which Debian has in the package python3-gi') from error

try:
    gi.require_version('Dray', '1')
except ValueError as error:
    raise ImportError('The library that dray is for is not found: there is no Dray-1.typelib. '
                      'Where it is not installed for all, GI_TYPELIB_PATH has to name its folder, '
                      'and LD_LIBRARY_PATH that of libdray-1.so.0') from error

from gi.repository import Dray, Gio, GLib  # noqa: E402

__all__ = ['Dray', 'Gio', 'GLib', 'new_value']

_NEEDED = [
    (Dray, ['CompletionQueue', 'Counters', 'Error', 'Executor', 'Future', 'FutureState', 'Launcher',
            'ShutdownMode', 'Stderr', 'Task', 'WorkerProcess', 'WorkerState', 'error_quark']),
    (Gio, ['AsyncResult', 'Cancellable', 'IOErrorEnum', 'ListModel', 'Task', 'UnixFDList',
           'io_error_quark']),
    (GLib, ['Bytes', 'Error', 'Idle', 'MainContext', 'Source', 'Variant', 'VariantType',
            'idle_source_new', 'main_depth', 'quark_to_string']),
]


def _make_classes() -> None:
    """PyGObject makes a class when it is first asked for, and of threads that ask at the same time
    some get half of one, or one that nothing takes. Whoever imports a module is alone: so those
    that are used, and those of what the library returns, are made now.
    """
    for repository, names in _NEEDED:
        for name in names:
            getattr(repository, name)


_make_classes()

_BYTES = GLib.VariantType('ay')


def new_value(data: bytes) -> GLib.Variant:
    """A value of type `ay`."""
    return GLib.Variant.new_from_bytes(_BYTES, GLib.Bytes.new(data), True)
