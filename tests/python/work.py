# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests' workers do."""

import ctypes
import functools
import os
import signal
import sys
import threading
import time

import dray

state = None


def square(x):
    return x * x


def fail(text):
    raise ValueError(text)


n_interrupts = 0


def interrupt_once():
    global n_interrupts
    n_interrupts += 1
    if n_interrupts == 1:
        signal.raise_signal(signal.SIGINT)
    return 'read'


class Interrupting:
    """Is there just when somebody presses Ctrl+C."""

    def __reduce__(self):
        return interrupt_once, ()


def make_interrupting():
    return Interrupting()


class Unreadable:
    """Can be sent, and not be read."""

    def __reduce__(self):
        return fail, ('unreadable',)


def make_unreadable():
    return Unreadable()


def add_one_by_one(number, times):
    """To a multiprocessing.Value."""
    for _ in range(times):
        with number.get_lock():
            number.value += 1


def die(signum=signal.SIGKILL):
    os.kill(os.getpid(), signum)
    signal.pause()


def pid():
    return os.getpid()


def echo(value):
    return value


def take(*values):
    pass


def echo_all(*args, **kwargs):
    return args, kwargs


class Box:
    """Has something in it."""

    def __init__(self, content):
        self.content = content

    def get(self):
        return self.content


def yield_boxes(values):
    for value in values:
        yield Box(value)


def yield_lists(*lengths):
    for length in lengths:
        yield list(range(length))


def lock_and_echo(value, lock):
    with lock:
        return value, None


def look_into(box):
    """What the view in a box is mapped from, and the box."""
    return mapping_of(box.content), box


def mapping_of(view):
    """What the memory of a view is a part of, as the system names it; nothing if that is the heap.
    """
    buffer = (ctypes.c_void_p * 16)()  # a Py_buffer is smaller; the address is its first field
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), buffer, 0)
    ctypes.pythonapi.PyBuffer_Release(buffer)
    with open('/proc/self/maps') as maps:
        for fields in map(str.split, maps):
            first, end = (int(number, 16) for number in fields[0].split('-'))
            if first <= buffer[0] < end:
                return ' '.join(fields[5:])
    raise AssertionError('There is no such memory')


def describe(value):
    """The type of a value, its length, whether it can be written to."""
    writable = None
    flags = getattr(value, 'flags', None)
    if flags is not None:
        writable = bool(flags.writeable)
    return type(value).__name__, len(value), writable


def describe_view(view):
    """All that a memoryview tells of itself, and how it is changed; then the view."""
    described = view.format, view.shape, view.readonly, view.tobytes()
    if not view.readonly and view.nbytes > 0:
        view.cast('B')[:1] = b'!'
    return described, view


def report(reports, path=None):
    """Says how far it is; waits for a file before the last time."""
    for fraction, text in reports[:-1]:
        dray.set_progress(fraction, text)
    if path is not None:
        wait_for_file(path)
    dray.set_progress(*reports[-1])
    return len(reports)


def leave_reporter():
    """A thread that says how far whatever runs is, as long as the worker lives, and does so in the
    moment that a call ends as well."""
    def report_for_ever():
        while True:
            dray.set_progress(0.5, 'half')

    sys.setswitchinterval(1e-6)
    threading.Thread(target=report_for_ever, daemon=True).start()


def report_anything(*report):
    dray.set_progress(*report)


def report_and_count(n):
    for i in range(n):
        dray.set_progress((i + 1) / n, f'{i + 1} of {n}')
        yield i


def count(n, last=None):
    for i in range(n):
        yield i
    return last


@functools.wraps(count)
def listed(n):
    return list(count(n))


@functools.wraps(count)
def wrapped(n):
    return count(n)


def count_and_fail(n):
    yield from range(n)
    raise ValueError('after all')


def count_and_leave(n, path, gate=None):
    """Leaves a file when it has come to its end; before that it may wait for one."""
    yield from range(n)
    if gate is not None:
        wait_for_file(gate)
    open(path, 'w').close()


def count_under_lock(lock, path):
    with lock:
        yield from count_and_leave(1, path)


def endless(size=1):
    block = b'x' * size
    while True:
        yield block


def wait_for_file(path):
    """Until the file is there; the only way to wait that a test can see through."""
    while not os.path.exists(path):
        time.sleep(0.001)
    return os.getpid()


def go_on_or_fail(number, folder):
    """Goes on until there is a file, and leaves one that says how it has ended; 0 fails as soon as
    another has begun, -1 does nothing."""
    if number < 0:
        return
    if number == 0:
        raise ValueError(first_begun(folder))
    end = 'to its end'
    try:
        open(f'{folder}/begun-{number}', 'w').close()
        wait_for_file(f'{folder}/gate')
    except KeyboardInterrupt:
        end = 'interrupted'
    with open(f'{folder}/ending-{number}', 'w') as file:
        file.write(end)
    os.rename(f'{folder}/ending-{number}', f'{folder}/ended-{number}')


def first_begun(folder):
    while True:
        for name in os.listdir(folder):
            if name.startswith('begun-'):
                return name
        time.sleep(0.001)


def note(path, text):
    """In what order calls are run can be read there."""
    with open(path, 'a') as file:
        print(text, file=file)


def wait_for_file_and_die(path):
    wait_for_file(path)
    die()


