# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that dray.ProcessPoolExecutor passes the tests that CPython has for its own.

They are those that are installed with Python, and none of them is changed. What they take from
concurrent.futures is replaced by ours, and the cases of wait() begin with workers that are up. They
are one module up to Python 3.11, and a package of several since.

One asks for what concurrent.futures does after a crash, and fails with the default of on_crash. It
is shown that no other one does.
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

OURS = types.SimpleNamespace()  # what the tests know as concurrent.futures


def use(executor, classes):
    """Has these classes of tests, and those that extend them, make executors of that kind."""
    for one in classes:
        one.executor_type = executor
    # One test is skipped for the type of this name, since that hangs; ours must not be.
    OURS.ProcessPoolExecutor = type('ProcessPoolExecutor', (executor,), {})


def adapt(modules):
    """Has the tests use ours, and not print how long they took."""
    vars(OURS).update(vars(futures))
    use(ProcessPoolExecutor, {
        value for module in modules for value in vars(module).values() if isinstance(value, type)
        and vars(value).get('executor_type') is futures.ProcessPoolExecutor})
    made = {}  # by the futures that stand for them, which several modules may have

    for module in modules:
        found = vars(module)
        if hasattr(found.get('support'), 'verbose'):
            module.support.verbose = 0
        if found.get('futures') is futures:
            module.futures = OURS
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


# The cases that make no executor themselves, but are about ours all the same.
OF_NO_POOL = {'FailingInitializerResourcesTest', 'FutureTests'}


def is_about_ours(case):
    """Whether a case is. If that is not known it fails, or nobody would miss it."""
    executor = getattr(case, 'executor_type', None)
    if executor is None:
        if case.__name__ in OF_NO_POOL:
            return True
        if not unittest.defaultTestLoader.getTestCaseNames(case):
            return False  # it is what others extend
    elif issubclass(executor, dray.ProcessPoolExecutor):
        return True
    elif issubclass(executor, futures.ThreadPoolExecutor):
        return False  # those of interpreters are such as well
    raise AssertionError(f'Python has new tests: is {case.__name__} about process pools?')


def is_of(case, *names):
    """Whether it has the tests of one of these classes."""
    return any(base.__name__ in names for base in case.__mro__)


def load(name):
    """The test cases of process pools, and those of futures, by their names."""
    modules = import_modules(name)
    adapt(modules)
    cases = {name: value for module in modules for name, value in vars(module).items()
             if isinstance(value, type) and issubclass(value, unittest.TestCase)
             and is_about_ours(value)}
    for case in cases.values():
        if is_of(case, 'WaitTests'):
            have_workers_up(case)
    return cases


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

            class ProcessPoolAnyMixin:
                executor_type = futures.ProcessPoolExecutor

            class ThreadPoolMixin:
                executor_type = futures.ThreadPoolExecutor
        ''',
        'test_wait': '''
            import unittest
            from concurrent import futures
            from .util import (PENDING_FUTURE, ProcessPoolAnyMixin, ProcessPoolSpawnMixin,
                               ThreadPoolMixin)

            class WaitTests:
                def setUp(self):
                    pass

                def test_wait(self):
                    pass

            class ProcessPoolAnyWaitTest(WaitTests, ProcessPoolAnyMixin, unittest.TestCase):
                pass

            class ProcessPoolSpawnWaitTest(WaitTests, ProcessPoolSpawnMixin, unittest.TestCase):
                pass

            class ThreadPoolWaitTests(WaitTests, ThreadPoolMixin, unittest.TestCase):
                pass
        ''',
        'test_future': '''
            import unittest
            from concurrent.futures import Future

            class BaseTestCase(unittest.TestCase):
                pass

            class FutureTests(BaseTestCase):
                def test_future(self):
                    pass
        ''',
        'test_init': '''
            import unittest

            class FailingInitializerResourcesTest(unittest.TestCase):
                def test_spawn(self):
                    pass
        ''',
        'test_thread_pool': 'raise ValueError',
        'test_interpreter_pool': 'raise ValueError',
    }

    def load(self, name, **more):
        with tempfile.TemporaryDirectory() as folder:
            package = pathlib.Path(folder, name)
            package.mkdir()
            for part, text in {**self.PARTS, **more}.items():
                package.joinpath(f'{part}.py').write_text(textwrap.dedent(text))
            sys.path.append(folder)
            self.addCleanup(sys.path.remove, folder)
            return load(name)

    def test_package(self):
        cases = self.load('made_up_suite')
        self.assertEqual(cases.keys(), {'FailingInitializerResourcesTest', 'FutureTests',
                                        'ProcessPoolAnyWaitTest', 'ProcessPoolSpawnWaitTest'})
        for name in 'ProcessPoolAnyWaitTest', 'ProcessPoolSpawnWaitTest':
            self.assertIs(cases[name].executor_type, ProcessPoolExecutor)
            self.assertIsNot(cases[name].setUp, cases[name].__bases__[0].setUp)
        from made_up_suite import test_future, test_wait, util
        self.assertTrue(issubclass(test_wait.futures.ProcessPoolExecutor, dray.ProcessPoolExecutor))
        self.assertIs(test_wait.futures.ThreadPoolExecutor, futures.ThreadPoolExecutor)
        self.assertIs(util.ThreadPoolMixin.executor_type, futures.ThreadPoolExecutor)
        self.assertIs(type(util.PENDING_FUTURE), dray.Future)
        self.assertIs(test_wait.PENDING_FUTURE, util.PENDING_FUTURE)
        self.assertIs(test_future.Future, dray.Future)
        self.assertIs(type(util.create_future()), dray.Future)

    def test_case_that_is_not_known(self):
        """Of no pool, and of one that is neither ours nor another one."""
        for name, pool in ('one', 'no_executor'), ('two', 'executor_type'):
            text = f'''
                import unittest
                from concurrent import futures

                class NewTests(unittest.TestCase):
                    {pool} = futures.Executor

                    def test_anything(self):
                        pass
            '''
            with self.subTest(pool=pool), self.assertRaisesRegex(AssertionError, 'NewTests'):
                self.load(f'made_up_suite_{name}', test_new=text)


def suite_of(cases):
    loader = unittest.defaultTestLoader
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)


def cases_of(context):
    """Those of a way to start processes; of None, those that have nothing to do with it."""
    return [case for case in CASES.values() if getattr(case, 'ctx', None) == context]


def of_context(context):
    cases = cases_of(context)
    suite = suite_of(cases)
    n_tests = suite.countTestCases()
    if len(cases) < FEWEST_CASES or n_tests < FEWEST_TESTS:
        raise AssertionError(f'There are {len(cases)} cases for {context}, with {n_tests} tests')
    return suite


def fork():
    """And what has nothing to do with contexts."""
    return unittest.TestSuite([of_context('fork'), suite_of([*cases_of(None), TestLoader])])


def forkserver():
    return of_context('forkserver')


def spawn():
    return of_context('spawn')


def default():
    """With the default of on_crash, all of those in which something may crash but one test.

    That takes it that nothing can be submitted after a crash. The others sleep most of their time.
    """
    cases = [case for case in cases_of('spawn') if not is_of(case, 'AsCompletedTests', 'WaitTests')]
    use(dray.ProcessPoolExecutor, cases)
    failing, = [case for case in cases if hasattr(case, 'test_killed_child')]
    test_killed_child = failing.test_killed_child

    def fails(case):
        with case.assertRaisesRegex(case.failureException, 'BrokenProcessPool not raised'):
            test_killed_child(case)

    failing.test_killed_child = fails
    return suite_of(cases)
