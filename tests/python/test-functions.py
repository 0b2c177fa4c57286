# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows how functions are found by workers, however the program was started and wherever they are.

One program, with functions and classes of many kinds, is run in all the ways in which Python runs
programs; what comes back has to be of the classes that it knows.
"""

import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
import zipapp

from dray import _main
from terminal import Terminal

try:
    import cloudpickle
except ImportError:
    cloudpickle = None

KINDS = '''
import dataclasses, enum, functools, os, sys, warnings
import dray

print('run', flush=True)

class Color(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Point:
    x: int
    color: Color

class Refused(Exception):
    pass

def decorate(function):
    @functools.wraps(function)
    def decorated(*args):
        return function(*args)
    return decorated

def paint(color, x=2):
    return Point(x, color)

def refuse(text):
    raise Refused(text)

@decorate
def add(x):
    return x + 1

def count(n):
    yield from range(n)
    return 'last'

@decorate
def count_decorated(n):
    yield from range(n)
    return 'last'

@decorate
def listed(n):
    return list(range(n))

async def later():
    return 1

class Multiplier:
    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return x * self.by

    def multiply(self, x):
        return x * self.by

    @classmethod
    def double(cls, x):
        return cls(2)(x)

    @staticmethod
    def triple(x):
        return x * 3
'''

CHECKS = '''
    def of_main(x):
        return x - 1

    def outer(y):
        def nested(x):
            return x + y
        return nested

    with dray.ProcessPoolExecutor(1) as executor:
        submit = executor.submit
        assert submit(paint, Color.RED).result() == Point(2, Color.RED)
        assert submit(functools.partial(paint, Color.RED), x=3).result() == Point(3, Color.RED)
        try:
            submit(refuse, 'why').result()
        except Refused as error:
            assert error.args == ('why',)
        assert submit(add, 1).result() == 2
        assert submit(Multiplier(3).multiply, 2).result() == 6
        assert submit(Multiplier(3), 2).result() == 6
        assert submit(Multiplier.double, 2).result() == 4
        assert submit(Multiplier.triple, 2).result() == 6
        assert submit(listed, 2).result() == [0, 1]
        for n in 1, 2:
            assert list(executor.map(add, range(3), chunksize=n)) == [1, 2, 3]
            assert list(executor.map(Multiplier(3), range(3), chunksize=n)) == [0, 3, 6]
        for generator in count, functools.partial(count), count_decorated:
            stream = submit(generator, 3)
            assert (list(stream), stream.result()) == ([0, 1, 2], 'last'), generator
        if HAS_CLOUDPICKLE:
            assert submit(of_main, 2).result() == 1
            assert submit(outer(5), 2).result() == 7
            assert submit(lambda: Point(1, Color.RED)).result() == Point(1, Color.RED)
            for function in of_main, functools.partial(of_main):
                assert list(executor.map(function, range(3), chunksize=2)) == [-1, 0, 1]
        error = submit(later).exception()
        assert isinstance(error, TypeError) and 'asyncio.run' in str(error), error
    print('well', flush=True)
'''


def program(guard):
    return f'HAS_CLOUDPICKLE = {cloudpickle is not None}\n{KINDS}\n{guard}:\n{CHECKS}'


GUARDED = program("if __name__ == '__main__'")
UNGUARDED = program('if True')

GTK = '''
import gi
gi.require_version('Gtk', '3.0')
from gi.repository import GLib, Gtk
import dray

print('run', flush=True)

def square(x):
    return x * x

def show(future):
    print(future.result(), flush=True)
    Gtk.main_quit()

window = Gtk.Window()
window.show()
executor = dray.ProcessPoolExecutor(1)
# From within: what quits a loop that does not run yet quits nothing.
GLib.idle_add(lambda: executor.submit(square, 7).add_done_callback(show))
Gtk.main()
executor.shutdown()
'''


class ProgramCase(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def run_program(self, *arguments, status=0, **options):
        result = subprocess.run([sys.executable, *map(os.fspath, arguments)], cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                timeout=120, check=False, **options)
        self.assertEqual(result.returncode, status, result.stdout)
        return result.stdout


class TestPrograms(ProgramCase):

    def check(self, *arguments, runs=1, **options):
        output = self.run_program(*arguments, **options)
        self.assertEqual(output.count('run\n'), runs, output)
        self.assertEqual(output.splitlines()[-1], 'well', output)

    def test_guarded(self):
        # The worker imports it, which is another run of what is above the guard.
        self.check(self.write('program.py', GUARDED), runs=2)

    def test_module(self):
        self.write('program.py', GUARDED)
        self.check('-m', 'program', runs=2)

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    def test_unguarded_runs_once(self):
        self.check(self.write('program.py', UNGUARDED))

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    @unittest.skipIf(shutil.which('xvfb-run') is None, 'there is no Xvfb')
    def test_unguarded_one_with_a_window_runs_once(self):
        path = self.write('program.py', GTK)
        support = pathlib.Path(__file__).resolve().parent.parent / 'support' / 'on-display'
        output = subprocess.run([support, sys.executable, path], cwd=self.folder, text=True,
                                stdout=subprocess.PIPE, timeout=120, check=True).stdout
        self.assertEqual(output.split(), ['run', '49'])

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    def test_in_the_command_line(self):
        self.check('-c', GUARDED)

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    def test_from_standard_input(self):
        self.check('-', input=GUARDED)

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    def test_package(self):
        self.write('package/__init__.py', '')
        self.write('package/__main__.py', GUARDED)
        self.check('-m', 'package')

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    def test_folder(self):
        self.write('package/__main__.py', GUARDED)
        self.check('package')

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    def test_archive(self):
        self.write('package/__main__.py', GUARDED)
        zipapp.create_archive(self.folder / 'package', self.folder / 'program.pyz')
        self.check('program.pyz')

    @unittest.skipIf(cloudpickle is None, 'there is no cloudpickle')
    def test_prompt(self):
        with Terminal(sys.executable, '-i', '-q') as terminal:
            terminal.wait_for('>>> ')
            for line in ('import dray', 'def square(x): return x * x\n',
                         'dray.ProcessPoolExecutor(1).submit(square, 7).result()'):
                os.write(terminal._fd, line.encode() + b'\n')
            terminal.wait_for('49$')
            os.write(terminal._fd, b'exit()\n')
            self.assertEqual(terminal.wait(), 0, terminal.output)


class TestWithoutCloudpickle(ProgramCase):
    """It is said at submit, in a sentence."""

    HIDE = "import sys\nsys.modules['cloudpickle'] = None\n"

    def check(self, text, expected, *arguments):
        path = self.write('program.py', self.HIDE + textwrap.dedent(text))
        output = self.run_program(*(arguments or (path,)))
        self.assertIn(expected, output)
        self.assertEqual(output.count('\n'), 1, output)

    SUBMIT = '''
        try:
            dray.ProcessPoolExecutor(1).submit(square, 7)
        except dray.UnpicklableFunction as error:
            print(error)
    '''

    def test_unguarded(self):
        self.check('import dray\ndef square(x): return x * x\nif True:' + self.SUBMIT, '__main__')

    def test_below_the_guard(self):
        self.check("import dray\nif __name__ == '__main__':\n        def square(x): return x * x"
                   + self.SUBMIT, 'square')

    def test_without_a_name(self):
        self.check("import dray\nif __name__ == '__main__':\n        square = lambda x: x * x"
                   + self.SUBMIT, 'cloudpickle')

    def test_in_chunks(self):
        submit = self.SUBMIT.replace('submit(square, 7)', 'map(square, [7], chunksize=2)')
        for guard in 'True', "__name__ == '__main__'":
            self.check(f'import dray\nif {guard}:\n        def square(x): return x * x' + submit,
                       'The function square can’t be sent to another process')

    def test_beside_what_is_inherited(self):
        """A function that has a name in a module needs no cloudpickle, whatever it is given."""
        self.check('''
            import multiprocessing, dray
            given = [multiprocessing.Lock(), *multiprocessing.Pipe(False)]
            with dray.ProcessPoolExecutor(1) as executor:
                print([executor.submit(callable, it).result() for it in given])
        ''', '[False, False, False]')

    def test_of_the_program_beside_what_is_inherited(self):
        for given in 'Lock()', 'Pipe()[0]':
            self.check(f'''
                import multiprocessing, dray
                def square(x): return x * x
                try:
                    dray.ProcessPoolExecutor(1).submit(square, multiprocessing.{given})
                except dray.UnpicklableFunction as error:
                    print(error)
            ''', 'square can’t be sent')


class TestMissing(ProgramCase):
    """What the package needs and does not find, it names."""

    def check(self, text, expected):
        path = self.write('program.py', f'''
            {text}
            try:
                from dray import ProcessPoolExecutor
            except ImportError as error:
                print(error)
        ''')
        output = self.run_program(path)
        self.assertIn(expected, output)
        self.assertEqual(output.count('\n'), 1, output)

    def test_pygobject(self):
        self.check("import sys; sys.modules['gi'] = None", 'python3-gi')

    def test_typelib(self):
        # What it raises where there is none is a ValueError.
        self.check("import gi; gi.require_version = lambda *name: int('')", 'GI_TYPELIB_PATH')


class TestNames(ProgramCase):
    """What a program defines when workers import it is found in its text."""

    def test_all_that_define_one(self):
        path = self.write('program.py', '''
            import one.deeper, two as three
            from four import five, six as seven
            def eight(no):
                global nine
                nine, no = 1, 2
                for no in no: pass
                with no as no: pass
                def no(): pass
                lambda no: [no for no in no]
            class ten:
                no = 1
                def no(no): pass
            eleven = twelve, *thirteen = [no for no in [] if (fourteen := no)]
            fifteen: int = {no: 1 for no in (lambda: (no := 1))}
            try:
                for sixteen in (no for no in []): pass
            except ValueError:
                with open('') as seventeen: pass
            if __name__ == '__main__':
                no = 1
        ''')
        self.assertEqual(_main._look_into(str(path)).names, {
            'one', 'three', 'five', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve',
            'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen'})

    def test_deeper_than_python_goes(self):
        """What there is in it can’t be told."""
        path = self.write('program.py', f'n = 1{" + 1" * 50000}')
        self.assertEqual(_main._look_into(str(path)), (False, frozenset()))


class TestImportedProgram(ProgramCase):
    """What becomes of a program whose functions are called, when workers import it."""

    def check(self, text, *arguments):
        self.write('program.py', text)
        for arguments in (['program.py'], ['-m', 'program']):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_program(*arguments), '')

    def test_nothing_is_loaded_that_it_does_not_need(self):
        self.check('''
            import sys
            def loaded(_=None):
                return set(sys.modules)
            if __name__ == '__main__':
                import dray, subprocess
                bare = 'import importlib.util, sys; print(*sys.modules)'
                bare = set(subprocess.check_output([sys.executable, '-c', bare], text=True).split())
                expected = {'array', 'collections', 'collections.abc', 'copyreg', 'fcntl',
                            'functools', 'keyword', 'mmap', 'operator', 'reprlib', 'struct',
                            'types', 'weakref'}
                with dray.ProcessPoolExecutor(1) as executor:
                    executor.submit(loaded).result()
                    all_loaded, = executor.map(loaded, [1], chunksize=2)
                    more = {name for name in all_loaded - bare
                            if not name.startswith(('dray', 'ctypes', '_'))}
                assert more <= expected, more - expected
        ''')

    def test_its_functions_see_its_variables(self):
        self.check('''
            import sys, dray
            number = 1
            def count():
                global number
                number += 1
                import __main__, __mp_main__
                assert __main__ is __mp_main__
                return number, __main__.number, vars(__main__) is globals(), __name__, __file__
            if __name__ == '__main__':
                with dray.ProcessPoolExecutor(1) as executor:
                    for n in 2, 3:
                        seen = executor.submit(count).result()
                        assert seen == (n, n, True, '__mp_main__', __file__), seen
        ''')

    def test_it_may_be_deep(self):
        """A long sum is as deep as it is long, and so is a long choice."""
        choices = ''.join(f'\n            elif n == {i}: m = {i}' for i in range(1100))
        self.check(f'''
            import dray
            n = 1{" + 1" * 1200}
            if n == 0: m = 0{choices}
            def add(x):
                return n + x
            if __name__ == '__main__':
                with dray.ProcessPoolExecutor(1) as executor:
                    assert executor.submit(add, 1).result() == 1202
        ''')

    def test_it_starts_no_processes_meanwhile(self):
        self.check('''
            import dray
            told = []
            def look():
                import multiprocessing
                process = multiprocessing.get_context('spawn').Process(target=abs, args=(1,))
                process.start()
                process.join()
                return told, process.exitcode
            if __name__ == '__mp_main__':
                import multiprocessing
                for start in (multiprocessing.get_context('spawn').Process(target=abs).start,
                              lambda: dray.ProcessPoolExecutor(1).submit(abs, 1)):
                    try:
                        start()
                    except RuntimeError as error:
                        told.append("if __name__ == '__main__':" in str(error))
            if __name__ == '__main__':
                with dray.ProcessPoolExecutor(1) as executor:
                    seen = executor.submit(look).result()
                assert seen == ([True, True], 0), seen
        ''')

    def test_it_may_make_executors(self):
        """Nothing is started before there is something to do."""
        self.check('''
            import dray
            executor = dray.ProcessPoolExecutor(1)
            def square(x):
                return x * x
            def square_elsewhere(x):
                with executor:
                    return executor.submit(square, x).result()
            if __name__ == '__main__':
                with executor:
                    assert executor.submit(square, 3).result() == 9
                    assert executor.submit(square_elsewhere, 4).result() == 16
        ''')

    def test_one_that_can_not_be_imported_says_why_each_time(self):
        self.check('''
            import dray
            def square(x):
                return x * x
            if __name__ == '__mp_main__':
                raise OSError('no display')
            if __name__ == '__main__':
                with dray.ProcessPoolExecutor(1) as executor:
                    for _ in range(2):
                        error = executor.submit(square, 1).exception()
                        assert isinstance(error, dray.BrokenProcessPool), error
                        assert 'OSError: no display' in str(error), error
                        assert isinstance(error.__cause__, OSError), error
                    assert executor.submit(abs, -1).result() == 1
        ''')


class TestSurroundings(ProgramCase):
    """A worker is as its application is when the executor is made."""

    def test_flags(self):
        path = self.write('program.py', '''
            import sys, dray
            def flags():
                return sys.flags.optimize, sys.warnoptions, dict(sys._xoptions)
            if __name__ == '__main__':
                with dray.ProcessPoolExecutor(1) as executor:
                    assert executor.submit(flags).result() == flags(), flags()
        ''')
        self.run_program('-O', '-W', 'error::DeprecationWarning', '-X', 'utf8', path)

    def test_modules_in_an_archive(self):
        """Those of Python that something is told of the application are not alone there."""
        self.write('package/other.py', 'x = 1')
        library = pathlib.Path(multiprocessing.__file__).parent
        shutil.copytree(library, self.folder / 'package/multiprocessing')
        self.write('package/multiprocessing/another.py', 'x = 2')
        zipapp.create_archive(self.folder / 'package', self.folder / 'library.zip',
                              main='other:x')
        path = self.write('program.py', '''
            import sys
            sys.path.insert(0, 'library.zip')
            import dray
            import multiprocessing.synchronize
            import multiprocessing.another, other
            assert 'library.zip' in multiprocessing.synchronize.__file__
            def look():
                import multiprocessing.context
                import multiprocessing.process
                import multiprocessing.another, other
                return other.x, multiprocessing.another.x
            if __name__ == '__main__':
                with dray.ProcessPoolExecutor(1) as executor:
                    assert executor.submit(look).result() == (1, 2)
        ''')
        self.assertEqual(self.run_program(path), '')

    def test_folder_path_and_environment(self):
        self.write('elsewhere/far_away.py', 'def where(): return __file__\n')
        path = self.write('program.py', '''
            import os, pathlib, sys, dray
            def look():
                return os.getcwd(), os.environ.get('SEEN'), sys.argv
            if __name__ == '__main__':
                folder = pathlib.Path('elsewhere').resolve()
                os.chdir(folder)
                os.environ['SEEN'] = 'yes'
                sys.path.append(str(folder))
                import far_away
                with dray.ProcessPoolExecutor(1) as executor:
                    assert executor.submit(look).result() == look()
                    assert executor.submit(far_away.where).result() == str(folder / 'far_away.py')
        ''')
        self.run_program(path, 'argument')

    def test_python_inside_another_program(self):
        path = self.write('program.py', '''
            import sys, dray
            if __name__ == '__main__':
                for executable in None, '', '/usr/bin/gedit':
                    sys.executable = executable
                    with dray.ProcessPoolExecutor(1) as executor:
                        assert executor.submit(abs, -1).result() == 1
        ''')
        self.run_program(path)

    def test_nothing_to_warn_of(self):
        path = self.write('program.py', '''
            import dray
            def square(x): return x * x
            if __name__ == '__main__':
                with dray.ProcessPoolExecutor(2) as executor:
                    assert list(executor.map(square, range(9))) == [x * x for x in range(9)]
        ''')
        # PyGObject is found in an old-fashioned way.
        flags = '-X', 'dev', '-W', 'error', '-W', 'ignore::ImportWarning'
        self.assertEqual(self.run_program(*flags, path), '')