def wait_and_count(path, n):
    wait_for_file(path)
    yield from range(n)


def sleep_until_cancelled(started, ended):
    """Leaves a file when it begins, and another one if it is interrupted."""
    try:
        open(started, 'w').close()
        while True:
            time.sleep(0.1)  # what comes just before is heard of afterwards
    except KeyboardInterrupt as error:
        with open(ended, 'w') as file:
            file.write(type(error).__name__)
        raise


def read_until_cancelled(path, value):
    open(path, 'w').close()
    while not dray._library.arriving.is_cancelled():
        time.sleep(0.001)
    return value


class ReadUntilCancelled:
    """Becomes the value; a file is left when that begins."""

    def __init__(self, path, value):
        self.path, self.value = path, value

    def __reduce__(self):
        return read_until_cancelled, (self.path, self.value)


def refuse_to_end(started):
    while True:
        try:
            open(started, 'w').close()
            time.sleep(0.1)
        except KeyboardInterrupt:
            pass


def exit_when_cancelled(started):
    try:
        open(started, 'w').close()
        wait_for_file('/nowhere')
    except KeyboardInterrupt:
        os._exit(0)


def leave_thread():
    """One that Python waits for, for ever."""
    threading.Thread(target=threading.Event().wait).start()


def yield_and_refuse_to_end():
    try:
        while True:
            yield 1
    finally:
        refuse_to_end(os.devnull)


def die_at_first(path):
    if not os.path.exists(path):
        open(path, 'w').close()
        die()
    return path


def remember(value):
    global state
    state = value


def recall():
    return state


def find_nothing():
    from gi.repository import Gio
    Gio.File.new_for_path('/nowhere/at/all').load_contents(None)


def module_path():
    return sys.path


def job_id_and_progress():
    """What the library's own job can do."""
    import dray
    job = dray.current_job()
    return job.get_id() > 0, job.set_progress(0.5, 'half'), job.is_cancelled()


def put(queue, lock, value):
    """What multiprocessing shares between processes."""
    with lock:
        queue.put(value)


def converse(connection, prefix=b''):
    """Answers, over a two-way pipe or a socket, until the other side has enough."""
    if hasattr(connection, 'recv_bytes'):
        while (question := connection.recv_bytes()) != b'enough':
            connection.send_bytes(prefix[:2] + question.upper())
        return len(prefix)
    while question := connection.recv(100):
        connection.sendall(prefix[:2] + question.upper())
    return len(prefix)


def put_into_pipe(connection, text):
    connection.send_bytes(text)


def open_pipe():
    import multiprocessing.connection
    return ['multiprocessing.connection', multiprocessing.Pipe()]


def converse_and_count(connection):
    yield converse(connection)


def write_shared_memory(name, text):
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(name)
    memory.buf[:len(text)] = text
    memory.close()


class TakesTwo(Exception):
    """As many have it: pickle makes it anew of its text, which it does not take."""

    def __init__(self, first, second):
        super().__init__(f'{first} and {second}')


class Unsendable(Exception):

    def __reduce__(self):
        raise ValueError('It stays here')


class Frozen(Exception):
    """As frozen dataclasses are."""

    def __setattr__(self, name, value):
        raise AttributeError(f'{name} can’t be set')


class Mute(Exception):
    """Does not say what it is about."""

    def __str__(self):
        raise ValueError('It stays mute')


class Empty(Exception):

    def __len__(self):
        return 0


class Untrue(Exception):

    def __bool__(self):
        return False


class Trap:
    """Raises an exception of that class where it is read."""

    def __init__(self, kind):
        self.kind = kind

    def __reduce__(self):
        return raise_it, (self.kind,)


class TrapError(Trap, Exception):
    pass


class MuteUnsendable(Exception):

    def __reduce__(self):
        raise Mute


class Unshowable(Exception):
    """What led to it can't be had."""

    @property
    def __cause__(self):
        raise ValueError('It stays here')

    __context__ = __suppress_context__ = __traceback__ = __cause__


class Unnoted(Exception):
    """What was added to it can't be had."""

    @property
    def __notes__(self):
        raise ValueError('It stays here')


class Changeling(Exception):
    """Is none where it arrives."""

    def __reduce__(self):
        return dict, ()


def fail_twice():
    try:
        fail('first')
    except ValueError:
        raise KeyError('second')


class UnreadableError(Exception):

    def __reduce__(self):
        return fail_twice, ()


def make(kind):
    return kind()


def make_trap(kind):
    return Trap(kind)


def raise_what_takes_two(first, second):
    raise TakesTwo(first, second)


def raise_it(kind, *args):
    raise kind(*args)


def yield_and_raise(kind):
    yield 1
    raise kind


def raise_of_new_class():
    class Local(Exception):
        pass
    raise Local


def raise_with_pipe():
    import multiprocessing
    raise ValueError(multiprocessing.Pipe()[0])


def process_name():
    import multiprocessing
    return multiprocessing.current_process().name, os.getpid()


def parent_process():
    """Its name, its number, and whether it is there."""
    import multiprocessing
    parent = multiprocessing.parent_process()
    return parent.name, parent.pid, parent.is_alive()


def program_file():
    return sys.modules['__main__'].__file__


def count_and_die(n):
    yield from range(n)
    die()


def blocks(n, size):
    """Numbered ones."""
    for i in range(n):
        yield i, b'x' * size
