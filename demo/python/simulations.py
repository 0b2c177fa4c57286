#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A pipe for each simulation, and a thread to read it, ran out of threads after 800 of them; map()
# of a pool took all parameters from the generator before the first result. Here they go along.
"""Simulates gamblers, as many as wanted, and writes who was ruined and who got rich to two files.

The parameters come from a generator, and neither they nor the results are ever all in memory.
"""

import argparse
import pathlib
import random
import signal
import sys
from contextlib import ExitStack

import dray

KINDS = ('ruined', 'rich')
CHUNK = 500  # simulations that go to a worker at a time
AHEAD = 16  # chunks that are under way or not yet written


def make_parameters(n):
    """Of each simulation: its number, and the chance to win a coin."""
    for number in range(n):
        yield number, round(random.uniform(0.4, 0.6), 3)


def simulate(parameters):
    """In a worker process: a gambler plays with ten coins, until he has none, or twenty."""
    number, chance = parameters
    dice = random.Random(number)
    coins, n_games = 10, 0
    while 0 < coins < 20:
        coins += 1 if dice.random() < chance else -1
        n_games += 1
    return KINDS[coins > 0], number, chance, n_games


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--folder', type=pathlib.Path, default='.',
                        help='for ruined.csv and rich.csv')
    parser.add_argument('simulations', type=int, nargs='?', default=100_000)
    arguments = parser.parse_args()

    # A KeyboardInterrupt could come between a line and its count. So Ctrl+C is looked for here.
    interrupts = []
    signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))

    counts = dict.fromkeys(KINDS, 0)
    with ExitStack() as stack:
        files = {kind: stack.enter_context(open(arguments.folder / f'{kind}.csv', 'w'))
                 for kind in KINDS}
        executor = stack.enter_context(dray.ProcessPoolExecutor())
        parameters = make_parameters(arguments.simulations)
        for kind, number, chance, n_games in executor.map(
                simulate, parameters, chunksize=CHUNK, buffersize=AHEAD):
            files[kind].write(f'{number},{chance:.3f},{n_games}\n')
            counts[kind] += 1
            if interrupts:
                print('Interrupted.')
                break
    print(', '.join(f'{n} {kind}' for kind, n in counts.items()))
    return 130 if interrupts else 0


if __name__ == '__main__':
    sys.exit(main())
