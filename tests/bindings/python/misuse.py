#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uses the library as nobody should, and says so if it is still there afterwards.

Run by test-misuse.py, in a process of its own, as critical messages end that of a test.
"""

from support import Dray, GLib, make_launcher
from gi.repository import GObject


def use_unreal():
    """Makes an object of each type that only the library makes, and calls what takes nothing."""
    for kind in (Dray.Future, Dray.Map, Dray.Job, Dray.WorkerProcess):
        thing = GObject.new(kind)
        for name in set(dir(kind)).difference(dir(GObject.Object), ['get_current']):
            if callable(getattr(kind, name)):
                try:
                    getattr(thing, name)()
                except TypeError:  # it takes more
                    pass
        for pspec in GObject.list_properties(kind):
            thing.get_property(pspec.name)

    Dray.Group().add(Dray.Future())
    Dray.CompletionQueue().add(Dray.Future())
    Dray.Future.all([Dray.Future()])


def call_without_name(executor):
    executor.call('', None)
    executor.call_async('', None)
    executor.map('', lambda *_data: None)
    executor.map_values('', [])
    executor.map_model('', executor.get_futures(), lambda _item, *_data: None)


def turn(condition):
    while not condition():
        GLib.MainContext.default().iteration(True)


def mix_results(executor):
    """Gives the result of one function to the other half of another."""
    results = []
    executor.call_async('nothing', None, None, lambda _source, result: results.append(result))
    turn(lambda: results)
    executor.submit_finish(results[0])
    executor.run_finish(results[0])
    executor.shutdown_finish(results[0])

    queue = Dray.CompletionQueue()
    queue.next_async(None, lambda _source, result: results.append(result))
    turn(lambda: len(results) == 2)
    queue.next_many_finish(results[1])

    mapped = executor.map_values('nothing', [])
    mapped.next_async(None, lambda _source, result: results.append(result))
    turn(lambda: len(results) == 3)
    mapped.next_many_finish(results[2])
    mapped.for_each_finish(results[2])


def main():
    executor = Dray.Executor.new(make_launcher())
    use_unreal()
    call_without_name(executor)
    mix_results(executor)
    executor.shutdown_sync(Dray.ShutdownMode.TERMINATE)
    print('still here')


if __name__ == '__main__':
    main()
