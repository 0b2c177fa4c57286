# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that whatever is done in whatever order, from several threads and in callbacks,
everything ends once, as it may, nothing waits for ever, and nothing is left; also where the
program ends meanwhile.

What is begun is told by a seed. What comes of that depends on which thread is faster: so a rare
thing takes more than one try with the same seed.

Usage: test-random.py [--first N] [--seeds N] [--ends]    more of them, or of programs that end
"""

import argparse
import faulthandler
import itertools
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import unittest
import uuid

import random_rounds

N_SEEDS = int(os.environ.get('DRAY_RANDOM_SEEDS', '3'))
MARK = 'DRAY_TEST_RANDOM'  # in the environment of whatever a program starts
MOMENT = 10 * random_rounds.TIME_FACTOR  # s: workers end on their own when the program has

# What must not be printed: what the package has to say of itself.
UNWANTED = ('WRONG', 'Exception ignored', 'Fatal Python error', 'CRITICAL',
            'lib/python/dray/_turns')


class Program:
    """One that ends in the midst of it."""

    def __init__(self, seed, end):
        self.what = f'seed {seed}, {end}'
        self.end = end
        self.mark = f'{MARK}={uuid.uuid4()}'
        name, _, value = self.mark.partition('=')
        self.process = subprocess.Popen(
            [sys.executable, random_rounds.__file__, '--seed', str(seed), '--end', end],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, name: value}, preexec_fn=_reset_signals)

    def find_fault(self):
        """What is wrong with how it ends, if anything is."""
        try:
            # It has a watchdog of its own, which knows more.
            output, _ = self.process.communicate(timeout=random_rounds.PATIENCE + MOMENT)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            output, _ = self.process.communicate()
            return f'{self.what} does not end: {output}'
        _, statuses = random_rounds.ENDS[self.end]
        if self.process.returncode not in statuses:
            return f'{self.what} ended with {self.process.returncode}: {output}'
        if any(text in output for text in UNWANTED):
            return f'{self.what} printed: {output}'
        if not self._is_alone():
            return f'{self.what} left processes behind'
        return None

    def _is_alone(self):
        mark = self.mark.encode()
        end = time.monotonic() + MOMENT
        while any(mark in _environment(folder) for folder in pathlib.Path('/proc').glob('[0-9]*')):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True


def _environment(folder):
    try:
        return (folder / 'environ').read_bytes()
    except OSError:
        return b''


def _reset_signals():
    """Who runs tests in the background has them ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def fresh_seed():
    seed = random.SystemRandom().randrange(1 << 32)
    print(f'# The seed is {seed}', flush=True)
    return seed


class TestRandom(unittest.TestCase):

    def setUp(self):
        faulthandler.cancel_dump_traceback_later()  # there is a watchdog for each round

    def test_fixed_seeds(self):
        self.assertEqual(random_rounds.run_rounds(range(N_SEEDS)), 0)

    def test_fresh_seed(self):
        self.assertEqual(random_rounds.run_rounds([fresh_seed()]), 0)

    def test_ends(self):
        """Each, or as many as there are seeds."""
        seed = fresh_seed()
        for i, end in enumerate(itertools.islice(itertools.cycle(random_rounds.ENDS),
                                                 max(N_SEEDS, len(random_rounds.ENDS)))):
            with self.subTest(seed=seed + i, end=end):
                self.assertIsNone(Program(seed + i, end).find_fault())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('--seeds', type=int, default=1)
    parser.add_argument('--ends', action='store_true')
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    if not arguments.ends:
        return min(1, random_rounds.run_rounds(seeds))
    n_faults = 0
    for seed in seeds:
        for end in random_rounds.ENDS:
            fault = Program(seed, end).find_fault()
            if fault is not None:
                n_faults += 1
                print(fault, flush=True)
    return min(1, n_faults)


if __name__ == '__main__':
    sys.exit(main())
