# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that the programs of demo/python do what they say, and end well by one Ctrl+C.

Each is run as people run it, in a terminal; all that it prints is looked at, and nothing that it
has started may be left when it has ended.
"""

import faulthandler
import http.server
import pathlib
import random
import re
import runpy
import sys
import tempfile
import threading
import time
import unittest

from terminal import Terminal

TESTS = pathlib.Path(__file__).resolve().parent
PROGRAMS = TESTS.parents[1] / 'demo/python'
WATCHDOG = 120  # s
MILLION = 1_000_000
GROWTH = 12 * 1024  # KiB; a million results would take more than ten times that
MORE_THREADS = 3  # that come and go, where hundreds would


def status_of(pid):
    """What the system says of a process, by name."""
    lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
    return dict(line.split(':\t', 1) for line in lines)


def count_threads(pid):
    return int(status_of(pid)['Threads'])


def most_memory(pid):
    """The most that it has ever had, in KiB."""
    return int(status_of(pid)['VmHWM'].split()[0])


class ProgramCase(unittest.TestCase):
    """Each has a folder, and a program."""

    program = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *arguments, prefix=()):
        terminal = Terminal(sys.executable, *prefix, PROGRAMS / self.program, *arguments)
        self.addCleanup(terminal.close)
        return terminal

    def finish(self, terminal, status):
        """Returns the lines that were printed, when it has ended with that status."""
        self.assertEqual(terminal.wait(), status, terminal.output)
        self.assertEqual(terminal.processes(), set())
        return terminal.output.splitlines()

    def run_program(self, *arguments):
        return self.finish(self.start(*arguments), 0)

    def interrupt(self, terminal):
        """Returns the lines that were printed, when one Ctrl+C has ended it and its workers."""
        self.wait_until(terminal.processes)  # one that is just starting is not there for a moment
        terminal.press_ctrl_c()
        return self.finish(terminal, 130)

    def wait_until(self, condition):
        end = time.monotonic() + WATCHDOG
        while not condition():
            self.assertLess(time.monotonic(), end, 'waited in vain')
            threading.Event().wait(0.005)

    def expect_all(self, lines, pattern):
        for line in lines:
            self.assertRegex(line, f'^(?:{pattern})$')

    def load(self, name):
        """A function of the program."""
        return runpy.run_path(str(PROGRAMS / self.program))[name]


class TestHelp(unittest.TestCase):

    def test_all_programs_with_arguments(self):
        for path in sorted(PROGRAMS.glob('*.py')):
            if 'argparse' not in path.read_text():
                continue
            with self.subTest(path.name), Terminal(sys.executable, path, '--help') as terminal:
                self.assertEqual(terminal.wait(), 0)
                self.assertRegex(terminal.output, r'^usage: [^\n]+\n')


class TestFetchAndParse(ProgramCase):

    program = 'fetch_and_parse.py'

    def setUp(self):
        super().setUp()
        self.asked, self.released = threading.Event(), threading.Event()
        case = self

        class Handler(http.server.BaseHTTPRequestHandler):

            def do_GET(self):
                number = int(re.sub(r'\D', '', self.path) or 0)
                if self.path == '/slow':
                    case.asked.set()
                    case.released.wait()
                    return
                if self.path == '/missing':
                    self.send_error(404)
                    return
                text = f'<title>Page {number}</title>' + '<a href="/">a link</a> text' * number
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        serving = threading.Thread(target=self.server.serve_forever)
        serving.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(serving.join)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.released.set)

    def url(self, name):
        return f'http://127.0.0.1:{self.server.server_address[1]}/{name}'

    def test_pages(self):
        urls = [self.url(number) for number in range(40)]
        missing = self.url('missing')
        lines = self.run_program(*urls, missing)
        expected = [f'{url}: “Page {n}”, {n} links' for n, url in enumerate(urls)]
        self.assertEqual(sorted(lines),
                         sorted([*expected, f'{missing}: HTTP Error 404: Not Found']))

    def test_interrupt_while_a_page_does_not_come(self):
        terminal = self.start(*(self.url(number) for number in range(5)), self.url('slow'))
        self.assertTrue(self.asked.wait(WATCHDOG))
        self.wait_until(terminal.processes)
        terminal.wait_until_blocked()
        self.assertEqual(self.interrupt(terminal), ['Interrupted.'])


class TestProducerEnds(ProgramCase):

    program = 'producer_ends.py'
    N = 3000

    def expect_messages(self, ending, lines):
        self.assertEqual(lines[:self.N], [f'message {i}' for i in range(self.N)])
        self.assertRegex(lines[self.N], ending)
        self.assertEqual(lines[self.N + 1:], [f'{self.N} of {self.N} messages were received.'])

    def test_well(self):
        self.expect_messages('well: that was all$', self.run_program(self.N))

    def test_error(self):
        self.expect_messages('by an error: out of ideas$',
                             self.run_program('--end', 'error', self.N))

    def test_crash(self):
        self.expect_messages(r'by a crash: .*signal 9',
                             self.run_program('--end', 'crash', self.N))

    def test_interrupt(self):
        terminal = self.start(10 ** 9)
        terminal.wait_for('^message 1000$')
        *messages, last = self.interrupt(terminal)
        self.assertEqual(messages, [f'message {i}' for i in range(len(messages))])
        self.assertEqual(last, 'Interrupted: the producer has been stopped.')


class TestEndlessWorkers(ProgramCase):

    program = 'endless_workers.py'

    def test_interrupt(self):
        terminal = self.start('--folder', self.folder, 4, prefix=[TESTS / 'patient.py'])
        for _ in range(4):
            terminal.wait_for(r'^worker \d is at work\.$')
        self.assertEqual(len(list(self.folder.glob('*/worker *'))), 4)
        lines = self.interrupt(terminal)
        self.assertEqual(sorted(lines[4:8]), [f'worker {i} has cleaned up.' for i in range(1, 5)])
        self.assertEqual(lines[8:], ['Interrupted: 0 files are left.'])
        self.assertEqual(list(self.folder.iterdir()), [])


class TestInterruptedJoin(ProgramCase):

    program = 'interrupted_join.py'

    def test_all(self):
        primes = [n for n in range(2, 6000) if all(n % d for d in range(2, int(n ** 0.5) + 1))]
        lines = self.run_program('--step', 1000, 6)
        counts = {first: sum(first <= n < first + 1000 for n in primes)
                  for first in range(0, 6000, 1000)}
        self.assertEqual(sorted(lines[:-1]), [f'From {k}: {n} primes' for k, n in counts.items()])
        self.assertEqual(lines[-1], f'Together: {len(primes)} primes')

    def test_interrupt(self):
        terminal = self.start('--step', 30_000, 100)
        terminal.wait_for('^From 0:')
        terminal.wait_until_blocked()  # it may still be submitting the others
        *done, last = self.interrupt(terminal)
        self.expect_all(done, r'From \d+: \d+ primes')
        self.assertEqual(last, f'Interrupted: {len(done)} of 100 jobs are done.')


class TestFiveAtATime(ProgramCase):

    program = 'five_at_a_time.py'
    DONE = r'(\d+) done: (\d+) bytes, by process (\d+)'

    def test_all(self):
        compress = self.load('compress')
        sizes = [compress(seed, 5000)[1] for seed in range(100)]
        *lines, last = self.run_program('--size', 5000)
        self.expect_all(lines, self.DONE)
        numbers = [tuple(map(int, re.match(self.DONE, line).groups())) for line in lines]
        self.assertEqual([n for n, _, _ in numbers], list(range(1, 101)))
        self.assertEqual(sorted(size for _, size, _ in numbers), sorted(sizes))
        self.assertLessEqual(len({process for _, _, process in numbers}), 5)
        self.assertEqual(last, f'Together: {sum(sizes)} bytes')

    def test_interrupt(self):
        terminal = self.start('--size', 300_000)
        terminal.wait_for('^3 done')
        while len(terminal.processes()) < 5:
            terminal.wait_for('done')  # which fails at the end
        *done, last = self.interrupt(terminal)
        self.expect_all(done, self.DONE)
        n_done = re.fullmatch(r'Interrupted: (\d+) of 100 jobs are done\.', last)
        self.assertIn(int(n_done[1]), range(len(done), 100))


class TestSupervisor(ProgramCase):

    program = 'supervisor.py'

    def test_restarts_until_interrupted(self):
        terminal = self.start('--pause', 0.02)
        for name in 'careful', 'careless', 'doomed', 'careful', 'careless', 'doomed':
            terminal.wait_for(f'^{name} ')
        *lines, last = self.interrupt(terminal)
        self.expect_all(lines, 'careful returned: did what it had to'
                               '|careless failed: a comma was missing'
                               '|doomed crashed: .*signal 9.*')
        starts = dict(re.findall(r'(\w+) (\d+) times', last))
        self.assertEqual(set(starts), {'careful', 'careless', 'doomed'})
        for name, n_starts in starts.items():
            n_ends = sum(line.startswith(f'{name} ') for line in lines)
            self.assertIn(int(n_starts) - n_ends, (0, 1))


class TestSimulations(ProgramCase):

    program = 'simulations.py'

    def read(self):
        """The lines of both files, each as the kind, the number, and the rest."""
        rows = []
        for kind in 'ruined', 'rich':
            text = (self.folder / f'{kind}.csv').read_text()
            self.assertTrue(text.endswith('\n'))
            rows += [(kind, int(number), float(chance), int(n_games)) for number, chance, n_games
                     in (line.split(',') for line in text.splitlines())]
        return rows

    def expect_sound(self, rows, lines):
        """All that was simulated is in the right file, in order and once."""
        counts = {kind: sum(row[0] == kind for row in rows) for kind in ('ruined', 'rich')}
        self.assertEqual(lines, [', '.join(f'{n} {kind}' for kind, n in counts.items())])
        numbers = [row[1] for row in rows]
        self.assertEqual(sorted(numbers), list(range(len(rows))))
        split = counts['ruined']
        for part in numbers[:split], numbers[split:]:
            self.assertEqual(part, sorted(part))
        simulate = self.load('simulate')
        for row in random.sample(rows, 500):
            self.assertEqual(simulate(row[1:3]), row)

    def test_ten_thousand(self):
        lines = self.run_program('--folder', self.folder, 10_000)
        rows = self.read()
        self.assertEqual(len(rows), 10_000)
        self.expect_sound(rows, lines)

    def is_growing(self):
        return all(path.exists() and path.stat().st_size > 0
                   for path in (self.folder / 'ruined.csv', self.folder / 'rich.csv'))

    def sizes(self):
        return [path.stat().st_size for path in self.folder.iterdir()]

    def test_a_million_in_bounded_memory(self):
        """All threads and all memory that the application needs it has with the first results."""
        terminal = self.start('--folder', self.folder, MILLION)
        self.wait_until(self.is_growing)
        n_threads, memory = count_threads(terminal.pid), most_memory(terminal.pid)
        last, looks = None, []
        while terminal.poll() is None:
            if last != (last := self.sizes()):  # it may take minutes
                faulthandler.dump_traceback_later(WATCHDOG, exit=True)
            try:
                looks.append((count_threads(terminal.pid), most_memory(terminal.pid)))
            except (FileNotFoundError, ProcessLookupError, KeyError):
                break  # it has just ended
            time.sleep(0.02)
        [line] = self.finish(terminal, 0)
        self.assertGreater(len(looks), 10)
        self.assertLess(max(n for n, _ in looks), n_threads + MORE_THREADS)
        self.assertLess(max(size for _, size in looks), memory + GROWTH)
        self.assertEqual(line, self.count_each_once(MILLION))

    def count_each_once(self, n):
        """What the program has to say of its results, all of which are there."""
        seen, counts = bytearray(n), {'ruined': 0, 'rich': 0}
        for kind in counts:
            with open(self.folder / f'{kind}.csv') as file:
                for line in file:
                    seen[int(line.partition(',')[0])] += 1
                    counts[kind] += 1
        self.assertEqual(seen, b'\1' * n)
        return ', '.join(f'{count} {kind}' for kind, count in counts.items())

    def test_interrupt(self):
        terminal = self.start('--folder', self.folder, 10 ** 9)
        self.wait_until(self.is_growing)
        first, *lines = self.interrupt(terminal)
        self.assertEqual(first, 'Interrupted.')
        self.expect_sound(self.read(), lines)
