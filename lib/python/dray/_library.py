# SPDX-License-Identifier: LGPL-2.1-or-later
"""The few functions of the library that each call needs, called directly.

PyGObject makes an object of each value that comes or goes, and lets go of Python's lock around each
call, for which the application's threads then queue up. That is right for all that is called now
and then; of a tiny call in another process it would be more than all the rest. So what every call
goes through is called by means of ctypes here, with addresses for objects. The functions are part
of the library's interface like all others; PyDLL keeps Python's lock, which only such may be called
with as never block and never call back.

Of an object that PyGObject knows, the last reference is not let go of with that lock: PyGObject
frees what it has of it then without the lock, and does not take it again where Python is about to
end.

A worker needs nothing else of the library, and so it is up without PyGObject, which takes longer to
import than Python to start.
"""

from __future__ import annotations

import ctypes
import weakref
from collections import deque
from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:  # a worker has no use for more modules than it needs
    from collections.abc import Callable
    from typing import Any

_pointer = ctypes.c_void_p


class _Error(ctypes.Structure):
    _fields_ = [('domain', ctypes.c_uint32), ('code', ctypes.c_int), ('message', ctypes.c_char_p)]


class _PointerArray(ctypes.Structure):
    _fields_ = [('data', _pointer), ('length', ctypes.c_uint)]


_glib = ctypes.PyDLL('libglib-2.0.so.0')
_gobject = ctypes.PyDLL('libgobject-2.0.so.0')
_gio = ctypes.PyDLL('libgio-2.0.so.0')
_dray = ctypes.PyDLL('libdray-1.so.0')
_glib_unlocked = ctypes.CDLL('libglib-2.0.so.0')
_gobject_unlocked = ctypes.CDLL('libgobject-2.0.so.0')
_dray_unlocked = ctypes.CDLL('libdray-1.so.0')


