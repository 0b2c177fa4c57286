# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures all figures, and says what came of them. Started by run, which see.

Usage: driver.py [--quick] [--record] [--report FILE] BUILD-FOLDER

In each round each figure is measured once, in a process of its own: so whatever else the machine
does hits all alike. Every other round goes through them backwards, so that none always comes after
the same one.
"""

import argparse
import os
import pathlib
import subprocess
import sys

import arithmetic
import figures
import instructions
import report
import runs

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT = 600

# What is set to find mistakes would only be measured; a test has its use for it.
UNWANTED = ('G_DEBUG', 'G_SLICE', 'G_MESSAGES_DEBUG', 'MALLOC_CHECK_', 'MALLOC_PERTURB_',
            'LD_PRELOAD', 'PYTHONDONTWRITEBYTECODE')


def get_command(figure, how, build):
    if figure.program == figures.EXECUTORS:
        return [runs.find_python(), str(HERE / 'executors.py'), *figure.arguments(how)]
    programs = {
        figures.BENCH: [str(pathlib.Path(build).resolve() / 'tests/bench/dray-bench')],
        figures.PEERS: [runs.find_python(), str(HERE / 'peers.py')],
    }
    return programs[figure.program] + figure.arguments(how)


def get_environment(how, build):
    unwanted = () if how == 'tiny' else UNWANTED
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    library = str(pathlib.Path(build).resolve() / 'lib')
    environment['DRAY_LIBEXECDIR'] = library
    environment['GI_TYPELIB_PATH'] = library
    environment['LD_LIBRARY_PATH'] = library
    environment['PYTHONPATH'] = str(HERE.parents[1] / 'lib/python')
    # Installed modules are compiled, and the package is measured as if it were.
    environment['PYTHONPYCACHEPREFIX'] = str(pathlib.Path(build).resolve() / 'tests/bench/compiled')
    return environment


def measure(figure, how, build):
    """One value of a figure."""
    try:
        process = subprocess.run(get_command(figure, how, build), env=get_environment(how, build),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                 timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise arithmetic.Failure(f'{figure.name}: {error}') from error
    if process.returncode != 0:
        raise arithmetic.Failure(f'{figure.name}: the program ended with {process.returncode}')

    return arithmetic.parse(process.stdout, figure)


def plan(how, all_figures=None):
    """The figures in the order that they are measured in: a list for each round."""
    chosen = figures.FIGURES if all_figures is None else all_figures
    for number in range(max(figure.rounds[how] for figure in chosen)):
        these = [figure for figure in chosen if number < figure.rounds[how]]
        yield these if number % 2 == 0 else these[::-1]


def measure_all(how, build):
    """Summaries by figure."""
    values = {figure.name: [] for figure in figures.FIGURES}
    for number, these in enumerate(plan(how)):
        print(f'Round {number + 1}', file=sys.stderr)
        for figure in these:
            values[figure.name].append(measure(figure, how, build))

    summaries = {figure.name: arithmetic.summarize(values[figure.name], figure.unit)
                 for figure in figures.FIGURES}
    print('Instructions', file=sys.stderr)
    counts = instructions.measure(build, 1 if how == 'quick' else instructions.ROUNDS)
    return summaries | {name: arithmetic.summarize([count], instructions.UNIT)
                        for name, count in counts.items()}


def say(summaries, verdicts):
    for name, summary in summaries.items():
        print(name, arithmetic.show(summary.median), summary.unit)
    for verdict in verdicts:
        goal = verdict.goal
        sign = '>=' if goal.better == figures.MORE else '<='
        print(goal.name, arithmetic.show(verdict.value),
              'ratio' if goal.right else summaries[goal.left].unit,
              f'must {sign} {goal.must:g}: {"met" if verdict.must_is_met else "NOT MET"};',
              f'aim {sign} {goal.aim:g}: {"met" if verdict.aim_is_met else "not met"}')


def main():
    parser = argparse.ArgumentParser(description='Measures all figures.')
    parser.add_argument('--quick', action='store_true', help='fewer rounds of less')
    parser.add_argument('--record', action='store_true', help='keep the outcome in history/')
    parser.add_argument('--report', metavar='FILE', help='where to write the report')
    parser.add_argument('build', metavar='BUILD-FOLDER')
    options = parser.parse_args()
    how = 'quick' if options.quick else 'full'

    load = runs.read_load()
    print(f'The load is {load} on {os.cpu_count()} processors.', file=sys.stderr)
    try:
        summaries = measure_all(how, options.build)
        verdicts = list(arithmetic.judge(figures.GOALS, summaries))
        say(summaries, verdicts)

        earlier = runs.load()
        run = runs.new_run(how, summaries, load)
        path = pathlib.Path(options.report or pathlib.Path(options.build, 'benchmarks.html'))
        path.write_text(report.write(run, earlier, verdicts), encoding='utf-8')
    except arithmetic.Failure as failure:
        sys.exit(str(failure))
    print(f'The report is {path}.', file=sys.stderr)
    if options.record:
        print(f'Recorded as {runs.record(run)}.', file=sys.stderr)

    return 0


if __name__ == '__main__':
    sys.exit(main())
