# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows what programs that were written for concurrent.futures go by, and its own tests don't
look at."""

import asyncio
import concurrent.futures
import multiprocessing
import os
import pathlib
import pickle
import signal
import sys
import tempfile
import time
import traceback
import unittest

import dray
import work
from cases import WATCHDOG, be_patient


class DropInCase(unittest.TestCase):

    def setUp(self):
        self.executor = dray.ProcessPoolExecutor(1)
        self.addCleanup(self.executor.shutdown)

    def call(self, function, *args):
        return self.executor.submit(function, *args).result(WATCHDOG)

    def error_of(self, function, *args):
        return self.executor.submit(function, *args).exception(WATCHDOG)


class UnsendableArgument:

    def __init__(self, kind):
        self.kind = kind

    def __call__(self):
        pass

    def __reduce__(self):
        raise self.kind


class TestExceptions(DropInCase):

    def test_that_can_not_be_read(self):
        """Where it was raised is told all the same: it is what the program is to be mended by."""
        error = self.error_of(work.raise_what_takes_two, 'one', 'two')
        self.assertIsInstance(error, dray.BrokenProcessPool)
        self.assertRegex(str(error), 'raise_what_takes_two: TakesTwo was raised.*TypeError: ')
        self.assertIsInstance(error.__cause__, TypeError)
        text = str(error.__cause__.__cause__)
        self.assertIn('raise TakesTwo(first, second)', text)
        self.assertIn('TakesTwo: one and two', text)

    def test_of_a_class_without_a_name(self):
        """It arrives, as a result of such a class does."""

        class Local(Exception):
            pass

        def refuse():
            raise Local(5)

        error = self.error_of(refuse)
        self.assertIsInstance(error, Local)
        self.assertEqual(error.args, (5,))
        self.assertEqual(type(self.error_of(work.raise_of_new_class)).__name__, 'Local')

    def test_that_can_not_be_sent(self):
        error = self.error_of(work.raise_it, work.Unsendable)
        self.assertIn('Unsendable was raised', str(error))
        self.assertIn('raise kind(*args)', str(error.__cause__))

    def test_whose_reading_fails_in_any_way(self):
        """The call is done all the same, and the executor as good as before."""
        for kind in work.Mute, work.Frozen, SystemExit:
            for call in ([work.raise_it, work.TrapError, kind], [work.make_trap, kind],
                         [work.echo, work.Trap(kind)]):
                with self.subTest(kind.__name__, function=call[0].__name__):
                    error = self.error_of(*call)
                    self.assertIsInstance(error, dray.BrokenProcessPool)
                    self.assertIn(kind.__name__, str(error))
                    self.assertIsInstance(error.__cause__, kind)
                    self.assertIn('in raise_it', str(error.__cause__.__cause__))
        self.assertEqual(self.call(work.square, 3), 9)

    def test_that_arrives_as_something_else(self):
        error = self.error_of(work.raise_it, work.Changeling)
        self.assertIsInstance(error, dray.BrokenProcessPool)
        self.assertIn('Changeling was raised', str(error))
        self.assertIn('in raise_it', str(error.__cause__.__cause__))

    def test_that_can_not_be_changed(self):
        pid = self.call(work.pid)
        error = self.error_of(work.raise_it, work.Frozen, 'one')
        self.assertIsInstance(error, work.Frozen)
        self.assertEqual(error.args, ('one',))
        self.assertIn('in raise_it', str(error.__cause__))
        self.assertEqual(self.call(work.pid), pid)

    def test_that_is_false(self):
        """It is raised as others are, though concurrent.futures looks at what it says of itself."""
        for kind in work.Empty, work.Untrue:
            with self.subTest(kind.__name__):
                with self.assertRaises(kind):
                    self.call(work.raise_it, kind)
                self.assertIsInstance(self.error_of(work.raise_it, kind), kind)
                with self.assertRaises(kind):
                    list(self.executor.map(work.raise_it, [kind], chunksize=2))
                with self.assertRaises(kind):
                    list(self.executor.submit(work.yield_and_raise, kind))
                self.assertIsInstance(self.error_of(work.echo, UnsendableArgument(kind)), kind)
                with self.assertRaises(kind):
                    asyncio.run(self.wait_for(work.raise_it, kind))

    async def wait_for(self, *call):
        return await self.executor.submit(*call)

    def test_that_does_not_say_why_it_can_not_be_sent(self):
        pid = self.call(work.pid)
        error = self.error_of(work.raise_it, work.MuteUnsendable)
        self.assertIsInstance(error, pickle.PicklingError)
        self.assertIn('MuteUnsendable was raised', str(error))
        self.assertEqual(self.call(work.pid), pid)

    def test_that_can_not_even_be_shown(self):
        pid = self.call(work.pid)
        for kind in work.Unshowable, work.Unnoted:
            with self.subTest(kind.__name__):
                error = self.error_of(work.raise_it, kind, 'one')
                self.assertIsInstance(error, kind)
                cause = BaseException.__cause__.__get__(error)
                self.assertRegex(str(cause), f'in raise_it(.*\n)*.*{kind.__name__}: one')
                error = self.error_of(work.raise_it, work.TrapError, kind)
                self.assertIsInstance(error, dray.BrokenProcessPool)
                self.assertIsInstance(error.__cause__, kind)
        self.assertEqual(self.call(work.pid), pid)

    def test_of_arguments(self):
        """They belong to the call, whatever can be done with them."""
        for kind in work.Frozen, work.Mute, work.Unshowable, work.Unnoted:
            with self.subTest(kind.__name__):
                self.assertIsInstance(self.error_of(work.echo, UnsendableArgument(kind)), kind)
                with self.assertRaises(dray.UnpicklableFunction):
                    self.executor.submit(UnsendableArgument(kind))

    def test_that_the_program_handles_meanwhile(self):
        """It is the program's own, and has nothing to do with arguments that can't be sent."""
        def raise_own():
            try:
                raise KeyError('why')
            except KeyError:
                raise OSError('own')

        def look(error):
            return error.__traceback__, error.__cause__, error.__context__

        try:
            raise_own()
        except OSError as own:
            before = look(own), look(own.__context__)
            for kind in work.Frozen, work.Mute:
                error = self.error_of(work.echo, UnsendableArgument(kind))
                self.assertIsInstance(error, kind)
                self.assertNotIn('own', str(error.__cause__))
                self.assertEqual((look(own), look(own.__context__)), before)
            self.assertIs(self.error_of(work.echo, UnsendableArgument(own)), own)
            self.assertEqual(look(own)[1:], before[0][1:])
            self.assertIn('raise_own', ''.join(traceback.format_exception(own)))

    def test_with_an_end_of_a_pipe(self):
        """Its number would be that of another file here."""
        error = self.error_of(work.raise_with_pipe)
        self.assertIn('make the pipe in the application', str(error))


class TestExtending(unittest.TestCase):

    def test_map_submits(self):
        """Whoever replaces submit(), to count or to measure, hears of the calls of map(), too."""

        class Counting(dray.ProcessPoolExecutor):
            n = 0

            def submit(self, fn, /, *args, **kwargs):
                self.n += 1
                return super().submit(fn, *args, **kwargs)

        with Counting(1) as executor:
            self.assertEqual(list(executor.map(work.square, range(4))), [0, 1, 4, 9])
            self.assertEqual(executor.n, 4)
            self.assertEqual(list(executor.map(work.square, range(4), chunksize=2)), [0, 1, 4, 9])
            self.assertEqual(executor.n, 6)

    def test_futures_of_others(self):
        """That submit() may return any of them, such as those of what is known already."""
        class Knowing(dray.ProcessPoolExecutor):

            def submit(self, fn, /, *args, **kwargs):
                if args != (0,):
                    return super().submit(fn, *args, **kwargs)
                pending.append(concurrent.futures.Future())
                return pending[-1]

        with Knowing(1) as executor:
            for given in [0], [1, 0], [0, 1]:
                pending = []
                results = executor.map(work.square, [2, *given])
                self.assertEqual(next(results), 4)
                results.close()
                self.assertTrue(pending[0].cancelled())
            pending = []
            results = executor.map(work.square, [0, 3])
            pending[0].set_result(5)
            self.assertEqual(list(results), [5, 9])


class TestDescriptions(DropInCase):

    def test_of_futures(self):
        with tempfile.TemporaryDirectory() as folder:
            gate = pathlib.Path(folder, 'gate')
            runs = self.executor.submit(work.wait_for_file, str(gate))
            waits = self.executor.submit(work.square, 2)
            while not runs.running():
                time.sleep(0.001)
            self.assertIn('state=running', repr(runs))
            self.assertIn('state=pending', repr(waits))
            gate.touch()
            waits.result(WATCHDOG)
        self.assertIn('state=finished returned int', repr(runs))


class TestNumbers(unittest.TestCase):

    def test_large_ones(self):
        """More than the library can count to is as many as there can be."""
        for number in 2 ** 31, 2 ** 40:
            with dray.ProcessPoolExecutor(number, max_tasks_per_child=number) as executor:
                self.assertEqual(executor.submit(work.square, 3).result(WATCHDOG), 9)

    def test_none_that_are_whole(self):
        with self.assertRaises(TypeError):
            dray.ProcessPoolExecutor(1.5)


class TestProcess(DropInCase):
    """What a function sees of multiprocessing is what it would see in a process of that."""

    def test_names_are_its_own(self):
        name, pid = self.call(work.process_name)
        self.assertEqual(name, f'DrayWorker-{pid}')
        self.assertIn(name, [process.name for process in self.executor._processes.values()])

    def test_exit_codes(self):
        """Also of what ended by itself, and was waited for by the library."""
        for function, argument, expected in (os._exit, 3, 3), (work.die, signal.SIGUSR1, -10):
            pid = self.call(work.pid)
            process = self.executor._processes[pid]
            self.assertIsNone(process.exitcode)
            self.assertIsInstance(self.error_of(function, argument), dray.BrokenProcessPool)
            process.join()
            self.assertEqual(process.exitcode, expected)

    def test_exit_code_of_what_was_not_needed(self):
        be_patient(self.executor)
        process = self.executor._processes[self.call(work.pid)]
        self.executor.shutdown()
        process.join(WATCHDOG)
        self.assertEqual(process.exitcode, 0)

    def test_parent(self):
        self.assertEqual(self.call(work.parent_process),
                         (multiprocessing.current_process().name, os.getpid(), True))

    def test_program(self):
        program = sys.modules['__main__'].__file__
        self.assertEqual(self.call(work.program_file), os.path.abspath(program))


if __name__ == '__main__':
    unittest.main()
