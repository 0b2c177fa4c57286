#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions, in Python, that the tests in this folder call."""

import ctypes
import itertools
import os
import pathlib
import resource
import signal
import sys
import time

import gi
gi.require_version('Dray', '1')
from gi.repository import Dray, Gio, GLib  # noqa: E402


def echo(_job, arguments):
    return arguments


def nothing(_job, _arguments):
    return None


def fail(_job, arguments):
    domain, code, message = arguments.unpack()
    raise GLib.Error(message, domain, code)


def open_missing(job, _arguments):
    """The error is GIO's own."""
    Gio.File.new_for_path('/no/such/file').load_contents(job.get_cancellable())


def stumble(_job, _arguments):
    return 1 // 0


def forget(_job, _arguments):
    return 'not a GLib.Variant'


def count(job, arguments):
    """Emits so many numbers, reports its progress, and returns their sum."""
    total, = arguments.unpack()
    for i in range(total):
        if not job.emit(GLib.Variant('u', i)):
            break
        job.set_progress((i + 1) / total, f'{i + 1} of {total}')
    return GLib.Variant('u', sum(range(total)))


def wait_for_cancel(job, _arguments):
    job.emit(GLib.Variant('s', 'begun'))
    while not job.is_cancelled():
        time.sleep(0.001)
    return GLib.Variant('s', 'stopped')


def square(_job, arguments):
    n, = arguments.unpack()
    if n == 13:
        raise GLib.Error('unlucky', 'g-io-error-quark', int(Gio.IOErrorEnum.INVALID_DATA))
    return GLib.Variant('i', n * n)


def take_turn(_job, _arguments, turns):
    """The place of this call among those of its worker."""
    return GLib.Variant('u', next(turns))


def die(_job, _arguments):
    print('last words', file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def reverse(job, data):
    """Bytes in, bytes out, written where they are sent from."""
    turned = data.get_data_as_bytes().get_data()[::-1]
    memory, address = job.allocate_bytes(len(turned))
    ctypes.memmove(address, turned, len(turned))
    return GLib.Variant.new_from_bytes(GLib.VariantType('ay'), memory, True)


def shout(job, _arguments):
    """Reads one open file, and returns another."""
    fd = job.get_attachments().get(0)
    with os.fdopen(fd, 'r', encoding='utf-8') as file:
        text = file.read()
    reader, writer = os.pipe()
    os.write(writer, text.upper().encode())
    os.close(writer)
    index = job.return_attachment(reader)
    os.close(reader)
    return GLib.Variant('i', index)


class Surroundings:
    """What the launcher gave to this worker."""

    initial = None

    @classmethod
    def prepare(cls, _worker, arguments):
        if arguments is not None and arguments.unpack() == ('refuse',):
            raise ValueError('these arguments are refused')
        cls.initial = arguments
        return True

    @staticmethod
    def finish(_worker, *data):
        path = os.environ.get('DRAY_TEST_FINISHED')
        if path is not None:
            pathlib.Path(path).write_text(' '.join(data), encoding='utf-8')

    @classmethod
    def tell(cls, job, _arguments):
        initial = '' if cls.initial is None else cls.initial.print_(True)
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return GLib.Variant('a{ss}', {
            'function': job.get_function(), 'attempt': str(job.get_attempt()),
            'initial': initial, 'variable': os.environ.get('DRAY_TEST', ''),
            'directory': os.getcwd(), 'files': str(files),
            'niceness': str(os.getpriority(os.PRIO_PROCESS, 0)),
        })


def identify(job, _arguments):
    """Says which job this is, and whether it is the current one of the worker that has it."""
    worker = job.get_worker()
    return GLib.Variant('(tbb)', (job.get_id(), Dray.Job.get_current() is job,
                                  isinstance(worker, Dray.Worker)))


def wait_for_signal(job, _arguments):
    """Blocks until the signal comes that the worker has for functions which are cancelled."""
    signum = job.get_worker().get_cancel_signal()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signum])  # so it may come before it is waited for
    job.emit(GLib.Variant('s', 'begun'))
    return GLib.Variant('i', signal.sigwait([signum]))


def resident(_job, _arguments):
    """How many KiB of memory this process has."""
    with open('/proc/self/status', encoding='utf-8') as status:
        return GLib.Variant('u', next(int(line.split()[1]) for line in status
                                      if line.startswith('VmRSS:')))


def run():
    worker = Dray.Worker.new()
    worker.set_initializer(Surroundings.prepare)
    worker.set_finalizer(Surroundings.finish, 'all', 'done')
    for function in (echo, nothing, fail, open_missing, stumble, forget, wait_for_cancel, die,
                     shout, identify, resident):
        worker.add_function(function.__name__, function)
    worker.add_function('take_turn', take_turn, itertools.count())
    worker.add_function('tell', Surroundings.tell)
    worker.add_typed_function('count', GLib.VariantType('(u)'), count)
    worker.add_typed_function('square', GLib.VariantType('(i)'), square)
    worker.add_typed_function('reverse', GLib.VariantType('ay'), reverse)
    if 'DRAY_TEST_SIGNAL' in os.environ:
        worker.set_cancel_signal(signal.SIGUSR1)
        worker.add_function('wait_for_signal', wait_for_signal)
    return worker.run()


if __name__ == '__main__':
    sys.exit(run())
