#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
import hashlib
import sys

import gi
gi.require_version('Dray', '1')
from gi.repository import Dray, Gio, GLib


def checksum(job, path):  # runs in a worker process
    file = Gio.File.new_for_path(path.get_string())
    _, contents, _ = file.load_contents(job.get_cancellable())
    return GLib.Variant('s', hashlib.sha256(contents).hexdigest())


def print_result(future, path):  # runs in the application's main loop
    try:
        print(f'{future.dup_result().get_string()}  {path}')
    except GLib.Error as error:
        print(f'{error.message}  {path}')


def run_worker():
    worker = Dray.Worker()
    worker.add_typed_function('checksum', GLib.VariantType('s'), checksum)
    return worker.run()


def main(paths):
    launcher = Dray.Launcher.new_argv([sys.executable, __file__, '--worker'])
    executor = Dray.Executor.new(launcher)
    loop = GLib.MainLoop()
    for path in paths:
        future = executor.call('checksum', GLib.Variant('s', path))
        future.add_done_callback(print_result, path)
    executor.shutdown_async(Dray.ShutdownMode.DRAIN, None, lambda *_: loop.quit())
    loop.run()
    return 0


if __name__ == '__main__':
    sys.exit(run_worker() if sys.argv[1:] == ['--worker'] else main(sys.argv[1:]))
