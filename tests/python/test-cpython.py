# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that dray.ProcessPoolExecutor passes the tests that CPython has for its own.

They are those that are installed with Python, and nothing in them is changed: only what they take
from concurrent.futures is replaced by ours.
"""

import importlib
import pathlib
import sys
import tempfile
import time
import types
import unittest
from concurrent import futures

import dray
import work

# What is above the package, for programs that the tests run.
PATH = [entry for entry in sys.path if pathlib.Path(entry, 'dray', '__init__.py').is_file()]


class ProcessPoolExecutor(dray.ProcessPoolExecutor):
    """After a crash none of it can be used, as the tests have it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, on_crash='break', **kwargs)


def adapt(suite):
    """Has the tests use ours, and not print how long they took."""
    suite.support.verbose = 0
    for mixin in (suite.ProcessPoolForkMixin, suite.ProcessPoolForkserverMixin,
                  suite.ProcessPoolSpawnMixin):
        mixin.executor_type = ProcessPoolExecutor
    names = {**vars(futures)}
    # One test is skipped for the type of this name, since that hangs; ours must not be.
    names['ProcessPoolExecutor'] = type('ProcessPoolExecutor', (ProcessPoolExecutor,), {})
    suite.futures = types.SimpleNamespace(**names)
    suite.Future = dray.Future
    for name, future in vars(suite).copy().items():
        if name.endswith('_FUTURE'):
            setattr(suite, name, suite.create_future(future._state, future._exception,
                                                     future._result))

    run = suite.assert_python_ok
    prelude = f'import multiprocessing, sys; sys.path[:0] = {PATH!r}\n'

    def assert_python_ok(option, program):
        program = program.replace('from concurrent.futures import', 'from dray import')
        return run(option, prelude + program)

    suite.assert_python_ok = assert_python_ok


def have_workers_up(case):
    """Before the test of a case begins: those of wait() go by which of several calls ends first,
    and a busy machine may take seconds longer to start the one worker than the other."""
    set_up = case.setUp

    def set_up_and_start(self):
        set_up(self)
        with tempfile.TemporaryDirectory() as folder:
            gate = pathlib.Path(folder, 'gate')
            calls = [self.executor.submit(work.wait_for_file, str(gate))
                     for _ in range(self.worker_count)]
            while not all(call.running() for call in calls):
                time.sleep(0.01)
            gate.touch()
            futures.wait(calls)

    case.setUp = set_up_and_start


def load():
    """The test cases of process pools, and those of futures, by their names."""
    try:
        suite = importlib.import_module('test.test_concurrent_futures')
    except ImportError as error:
        raise unittest.SkipTest(f'Python’s own tests are not installed: {error}') from error
    adapt(suite)
    classes = {name: value for name, value in vars(suite).items()
               if isinstance(value, type) and issubclass(value, unittest.TestCase)
               and (hasattr(value, 'ctx') or value is suite.FutureTests)}
    for case in classes.values():
        if issubclass(case, suite.WaitTests):
            have_workers_up(case)
    return classes


CASES = load()
globals().update(CASES)


def of_context(context):
    loader = unittest.defaultTestLoader
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in CASES.values()
                              if getattr(case, 'ctx', 'fork') == context)


def fork():
    return of_context('fork')


def forkserver():
    return of_context('forkserver')


def spawn():
    return of_context('spawn')
