# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that one Ctrl+C ends a program, wherever that is blocked, and that nothing is left of it.

The calls that run are interrupted and clean up; what is printed is the traceback of
KeyboardInterrupt and nothing else. Ctrl+C is pressed in a terminal.
"""

import os
import pathlib
import shutil
import signal
import sys
import tempfile
import textwrap
import time
import unittest

from terminal import Terminal

# What all programs begin with. Two kinds of calls do not let themselves be interrupted: the one
# ignores whatever can be ignored, in the other Python does not look for signals.
PRELUDE = '''
import asyncio, os, queue, signal, sys, threading, time
import dray

def work(*args):
    try:
        print('running\\n', end='', flush=True)
        while True:
            time.sleep(0.1)  # what comes just before is heard of afterwards
    except BaseException as error:
        print(f'ended by {type(error).__name__}\\n', end='', flush=True)
        raise

def produce():
    yield 1
    work()

def ignore():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('running\\n', end='', flush=True)
    time.sleep(3600)

def wait_for_file(path):
    print('running\\n', end='', flush=True)
    while not os.path.exists(path):
        time.sleep(0.01)
    print('it is there', flush=True)

def calculate():
    print('running\\n', end='', flush=True)
    sum(range(10 ** 12))

'''

# Where they are blocked.
BLOCKED = {
    'result': '''
        executor = dray.ProcessPoolExecutor(1)
        executor.submit(work).result()
    ''',
    'result in with': '''
        with dray.ProcessPoolExecutor(1) as executor:
            executor.submit(work).result()
    ''',
    'end of with': '''
        with dray.ProcessPoolExecutor(1) as executor:
            executor.submit(work)
    ''',
    'end of with, of a view': '''
        with dray.ProcessPoolExecutor(1).options(priority=1) as executor:
            executor.submit(work)
            time.sleep(3600)
    ''',
    'shutdown': '''
        executor = dray.ProcessPoolExecutor(1)
        executor.submit(work)
        executor.shutdown()
    ''',
    'map': '''
        with dray.ProcessPoolExecutor(1) as executor:
            list(executor.map(work, range(100)))
    ''',
    'wait': '''
        with dray.ProcessPoolExecutor(1) as executor:
            dray.wait([executor.submit(work) for _ in range(10)])
    ''',
    'as_completed': '''
        with dray.ProcessPoolExecutor(1) as executor:
            for future in dray.as_completed([executor.submit(work) for _ in range(10)]):
                pass
    ''',
    'stream': '''
        executor = dray.ProcessPoolExecutor(1)
        for item in executor.submit(produce):
            pass
    ''',
    'asyncio': '''
        async def main():
            with dray.ProcessPoolExecutor(1) as executor:
                await executor.submit(work)
        asyncio.run(main())
    ''',
    'asyncio, stream': '''
        async def main():
            executor = dray.ProcessPoolExecutor(1)
            async for item in executor.submit(produce):
                pass
        asyncio.run(main())
    ''',
    'main loop of GLib': '''
        from gi.repository import GLib
        executor = dray.ProcessPoolExecutor(1)
        # From within: PyGObject quits a loop that does not run yet, and it runs nevertheless.
        GLib.idle_add(lambda: executor.submit(work).add_done_callback(print))
        GLib.MainLoop().run()
    ''',
    'another thread that waits, too': '''
        def wait():
            dray.wait([submitted.get()])
        submitted = queue.SimpleQueue()
        # Before the call runs: where a thread is started, Python itself does not bear an interrupt.
        threading.Thread(target=wait, daemon=True).start()
        executor = dray.ProcessPoolExecutor(1)
        submitted.put(executor.submit(work))
        time.sleep(3600)
    ''',
}

GTK = '''
    import gi
    gi.require_version('Gtk', '3.0')
    from gi.repository import GLib, Gtk
    executor = dray.ProcessPoolExecutor(1)
    window = Gtk.Window()
    window.show()
    GLib.idle_add(lambda: executor.submit(work).add_done_callback(print))
    Gtk.main()
'''

# Before what a program does: its workers have the time to end calls, and themselves.
PATIENCE = f'''
sys.path.insert(0, {str(pathlib.Path(__file__).resolve().parent)!r})
import patient
'''

NOT_WANTED = ('Exception ignored', 'BrokenPipe', 'CRITICAL', 'WARNING', 'RemoteTraceback',
              'Fatal Python error')


def name_of(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return 'one that has just ended'


class ProgramCase(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.n_programs = 0

    def start_all(self, bodies, before=''):
        """At the same time, since most of what they need is patience. Returns their terminals."""
        return [self.start(body, before=before) for body in bodies]

    def start(self, body, *prefix, before='', environment=None, option='-B'):
        self.n_programs += 1
        path = self.folder / f'program-{self.n_programs}.py'
        guarded = textwrap.indent(before + textwrap.dedent(body), '    ')
        path.write_text(f"{PRELUDE}\nif __name__ == '__main__':\n{guarded}")
        terminal = Terminal(*prefix, sys.executable, option, path, folder=self.folder,
                            environment=environment)
        self.addCleanup(terminal.close)
        return terminal

    def check_nothing_is_left(self, terminal):
        end = time.monotonic() + 30
        while left := terminal.processes():
            self.assertLess(time.monotonic(), end,
                            f'{[name_of(pid) for pid in left]} {terminal.output}')
            time.sleep(0.01)

    def check_end(self, terminal, status=-signal.SIGINT, tracebacks=1):
        self.assertEqual(terminal.wait(), status, terminal.output)
        output = terminal.output
        for text in NOT_WANTED:
            self.assertNotIn(text, output)
        self.assertEqual(output.count('Traceback (most recent call last)'), tracebacks, output)
        self.check_nothing_is_left(terminal)


class TestCtrlC(ProgramCase):

    def check_once(self, body, terminal):
        terminal.wait_for('^running$')
        if 'time.sleep' in body:
            terminal.wait_until_blocked()
        terminal.press_ctrl_c()
        # asyncio shows what the interruption was to its task as well.
        self.check_end(terminal, tracebacks=2 if 'asyncio.run' in body else 1)
        lines = terminal.output.splitlines()
        self.assertEqual(lines.count('ended by JobCancelled'), 1, terminal.output)
        self.assertEqual(lines.count('KeyboardInterrupt'), 1, terminal.output)

    def test_once_is_enough(self):
        terminals = self.start_all(BLOCKED.values(), before=PATIENCE)
        for (where, body), terminal in zip(BLOCKED.items(), terminals):
            with self.subTest(where=where):
                self.check_once(body, terminal)

    @unittest.skipIf(shutil.which('xvfb-run') is None, 'there is no Xvfb')
    def test_once_is_enough_in_gtk(self):
        support = pathlib.Path(__file__).resolve().parent.parent / 'support' / 'on-display'
        # What is started for accessible programs takes its time to end.
        terminal = self.start(GTK, support, before=PATIENCE, environment={'NO_AT_BRIDGE': '1'})
        terminal.wait_for('^running$')
        os.kill(self.python_of(terminal), signal.SIGINT)
        terminal.wait()
        self.assertEqual(terminal.output.count('ended by JobCancelled'), 1, terminal.output)
        self.assertIn('KeyboardInterrupt', terminal.output)
        for text in NOT_WANTED:
            self.assertNotIn(text, terminal.output)
        self.check_nothing_is_left(terminal)

    def python_of(self, terminal):
        for pid in terminal.processes():
            try:
                command = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')
            except OSError:  # it has just ended
                continue
            if command[-2:-1] == [os.fsencode(self.folder / 'program-1.py')] and len(command) == 4:
                return pid
        raise AssertionError('The program is not there')

    def test_at_exit(self):
        terminal = self.start('dray.ProcessPoolExecutor(1).submit(work)', before=PATIENCE)
        terminal.wait_for('^running$')
        terminal.wait_until_blocked()
        terminal.press_ctrl_c()
        self.check_end(terminal)
        self.assertEqual(terminal.output.count('ended by JobCancelled'), 1, terminal.output)

    def test_at_a_prompt_it_is_over(self):
        """It ended a statement, and not the program, whose calls are waited for at its end."""
        terminal = self.start('''
            executor = dray.ProcessPoolExecutor(1)
            executor.submit(wait_for_file, 'gate')
            time.sleep(3600)
        ''', option='-i', environment={'PYTHON_BASIC_REPL': '1'})
        terminal.wait_for('^running$')
        terminal.wait_until_blocked()
        terminal.press_ctrl_c()
        terminal.wait_for('^>>> $')
        terminal.press_ctrl_d()
        terminal.wait_until_blocked()
        self.folder.joinpath('gate').touch()
        terminal.wait()
        self.assertIn('it is there', terminal.output)
        self.check_nothing_is_left(terminal)

    def test_futures_that_it_ends_are_cancelled(self):
        """Those that ran and those that waited, on whatever way the executor was left; what was
        done before is what it was."""
        ends = {
            'with': 'with executor: time.sleep(3600)',
            'shutdown': 'executor.shutdown()',
        }
        for where, end in ends.items():
            with self.subTest(where=where):
                terminal = self.start(f'''
                    executor = dray.ProcessPoolExecutor(1)
                    done = executor.submit(abs, -7)
                    futures = [executor.submit(work) for _ in range(3)]
                    try:
                        {end}
                    except KeyboardInterrupt:
                        print(done.result(), [future.cancelled() for future in futures])
                        futures[0].result()
                ''')
                terminal.wait_for('^running$')
                terminal.wait_until_blocked()
                terminal.press_ctrl_c()
                # Where it is raised, and what was being handled there.
                self.check_end(terminal, status=1, tracebacks=2)
                self.assertIn('7 [True, True, True]\n', terminal.output)
                self.assertEqual(terminal.output.splitlines()[-1],
                                 'concurrent.futures._base.CancelledError')

    def test_futures_that_it_ends_at_exit_are_cancelled(self):
        terminal = self.start('''
            executor = dray.ProcessPoolExecutor(1)
            for _ in range(2):
                executor.submit(work).add_done_callback(lambda future: print(future.cancelled()))
        ''')
        terminal.wait_for('^running$')
        terminal.wait_until_blocked()
        terminal.press_ctrl_c()
        self.check_end(terminal)
        self.assertEqual(terminal.output.splitlines().count('True'), 2, terminal.output)

    def test_when_the_program_goes_on(self):
        terminal = self.start('''
            executor = dray.ProcessPoolExecutor(1)
            future = executor.submit(work)
            try:
                future.result()
            except KeyboardInterrupt:
                future.cancel()
                print(executor.submit(abs, -7).result())
        ''')
        terminal.wait_for('^running$')
        terminal.wait_until_blocked()
        terminal.press_ctrl_c()
        self.check_end(terminal, status=0, tracebacks=0)
        self.assertIn('\n7\n', terminal.output)

    def test_once_is_enough_for_calls_that_can_not_be_interrupted(self):
        """They are asked, then told, then killed, and waited for meanwhile."""
        bodies = [body.replace('work', function) for function in ('ignore', 'calculate')
                  for body in (BLOCKED['result'], BLOCKED['end of with'], BLOCKED['shutdown'],
                               'dray.ProcessPoolExecutor(1).submit(work)')]
        for body, terminal in zip(bodies, self.start_all(bodies)):
            with self.subTest(body=body):
                terminal.wait_for('^running$')
                self.assertGreater(len(terminal.processes()), 0)
                terminal.wait_until_blocked()
                terminal.press_ctrl_c()
                self.check_end(terminal)
                lines = terminal.output.splitlines()
                self.assertEqual(lines.count('KeyboardInterrupt'), 1, terminal.output)

    def test_twice_kills(self):
        """At once: how long calls that do not stop are waited for is an hour here."""
        bodies = ('with executor:\n    executor.submit(ignore)',
                  'executor.submit(ignore).result()',
                  'executor.submit(ignore)\nexecutor.shutdown()',
                  'executor.submit(ignore)')
        setup = ('executor = dray.ProcessPoolExecutor(1)\n'
                 'executor._pool.dray.props.grace_period = 3_600_000\n')
        for body, terminal in zip(bodies, self.start_all([setup + body for body in bodies])):
            with self.subTest(body=body):
                terminal.wait_for('^running$')
                terminal.wait_until_blocked()
                terminal.press_ctrl_c()
                terminal.wait_until_blocked()  # for two of them to be two
                self.assertIsNone(terminal.poll())
                terminal.press_ctrl_c()
                self.check_end(terminal)

    def test_while_calls_are_submitted_and_come_back(self):
        delays = 0.0, 0.01, 0.02, 0.03, 0.05
        body = '''
            executor = dray.ProcessPoolExecutor(2)
            executor.submit(abs, 1).result()
            print('running', flush=True)
            sys.stdin.readline()
            while True:
                futures = [executor.submit(abs, i) for i in range(50)]
                assert [future.result() for future in futures] == list(range(50))
        '''
        for delay, terminal in zip(delays, self.start_all([body] * len(delays))):
            terminal.wait_for('^running$')
            terminal.press_return()
            time.sleep(delay)
            terminal.press_ctrl_c()
            self.check_end(terminal)


class TestOtherEnds(ProgramCase):

    def test_signals(self):
        signals = signal.SIGTERM, signal.SIGKILL, signal.SIGHUP
        body = 'dray.ProcessPoolExecutor(1).submit(work).result()'
        for signum, terminal in zip(signals, self.start_all([body] * len(signals))):
            with self.subTest(signal=signum):
                terminal.wait_for('^running$')
                os.kill(terminal.pid, signum)
                self.assertEqual(terminal.wait(), -signum)
                self.check_nothing_is_left(terminal)

    def test_exit_at_once(self):
        terminal = self.start('''
            executor = dray.ProcessPoolExecutor(1)
            executor.submit(work)
            while not executor._processes:
                pass
            os._exit(4)
        ''')
        self.check_end(terminal, status=4, tracebacks=0)

    def test_exit_in_a_callback(self):
        terminal = self.start('''
            from gi.repository import GLib
            executor = dray.ProcessPoolExecutor(1)
            loop = GLib.MainLoop()
            def done(future):
                loop.quit()
                sys.exit(5)
            GLib.idle_add(lambda: executor.submit(abs, 1).add_done_callback(done))
            loop.run()
            print('after')
        ''')
        self.check_end(terminal, status=5, tracebacks=0)
        self.assertNotIn('after', terminal.output)

    def test_daemon_threads_that_still_submit(self):
        body = '''
            executor = dray.ProcessPoolExecutor(1)
            submitted = threading.Event()
            def submit():
                try:
                    while True:
                        executor.submit(abs, 1)
                        submitted.set()
                except RuntimeError as error:
                    print(error, flush=True)
            for _ in range(2):
                threading.Thread(target=submit, daemon=True).start()
            submitted.wait()
        '''
        for terminal in self.start_all([body] * 5):
            self.check_end(terminal, status=0, tracebacks=0)

    def test_thread_that_is_submitting_meanwhile(self):
        """It hears the same as if it had begun later."""
        terminal = self.start('''
            import dray._shutdown
            submitting, begun = threading.Event(), threading.Event()
            begin = dray._shutdown.begin

            def begin_and_tell(*arguments):
                begin(*arguments)
                begun.set()

            class Late:
                def __reduce__(self):
                    submitting.set()
                    begun.wait()
                    return int, ()

            def submit():
                try:
                    print(executor.submit(abs, Late()).exception())
                except RuntimeError as error:
                    print(error)

            dray._shutdown.begin = begin_and_tell
            executor = dray.ProcessPoolExecutor(1)
            threading.Thread(target=submit).start()
            submitting.wait()
        ''')
        self.check_end(terminal, status=0, tracebacks=0)
        self.assertEqual(terminal.output,
                         'cannot schedule new futures after interpreter shutdown\n')

    def test_thread_that_is_ending_is_waited_for(self):
        """It is held up until the program either waits for it, or is past that: Python would be
        taken down under it, and a main context whose source is called then crashes."""
        terminal = self.start('''
            import atexit
            import dray._reactor

            leaving, too_late = threading.Event(), threading.Event()
            main = threading.main_thread().ident
            stop_waiting = dray._reactor.Reactor._stop_waiting

            def is_waited_for():
                frame = sys._current_frames()[main]
                while frame is not None and frame.f_code.co_name != 'join_threads':
                    frame = frame.f_back
                return frame is not None

            def leave(reactor):
                leaving.set()
                while not is_waited_for() and not too_late.is_set():
                    time.sleep(0.001)
                stop_waiting(reactor)
                print('too late' if too_late.is_set() else 'in time', flush=True)

            dray._reactor.Reactor._stop_waiting = leave
            atexit.register(too_late.set)
            executor = dray.ProcessPoolExecutor(1)
            executor.submit(abs, 1).result()
            del executor
            leaving.wait()
        ''')
        self.check_end(terminal, status=0, tracebacks=0)
        self.assertEqual(terminal.output.split(), ['in', 'time'])

    def test_callback_that_shuts_down(self):
        terminal = self.start('''
            executor = dray.ProcessPoolExecutor(1)
            done = threading.Event()
            def end(future):
                executor.shutdown()
                done.set()
            executor.submit(abs, 1).add_done_callback(end)
            done.wait()
        ''')
        self.check_end(terminal, status=0, tracebacks=0)
