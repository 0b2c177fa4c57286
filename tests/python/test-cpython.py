# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that dray.ProcessPoolExecutor passes the tests that CPython has for its own.

They are those that are installed with Python, and none of them is changed. What they take from
concurrent.futures is replaced by ours, and the cases of wait() begin with workers that are up. They
are one module up to Python 3.11, and a package of several since.
"""

import importlib
import pathlib
import pkgutil
import sys
import tempfile
import textwrap
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


def import_modules(name):
    """The modules that the tests are in, and what those of a package have in common."""
    try:
        suite = importlib.import_module(name)
    except ImportError as error:
        raise unittest.SkipTest(f'Python’s own tests are not installed: {error}') from error
    if not hasattr(suite, '__path__'):
        return [suite]
    parts = [part.name for part in pkgutil.iter_modules(suite.__path__)]
    return [importlib.import_module(f'{name}.{part}')
            for part in parts if part not in OF_OTHER_POOLS]


OF_OTHER_POOLS = {'test_interpreter_pool', 'test_thread_pool'}
MIXINS = {'ProcessPoolForkMixin', 'ProcessPoolForkserverMixin', 'ProcessPoolSpawnMixin'}


def adapt(modules):
    """Has the tests use ours, and not print how long they took."""
    names = {**vars(futures)}
    # One test is skipped for the type of this name, since that hangs; ours must not be.
    names['ProcessPoolExecutor'] = type('ProcessPoolExecutor', (ProcessPoolExecutor,), {})
    ours = types.SimpleNamespace(**names)
    made = {}  # by the futures that stand for them, which several modules may have

    for module in modules:
        found = vars(module)
        for name in MIXINS & found.keys():
            found[name].executor_type = ProcessPoolExecutor
        if hasattr(found.get('support'), 'verbose'):
            module.support.verbose = 0
        if found.get('futures') is futures:
            module.futures = ours
        if found.get('Future') is futures.Future:
            module.Future = dray.Future
        if 'assert_python_ok' in found:
            module.assert_python_ok = use_ours(module.assert_python_ok)
        for name, future in list(found.items()):
            if name.endswith('_FUTURE'):
                if future not in made:
                    made[future] = new_future(future)
                setattr(module, name, made[future])


def new_future(like):
    future = dray.Future()
    future._state, future._exception, future._result = like._state, like._exception, like._result
    return future


def use_ours(run):
    """In programs that the tests run."""
    prelude = f'import multiprocessing, sys; sys.path[:0] = {PATH!r}\n'

    def assert_python_ok(option, program):
        program = program.replace('from concurrent.futures import', 'from dray import')
        return run(option, prelude + program)

    return assert_python_ok


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


def load(name):
    """The test cases of process pools, and those of futures, by their names."""
    modules = import_modules(name)
    adapt(modules)
    classes = {name: value for module in modules for name, value in vars(module).items()
               if isinstance(value, type) and issubclass(value, unittest.TestCase)
               and (hasattr(value, 'ctx') or name == 'FutureTests')}
    for case in classes.values():
        if any(base.__name__ == 'WaitTests' for base in case.__mro__):
            have_workers_up(case)
    return classes


CASES = load('test.test_concurrent_futures')
globals().update(CASES)

# What there is at least of each context: of what comes back as completed, of deadlocks, of
# executors, of initializers, and such that fail, of shutting down, of waiting.
FEWEST_CASES, FEWEST_TESTS = 7, 50


class TestLoader(unittest.TestCase):
    """Of a package, as the tests are one in later versions."""

    PARTS = {
        '__init__': '',
        'util': '''
            from concurrent import futures
            from concurrent.futures import Future
            from test import support

            def create_future():
                return Future()

            PENDING_FUTURE = create_future()

            class ProcessPoolSpawnMixin:
                executor_type = futures.ProcessPoolExecutor
                ctx = 'spawn'

            class ThreadPoolMixin:
                executor_type = futures.ThreadPoolExecutor
        ''',
        'test_wait': '''
            import unittest
            from concurrent import futures
            from .util import PENDING_FUTURE, ProcessPoolSpawnMixin, ThreadPoolMixin

            class WaitTests:
                def setUp(self):
                    pass

            class ProcessPoolSpawnWaitTest(WaitTests, ProcessPoolSpawnMixin, unittest.TestCase):
                pass

            class ThreadPoolWaitTests(WaitTests, ThreadPoolMixin, unittest.TestCase):
                pass
        ''',
        'test_future': '''
            import unittest
            from concurrent.futures import Future

            class FutureTests(unittest.TestCase):
                pass
        ''',
        'test_thread_pool': 'raise ValueError',
        'test_interpreter_pool': 'raise ValueError',
    }

    def test_package(self):
        with tempfile.TemporaryDirectory() as folder:
            package = pathlib.Path(folder, 'made_up_suite')
            package.mkdir()
            for name, text in self.PARTS.items():
                package.joinpath(f'{name}.py').write_text(textwrap.dedent(text))
            sys.path.append(folder)
            self.addCleanup(sys.path.remove, folder)
            classes = load(package.name)

        self.assertEqual(classes.keys(), {'FutureTests', 'ProcessPoolSpawnWaitTest'})
        case = classes['ProcessPoolSpawnWaitTest']
        self.assertIs(case.executor_type, ProcessPoolExecutor)
        self.assertIsNot(case.setUp, case.__bases__[0].setUp)
        from made_up_suite import test_future, test_wait, util
        self.assertTrue(issubclass(test_wait.futures.ProcessPoolExecutor, dray.ProcessPoolExecutor))
        self.assertIs(test_wait.futures.ThreadPoolExecutor, futures.ThreadPoolExecutor)
        self.assertIs(util.ThreadPoolMixin.executor_type, futures.ThreadPoolExecutor)
        self.assertIs(type(util.PENDING_FUTURE), dray.Future)
        self.assertIs(test_wait.PENDING_FUTURE, util.PENDING_FUTURE)
        self.assertIs(test_future.Future, dray.Future)
        self.assertIs(type(util.create_future()), dray.Future)


def of_context(context):
    loader = unittest.defaultTestLoader
    suites = [loader.loadTestsFromTestCase(case) for case in CASES.values()
              if getattr(case, 'ctx', None) == context]
    n_tests = sum(suite.countTestCases() for suite in suites)
    if len(suites) < FEWEST_CASES or n_tests < FEWEST_TESTS:
        raise AssertionError(f'There are {len(suites)} cases for {context}, with {n_tests} tests')
    return unittest.TestSuite(suites)


def fork():
    """And what has nothing to do with contexts."""
    loader = unittest.defaultTestLoader
    others = [loader.loadTestsFromTestCase(case) for case in (CASES['FutureTests'], TestLoader)]
    return unittest.TestSuite([of_context('fork'), *others])


def forkserver():
    return of_context('forkserver')


def spawn():
    return of_context('spawn')
