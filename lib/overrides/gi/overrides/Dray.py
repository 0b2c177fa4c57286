# SPDX-License-Identifier: LGPL-2.1-or-later
"""What PyGObject can not know of Dray.

It finds this file by itself, in whatever folder of sys.path it is. All else of the library is as
introspection has it.

An exception that a callback raises is printed and forgotten by PyGObject, unless it is a
GLib.Error. A function of a worker would so have succeeded, with the value (). Here it fails: what
it raised arrives in the application as Dray.Error.FAILED, with the name of the exception and its
text.

Of a function with two callbacks, PyGObject wants a tuple of data for the first, and calls none that
has none. And an outcome that a callback keeps is the callback's own only if the callback returns:
after an exception, PyGObject leaves it what the library frees.
"""

import functools
import traceback

from gi.repository import GLib

from ..module import get_introspection_module
from ..overrides import override

Dray = get_introspection_module('Dray')

__all__ = ['Map', 'Worker']


def _make_error(error):
    text = str(error)
    name = type(error).__name__
    return GLib.Error(f'{name}: {text}' if text else name, 'dray-error-quark',
                      int(Dray.Error.FAILED))


def _guard(function, check):
    """Makes a function that raises a GLib.Error where @function raises anything else."""
    @functools.wraps(function)
    def guarded(*arguments):
        try:
            result = function(*arguments)
            check(function, result)
            return result
        except (GLib.Error, SystemExit):
            raise
        except BaseException as error:
            # Whoever debugs the worker reads its standard error.
            traceback.print_exc()
            raise _make_error(error) from error
    return guarded


def _check_result(function, result):
    if result is not None and not isinstance(result, GLib.Variant):
        name = getattr(function, '__name__', repr(function))
        raise TypeError(f'{name}() has to return a GLib.Variant or None, '
                        f'not {type(result).__name__}')


def _check_nothing(function, result):
    pass


def _own_outcome(function):
    """Gives @function an outcome that it may keep, however it ends."""
    @functools.wraps(function)
    def owning(mapped, outcome, *data):
        return function(mapped, outcome.ref(), *data)
    return owning


class Map(Dray.Map):
    def for_each_async(self, function, function_data=None, cancellable=None, callback=None,
                       *user_data):
        if function_data is None:
            function_data = ()
        elif not isinstance(function_data, tuple):
            function_data = (function_data,)
        if callable(function):
            function = _own_outcome(function)
        super().for_each_async(function, function_data, cancellable, callback, *user_data)


Map = override(Map)


class Worker(Dray.Worker):
    def add_function(self, name, function, *data):
        super().add_function(name, _guard(function, _check_result), *data)

    def add_typed_function(self, name, variant_type, function, *data):
        super().add_typed_function(name, variant_type, _guard(function, _check_result), *data)

    def set_initializer(self, initializer, *data):
        if initializer is not None:
            initializer = _guard(initializer, _check_nothing)
        super().set_initializer(initializer, *data)


Worker = override(Worker)
