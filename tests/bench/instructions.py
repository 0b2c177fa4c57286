#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the instructions that a task costs, and compares them with those that are committed.

Usage: tests/bench/instructions.py [--update] BUILD-FOLDER

The build folder is one that was configured with --buildtype=release. One line is printed for each
figure: its name, its value, its unit.

  callgrind_instructions_per_task.dray         both of these
  callgrind_instructions_per_task.dray_host    in the application: submitting, the I/O thread,
                                               the callback, and what GLib does of it
  callgrind_instructions_per_task.dray_worker  in the worker

They are counted by callgrind, with one task after the other, each submitted when the result of the
one before is there, and with all on one processor. So everybody waits for the one before, nothing
depends on who is faster, and the count is the same from run to run, but for what is done again and
again while time passes: less than one in a hundred, and the lowest of some rounds is taken. (With
many tasks on the way at a time, which are cheaper, it would depend on how many results happen to
be read at once.) Each process is counted in runs of its own, while the other runs at full speed.
What it costs to start is left out, by taking the difference of a long run and a short one.

Fails where a figure is more than 3 % above that in instructions.json. Who has reason to let it grow
commits what --update writes there; and who has made it smaller does so too, so that it stays small.
The figures depend on the compiler and on GLib: those that are committed are for Debian 12.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import arithmetic

COMMITTED = pathlib.Path(__file__).with_name('instructions.json')
FAMILY = 'callgrind_instructions_per_task.dray'
UNIT = 'instructions'

TOLERANCE = 0.03
ROUNDS = 3
SHORT, LONG = 500, 4500   # tasks

TIMEOUT = 300
TOTALS = re.compile(r'^totals: (\d+)$', re.MULTILINE)


def callgrind(output):
    return ['valgrind', '--quiet', '--tool=callgrind', f'--callgrind-out-file={output}']


def stay_on_one_processor():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def count(build, n_tasks, in_worker):
    """How many instructions one of the two processes needs for so many tasks, and all the rest."""
    build = pathlib.Path(build).resolve()
    environment = dict(os.environ, DRAY_LIBEXECDIR=str(build / 'lib'))

    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, 'callgrind.out')
        command = [str(build / 'tests/bench/dray-bench'), '--figure', 'round_trip_us.dray_async',
                   '--count', str(n_tasks)]
        if in_worker:
            command += ['--worker-prefix', ' '.join(callgrind(output))]
        else:
            command = callgrind(output) + command

        try:
            # Valgrind complains of system calls that it does not know.
            subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                           preexec_fn=stay_on_one_processor, timeout=TIMEOUT, check=True)
            return int(TOTALS.search(output.read_text(encoding='utf-8'))[1])
        except subprocess.CalledProcessError as error:
            raise arithmetic.Failure(f'{FAMILY}: {error}\n{error.stderr.decode()}') from error
        except (OSError, subprocess.SubprocessError) as error:
            raise arithmetic.Failure(f'{FAMILY}: {error}') from error


def count_for_one(build, in_worker, rounds):
    """How many instructions one of the two processes needs for a task: one value."""
    lowest_short, lowest_long = [min(count(build, n_tasks, in_worker) for _ in range(rounds))
                                 for n_tasks in (SHORT, LONG)]
    return (lowest_long - lowest_short) / (LONG - SHORT)


def measure(build, rounds=ROUNDS):
    """All figures."""
    host, worker = [round(count_for_one(build, in_worker, rounds)) for in_worker in (False, True)]
    return {FAMILY: host + worker, FAMILY + '_host': host, FAMILY + '_worker': worker}


def compare(figures, committed):
    """Yields the names of the figures that have changed by more than is tolerated, with how much:
    as a fraction, positive where it has grown."""
    for name, value in figures.items():
        before = committed.get(name, 0)
        if abs(value - before) > TOLERANCE * before:
            yield name, value / before - 1 if before else float('inf')


def check(figures):
    """Says what has changed, and returns whether that can stay so."""
    committed = json.loads(COMMITTED.read_text(encoding='utf-8'))
    has_grown = False

    for name, change in compare(figures, committed):
        has_grown = has_grown or change > 0
        print(f'{name} is {figures[name]}, which is {abs(change):.1%} '
              f'{"above" if change > 0 else "below"} the {committed.get(name)} that is committed.',
              file=sys.stderr)
        print('If that should be so, run "python3 tests/bench/instructions.py --update '
              'BUILD-FOLDER" and commit instructions.json.', file=sys.stderr)

    return not has_grown


def main():
    parser = argparse.ArgumentParser(description='Counts the instructions that a task costs.')
    parser.add_argument('--update', action='store_true', help='write instructions.json')
    parser.add_argument('build', metavar='BUILD-FOLDER')
    options = parser.parse_args()

    try:
        figures = measure(options.build)
    except arithmetic.Failure as failure:
        sys.exit(str(failure))
    for name, value in figures.items():
        print(name, value, UNIT)

    if options.update:
        COMMITTED.write_text(json.dumps(figures, indent=2) + '\n', encoding='utf-8')
        return 0
    return 0 if check(figures) else 1


if __name__ == '__main__':
    sys.exit(main())