def _declare(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


_bytes_new = _declare(_glib, 'g_bytes_new', _pointer, ctypes.c_char_p, ctypes.c_size_t)
_bytes_unref = _declare(_glib, 'g_bytes_unref', None, _pointer)
_variant_new = _declare(_glib, 'g_variant_new_from_bytes', _pointer, ctypes.c_char_p, _pointer,
                        ctypes.c_int)
variant_size = _declare(_glib, 'g_variant_get_size', ctypes.c_size_t, _pointer)
variant_data = _declare(_glib, 'g_variant_get_data', _pointer, _pointer)
_variant_unref = _declare(_glib, 'g_variant_unref', None, _pointer)
_free = _declare(_glib, 'g_free', None, _pointer)
_error_free = _declare(_glib, 'g_error_free', None, _pointer)
_quark_to_string = _declare(_glib, 'g_quark_to_string', ctypes.c_char_p, ctypes.c_uint32)
_array_unref = _declare(_glib_unlocked, 'g_ptr_array_unref', None, _pointer)
_ref = _declare(_gobject, 'g_object_ref', _pointer, _pointer)
_unref = _declare(_gobject, 'g_object_unref', None, _pointer)
_unref_known = _declare(_gobject_unlocked, 'g_object_unref', None, _pointer)  # to PyGObject

_is_owner = _declare(_glib, 'g_main_context_is_owner', ctypes.c_int, _pointer)
_acquire = _declare(_glib, 'g_main_context_acquire', ctypes.c_int, _pointer)
_release = _declare(_glib, 'g_main_context_release', None, _pointer)

_task_new = _declare(_dray, 'dray_task_new_call', _pointer, ctypes.c_char_p, _pointer)
_task_set_label = _declare(_dray, 'dray_task_set_label', None, _pointer, ctypes.c_char_p)
_task_unref = _declare(_dray, 'dray_task_unref', None, _pointer)
_submit = _declare(_dray, 'dray_executor_submit', _pointer, _pointer, _pointer, _pointer)
_is_done = _declare(_dray, 'dray_future_is_done', ctypes.c_int, _pointer)
_get_state = _declare(_dray, 'dray_future_get_state', ctypes.c_int, _pointer)
_get_progress = _declare(_dray, 'dray_future_get_progress', ctypes.c_double, _pointer)
_dup_status = _declare(_dray, 'dray_future_dup_status', _pointer, _pointer)
_dup_result = _declare(_dray, 'dray_future_dup_result', _pointer, _pointer,
                       ctypes.POINTER(ctypes.POINTER(_Error)))
_queue_add = _declare(_dray, 'dray_completion_queue_add', None, _pointer, _pointer)
_queue_take = _declare(_dray, 'dray_completion_queue_next_many_finish',
                       ctypes.POINTER(_PointerArray), _pointer, _pointer, _pointer)
_cancel = _declare(_dray_unlocked, 'dray_future_cancel', None, _pointer)
_discard_items = _declare(_dray_unlocked, 'dray_future_discard_items', None, _pointer)
_wait = _declare(_dray_unlocked, 'dray_future_wait', ctypes.c_int, _pointer, ctypes.c_int64,
                 _pointer, _pointer)
_queue_wait = _declare(_dray_unlocked, 'dray_completion_queue_wait_next', _pointer, _pointer,
                       ctypes.c_int64, _pointer, _pointer)

_quark_from_string = _declare(_glib, 'g_quark_from_string', ctypes.c_uint32, ctypes.c_char_p)
_set_error = _declare(_glib, 'g_set_error_literal', None, _pointer, ctypes.c_uint32, ctypes.c_int,
                      ctypes.c_char_p)
_fd_list_get = _declare(_gio, 'g_unix_fd_list_get', ctypes.c_int, _pointer, ctypes.c_int, _pointer)
_fd_list_length = _declare(_gio, 'g_unix_fd_list_get_length', ctypes.c_int, _pointer)

_get_attachments = _declare(_dray, 'dray_job_get_attachments', _pointer, _pointer)
_worker_new = _declare(_dray, 'dray_worker_new', _pointer)
_worker_run = _declare(_dray_unlocked, 'dray_worker_run', ctypes.c_int, _pointer)
_set_cancel_signal = _declare(_dray, 'dray_worker_set_cancel_signal', None, _pointer, ctypes.c_int)
_set_initializer = _declare(_dray, 'dray_worker_set_initializer', None, _pointer, _pointer,
                            _pointer, _pointer)
_emit = _declare(_dray_unlocked, 'dray_job_emit', ctypes.c_int, _pointer, _pointer)
_allocate = _declare(_dray, 'dray_job_allocate_bytes', _pointer, _pointer, ctypes.c_size_t,
                     ctypes.POINTER(_pointer))
_set_progress = _declare(_dray_unlocked, 'dray_job_set_progress', ctypes.c_int, _pointer,
                         ctypes.c_double, ctypes.c_char_p)
_is_cancelled = _declare(_dray, 'dray_job_is_cancelled', ctypes.c_int, _pointer)
_add_function = _declare(_dray, 'dray_worker_add_function', None, _pointer, ctypes.c_char_p,
                         _pointer, _pointer, _pointer)

# A job, its arguments, data, an error to be set; returns a value
_Function = ctypes.CFUNCTYPE(_pointer, _pointer, _pointer, _pointer, _pointer)
# A worker, its arguments, data, an error to be set; returns whether it went well
_Initializer = ctypes.CFUNCTYPE(ctypes.c_int, _pointer, _pointer, _pointer, _pointer)

_capsule_pointer = _declare(ctypes.pythonapi, 'PyCapsule_GetPointer', _pointer, ctypes.py_object,
                            ctypes.c_char_p)


def address_of(gobject: Any) -> int:
    """Where an object of PyGObject's is, for as long as that lives."""
    address: int = _capsule_pointer(gobject.__gpointer__, None)
    return address


def is_iterated(context: int) -> bool:
    """Whether a thread iterates a main context, this one or another.

    That is found out by acquiring it for a moment. Nothing of Python's comes between that and its
    release: neither an interrupt, which would leave it acquired, nor a finalizer or another thread,
    which may ask the same, and would take it for iterated.
    """
    if _is_owner(context):
        return True
    once = iter((context,))
    all(chain(map(_acquire, (context,)), map(_release, once)))  # up to the first that is false
    return next(once, None) is not None


class _Borrowed:
    """A value of type `ay` that is somebody else's: what a function is called with."""

    __slots__ = ('address',)

    def __init__(self, address: int):
        self.address = address

    def get_size(self) -> int:
        size: int = variant_size(self.address)
        return size

    def get_data(self) -> int:
        data: int = variant_data(self.address)
        return data


class Value(_Borrowed):
    """A large one, which is owned. Its memory is wanted back at once."""

    __slots__ = ()

    def __del__(self, unref: Any = _variant_unref) -> None:
        unref(self.address)


def new_value(data: bytes) -> int:
    """The address of a value of type `ay`, floating."""
    contents = _bytes_new(data, len(data))
    address: int = _variant_new(b'ay', contents, True)
    _bytes_unref(contents)
    return address


class _Grip(weakref.ref):  # type: ignore[type-arg]
    """What holds an object of the library for a handle, and outlives that for a moment."""

    __slots__ = ('address', 'unref')

    address: int
    unref: Callable[[int], object]


# Python raises no exceptions from finalizers, and KeyboardInterrupt, which may come in each line of
# Python, would be lost there. So there is none: what is left of a handle is put into a queue,
# without a line of Python, and seen to at the next occasion.
_grips: dict[int, _Grip] = {}
_left: deque[Any] = deque()


def release_dropped() -> None:
    """Lets go of futures that nobody has any more, and of their results with them."""
    while True:
        try:
            grip = _left.popleft()
        except IndexError:  # another thread may have taken the last one
            return
        if _grips.pop(id(grip), None) is not None:
            grip.unref(grip.address)


class Handle:
    """A future of the library."""

    __slots__ = ('address', '__weakref__')

    def __init__(self, address: int, unref: Callable[[int], object] = _unref):
        self.address = address
        grip = _Grip(self, _left.append)  # owns it
        grip.address = address
        grip.unref = unref
        _grips[id(grip)] = grip

    def is_done(self) -> bool:
        done: int = _is_done(self.address)
        return bool(done)

    def is_running(self) -> bool:
        state: int = _get_state(self.address)
        return state == 1  # Dray.FutureState.RUNNING

    def cancel(self) -> None:
        _cancel(self.address)

    def discard_items(self) -> None:
        """Nobody pulls them any more."""
        _discard_items(self.address)

    def wait(self, timeout: int) -> bool:
        """Blocks until it is done, for at most so many microseconds; with -1 for ever."""
        done: int = _wait(self.address, timeout, None, None)
        return bool(done)

    def progress(self) -> tuple[float, str | None]:
        """What was reported last: a fraction, or -1, and a text."""
        text = _dup_status(self.address)
        status = None if text is None else ctypes.string_at(text).decode()
        _free(text)
        return _get_progress(self.address), status

    def result(self, large: int) -> bytes | Value:
        """The bytes of its result, or where it is that large, the value.

        Errors: GLib.Error, with what the library says.
        """
        error = ctypes.POINTER(_Error)()
        value = _dup_result(self.address, ctypes.byref(error))
        if value is None:
            raise _take_error(error)
        size = variant_size(value)
        if size >= large:
            return Value(value)
        data = ctypes.string_at(variant_data(value), size)
        _variant_unref(value)
        return data


def _take_error(error: Any) -> Any:
    from ._repository import GLib
    fields = error.contents
    copy = GLib.Error(fields.message.decode(), _quark_to_string(fields.domain).decode(),
                      fields.code)
    _error_free(error)
    return copy


def handle_of(future: Any) -> Handle:
    """Of a future of PyGObject's."""
    return Handle(_ref(address_of(future)), _unref_known)


class Caller:
    """An executor of the library, for calls about which there is nothing special."""

    def __init__(self, executor: Any):
        self._executor = executor
        self._address = address_of(executor)

    def call(self, function: bytes, data: bytes, label: str) -> Handle:
        """The label is what errors call it."""
        release_dropped()
        task = _task_new(function, new_value(data))
        _task_set_label(task, label.encode(errors='replace'))
        future = _submit(self._address, task, None)
        _task_unref(task)
        return Handle(future)


class Queue:
    """A completion queue of the library."""

    def __init__(self, queue: Any):
        self._queue = queue
        self._address = address_of(queue)

    def add(self, handle: Handle) -> None:
        _queue_add(self._address, handle.address)

    def wait(self) -> Handle | None:
        """Blocks until one of the futures is done; None if there are none."""
        address = _queue_wait(self._address, -1, None, None)
        return Handle(address, _unref_known) if address else None

    def get_length(self) -> int:
        length: int = self._queue.get_length()
        return length

    def take(self, result: Any) -> list[int]:
        """The addresses of the futures that next_many_async() has found, none at the end."""
        array = _queue_take(self._address, address_of(result), None)
        if not array:
            return []
        fields = array.contents
        addresses = list((_pointer * fields.length).from_address(fields.data))
        _array_unref(array)
        return addresses


class Job:
    """What runs in a worker, as long as it does."""

    __slots__ = ('address',)

    def __init__(self, address: int):
        self.address = address  # not owned

    def emit(self, value: int) -> bool:
        """Blocks while nobody takes what was emitted before. False if the job was cancelled."""
        goes_on: int = _emit(self.address, value)
        return bool(goes_on)

    def attachment(self, number: int) -> int:
        """A descriptor that came with it, a duplicate; -1 is the last."""
        attachments = _get_attachments(self.address)
        n_attachments = _fd_list_length(attachments) if attachments else 0
        if not -n_attachments <= number < n_attachments:
            raise OSError('An open file did not come with its call')
        descriptor: int = _fd_list_get(attachments, number % n_attachments, None)
        if descriptor < 0:
            raise OSError('There are too many open files')
        return descriptor

    def hold(self) -> None:
        """For a thread, which it would be over for at any moment. Not to be called when it may be.
        """
        _ref(self.address)

    def release(self) -> None:
        _unref_known(self.address)

    def set_progress(self, fraction: float, text: str | None) -> None:
        """May wait, and is over meanwhile if that is on another thread: who calls this holds it."""
        encoded = None if text is None else text.encode(errors='replace')
        _set_progress(self.address, fraction, encoded)

    def is_cancelled(self) -> bool:
        cancelled: int = _is_cancelled(self.address)
        return bool(cancelled)

    def new_large_value(self, size: int, fill: Callable[[int], None]) -> int:
        """A value of type `ay`, floating, in memory that is shared where it can be."""
        address = _pointer()
        contents = _allocate(self.address, size, ctypes.byref(address))
        fill(address.value or 0)
        value: int = _variant_new(b'ay', contents, True)
        _bytes_unref(contents)
        return value


# Whose call is being unpickled, in a worker
arriving: Job | None = None


def attachment(number: int) -> int:
    """A descriptor that comes with that call."""
    if arriving is None:
        raise OSError('There is no open file: it came with a call, and only with that')
    return arriving.attachment(number)


def _fail(error: int, text: str) -> None:
    _set_error(error, _quark_from_string(b'dray-error-quark'), 0,  # DRAY_ERROR_FAILED
               text.encode(errors='replace').replace(b'\0', b' '))


class Worker:
    """A worker, whose functions are called with a job and a value of type `ay`.

    They return a floating value. What they raise is an error that says little: what came of it in
    C would be anything.
    """

    def __init__(self, cancel_signal: int):
        self._address = _worker_new()  # it lives as long as the process
        self._callbacks: list[Any] = []
        _set_cancel_signal(self._address, cancel_signal)

    def set_initializer(self, function: Callable[[Any], str | None]) -> None:
        """Adds a function that says what went wrong, if anything did."""
        def call(worker: int, arguments: int, data: int, error: int) -> bool:
            try:
                problem = function(_Borrowed(arguments))
                if problem is None:
                    return True
                _fail(error, problem)
            except BaseException as failure:
                _fail(error, type(failure).__name__)
            return False

        callback = _Initializer(call)
        self._callbacks.append(callback)
        _set_initializer(self._address, callback, None, None)

    def add_function(self, name: str, function: Callable[[Job, Any], int]) -> None:
        def call(job: int, arguments: int, data: int, error: int) -> int:
            try:
                return function(Job(job), _Borrowed(arguments))
            except BaseException as failure:
                _fail(error, f'The worker could not answer: {type(failure).__name__}')
                return 0

        callback = _Function(call)
        self._callbacks.append(callback)
        _add_function(self._address, name.encode(), callback, None, None)

    def run(self) -> int:
        """Serves the application until it says goodbye; returns the exit status."""
        status: int = _worker_run(self._address)
        return status
