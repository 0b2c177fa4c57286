# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in this folder share: executors of worker.py, a main loop, TAP."""

import pathlib
import sys
import unittest

import gi
gi.require_version('Dray', '1')
from gi.repository import Dray, GLib  # noqa: E402

WORKER = str(pathlib.Path(__file__).with_name('worker.py'))
WATCHDOG = 120  # seconds; nothing takes so long

# Milliseconds, for workers that have to stop or end by themselves, even where they get no processor
# for some seconds.
GRACE = 60_000


def make_launcher():
    return Dray.Launcher.new_argv([sys.executable, WORKER])


class TestCase(unittest.TestCase):
    def setUp(self):
        self.executor = self.make_executor(make_launcher())

    def make_executor(self, launcher, **properties):
        """An executor that is shut down after the test."""
        executor = Dray.Executor(launcher=launcher, **properties)
        self.addCleanup(self.check_ending, executor)
        return executor

    def check_ending(self, executor):
        """No process is left of an executor, and its lists are empty."""
        executor.shutdown_sync(Dray.ShutdownMode.TERMINATE)
        self.assertTrue(executor.is_shut_down())
        self.iterate(lambda: executor.get_workers().get_n_items() == 0)
        self.iterate(lambda: executor.get_futures().get_n_items() == 0)

    def iterate(self, condition):
        """Turns the main loop until something is so."""
        context = GLib.MainContext.default()
        late = []
        watchdog = GLib.timeout_add_seconds(WATCHDOG, late.append, True)
        while not condition():
            self.assertFalse(late, 'waited in vain')
            context.iteration(True)
        if not late:
            GLib.source_remove(watchdog)

    def run_async(self, function, *arguments):
        """Calls half an asynchronous function, and returns what the other half takes."""
        results = []
        function(*arguments, None, lambda _source, result, *_data: results.append(result))
        self.assertEqual(results, [], 'it called back before it returned')
        self.iterate(lambda: results)
        return results[0]

    def call(self, name, arguments=None):
        return self.executor.call(name, arguments).wait_result(-1)

    def assert_error(self, domain, code, function, *arguments):
        """Checks that a function raises an error, and returns that."""
        with self.assertRaises(GLib.Error) as caught:
            function(*arguments)
        error = caught.exception
        self.assertTrue(error.matches(domain, code), f'{error.domain} {error.code}: {error}')
        return error


class TapResult(unittest.TestResult):
    """Says what becomes of each test in a line of its own."""

    def __init__(self):
        super().__init__()
        self.stream = sys.stdout

    def say(self, line):
        self.stream.write(f'{line}\n')
        self.stream.flush()

    def report(self, word, test, note='', details=''):
        for line in details.splitlines():
            self.say(f'# {line}')
        self.say(f'{word} {self.testsRun} - {test.id()}{note}')

    def addSuccess(self, test):
        super().addSuccess(test)
        self.report('ok', test)

    def addError(self, test, err):
        super().addError(test, err)
        self.report('not ok', test, details=self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report('not ok', test, details=self.failures[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.report('ok', test, f' # SKIP {reason}')


def main(module):
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module])
    result = TapResult()
    result.say(f'1..{suite.countTestCases()}')
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
