# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that the measurements can still be made: each figure in a tiny size, and what the driver
makes of numbers. How large they are is nobody's business here.

Usage: test-bench.py BUILD-FOLDER        speaks TAP
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

import arithmetic
import driver
import figures
import instructions
import plots
import report
import runs

FIGURE = figures.Figure('a_family.dray', 'ms', figures.LESS, figures.BENCH, {})
CASES = []


class Skip(Exception):
    """What a case needs is not there."""


def case(function):
    CASES.append((function.__name__.replace('_', '-'), function))
    return function


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f'{actual!r} is not {expected!r}')


def expect_failure(pattern, function, *arguments):
    try:
        function(*arguments)
    except arithmetic.Failure as failure:
        if not re.search(pattern, str(failure)):
            raise AssertionError(f'"{failure}" is not like "{pattern}"') from failure
    else:
        raise AssertionError(f'no failure like "{pattern}"')


def summary(median, unit='ms'):
    return arithmetic.Summary(median, median * 0.9, median * 1.2, 3, unit)


# --- Arithmetic ---

@case
def parsing():
    """One line of three words, with the right name and unit, and a number that can be."""
    expect(arithmetic.parse('a_family.dray 1.5 ms\n', FIGURE), 1.5)
    expect(arithmetic.parse('a_family.dray 1.5e+06 ms\n', FIGURE), 1.5e6)
    expect(arithmetic.parse('a_family.dray 0 ms\n', FIGURE), 0)
    for line in ('', 'a_family.dray 1 ms\nmore\n'):
        expect_failure('one line was expected', arithmetic.parse, line, FIGURE)
    for line in ('a_family.other 1 ms', 'a_family.dray 1 s', 'a_family.dray 1', 'a b c d'):
        expect_failure('is not "a_family.dray VALUE ms"', arithmetic.parse, line, FIGURE)
    expect_failure('no number', arithmetic.parse, 'a_family.dray one ms', FIGURE)
    for value in ('nan', 'inf', '-1'):
        expect_failure('can\'t be', arithmetic.parse, f'a_family.dray {value} ms', FIGURE)


@case
def medians():
    """The middle of an odd number of values, the mean of the middle two of an even one."""
    expect(arithmetic.summarize([3, 1, 100], 'ms'), arithmetic.Summary(3, 1, 100, 3, 'ms'))
    expect(arithmetic.summarize([4, 1, 2, 100], 'ms').median, 3)
    expect(arithmetic.summarize([7], 'ms'), arithmetic.Summary(7, 7, 7, 1, 'ms'))


@case
def verdicts():
    """A ratio is one of medians; a must and an aim are met at their very value."""
    more = figures.Goal('a.dray', 'a.other', figures.MORE, 0.5, 1)
    less = figures.Goal('b.dray', None, figures.LESS, 12, 6)
    missing = figures.Goal('c.dray', 'a.other', figures.MORE, 1, 2)

    def judge(a, other, b):
        medians = {'a.dray': summary(a), 'a.other': summary(other), 'b.dray': summary(b)}
        return [(verdict.goal, verdict.value, verdict.must_is_met, verdict.aim_is_met)
                for verdict in arithmetic.judge([more, less, missing], medians)]

    expect(judge(1, 2, 12), [(more, 0.5, True, False), (less, 12, True, False)])
    expect(judge(1, 4, 13), [(more, 0.25, False, False), (less, 13, False, False)])
    expect(judge(4, 4, 6), [(more, 1, True, True), (less, 6, True, True)])
    expect_failure('a.other is 0', judge, 1, 0, 1)


@case
def numbers():
    """Four digits that count, and all before the point."""
    for value, text in ((0, '0'), (0.012345, '0.01235'), (1.5, '1.500'), (12.345, '12.35'),
                        (1234.5, '1234'), (1234567, '1234567')):
        expect(arithmetic.show(value), text)


@case
def rounds():
    """Every other round goes backwards; those that have fewer rounds are left out of later ones."""
    first = figures.Figure('a.a', 'ms', figures.LESS, figures.BENCH, {}, {'quick': 3})
    second = figures.Figure('a.b', 'ms', figures.LESS, figures.BENCH, {}, {'quick': 2})
    expect(list(driver.plan('quick', [first, second])),
           [[first, second], [second, first], [first]])


@case
def growth():
    """Up to three per cent are tolerated, either way; what is not committed counts as grown."""
    committed = {'a': 100, 'b': 100, 'c': 100, 'd': 100}
    changes = dict(instructions.compare({'a': 103, 'b': 97, 'c': 104, 'd': 96, 'e': 1}, committed))
    expect(sorted(changes), ['c', 'd', 'e'])
    expect([changes[name] > 0 for name in 'cde'], [True, False, True])


@case
def goals():
    """Each goal is about figures that are measured, and no figure is there twice."""
    names = [figure.name for figure in figures.FIGURES]
    expect(len(set(names)), len(names))
    for goal in figures.GOALS:
        expect({goal.left, goal.right} - set(names) - {None}, set())
    expect(len({figure.unit for figure in figures.FIGURES if figure.family == 'round_trip_us'}), 1)


# --- Runs and reports ---

def new_run(date, median):
    summaries = {'a_family.dray': summary(median), 'a_family.other<&>': summary(2 * median)}
    return runs.Run(date, '0123456789+', 'full', {'processors': '2 × "some" & such'}, summaries)


@case
def recording():
    """A run is the same after it was recorded and loaded, and the oldest comes first."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder, 'history')
        expect(runs.load(folder), [])
        later, earlier = new_run('2026-02-01 10:00', 2), new_run('2026-01-01 10:00', 1)
        expect(runs.record(later, folder).name, '2026-02-01-1000-0123456789.json')
        runs.record(earlier, folder)
        expect(runs.load(folder), [earlier, later])


@case
def committed_runs():
    """What was committed can be read."""
    for run in runs.load():
        expect(run.how in ('full', 'quick'), True)
    expect(all(instructions.FAMILY in name for name in
               json.loads(instructions.COMMITTED.read_text(encoding='utf-8'))), True)


@case
def plots_and_report():
    """The report has a picture of each family, one more of its history, and needs no other file."""
    if shutil.which('gnuplot') is None:
        raise Skip('gnuplot is missing')

    goal = figures.Goal('a_family.dray', 'a_family.other<&>', figures.LESS, 1, 0.1)
    past, run = new_run('2026-01-01 10:00', 1), new_run('2026-02-01 10:00', 2)
    verdicts = list(arithmetic.judge([goal], run.summaries))

    alone = report.write(run, [], verdicts)
    expect(alone.count('<img'), 1)
    page = report.write(run, [past], verdicts)
    expect(page.count('<img'), 2)
    for text in ('must met, aim not', '2 × &quot;some&quot; &amp; such', 'other&lt;&amp;&gt;'):
        expect(text in page, True)
    expect(re.findall(r'(?:src|href)="(?!data:)', page), [])


@case
def odd_plots():
    """What is 0, or missing in some runs, is drawn all the same."""
    if shutil.which('gnuplot') is None:
        raise Skip('gnuplot is missing')

    nothing = arithmetic.Summary(0, 0, 0, 1, 'ms')
    expect('</svg>' in plots.draw_comparison({'dray': nothing}, 'ms'), True)
    many = [None, 0, 1.5] * 20
    expect('</svg>' in plots.draw_history({'dray': many, 'other': [None] * 60}, range(60), 'ms'),
           True)


# --- Programs ---

def run_bench(build, *arguments):
    return subprocess.run([str(pathlib.Path(build, 'tests/bench/dray-bench')), *arguments],
                          env=driver.get_environment('tiny', build), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


def can_run_executors(build):
    """Where the library is built with a sanitizer, or without introspection, Python can't."""
    return pathlib.Path(build, 'lib/Dray-1.typelib').exists()


def add_programs(build):
    """A case for each figure, and those of the program's command line."""
    def measure(figure):
        def run():
            if figure.program == figures.EXECUTORS and not can_run_executors(build):
                raise Skip('the library is not described for Python')
            driver.measure(figure, 'tiny', build)
        return run

    for figure in figures.FIGURES:
        CASES.append((figure.name, measure(figure)))

    @case
    def no_figure_left_out():
        """The driver measures all that the program can, and nothing else."""
        process = run_bench(build, '--list')
        expect(process.stdout.split(), [figure.name for figure in figures.FIGURES
                                        if figure.program == figures.BENCH])

    @case
    def wrong_arguments():
        """A figure that there is not, and sizes that can't be, are refused."""
        for arguments in (['--figure', 'tasks_per_second.none'], [],
                          ['--figure', 'loop_stall_ms.nothing', '--count', '0']):
            process = run_bench(build, *arguments)
            expect((process.returncode, process.stdout), (1, ''))
        wrong = figures.Figure('no.such', 'ms', figures.LESS, figures.BENCH, {'tiny': {}})
        expect_failure('ended with 1', driver.measure, wrong, 'tiny', build)


def main():
    add_programs(sys.argv[1])
    n_failed = 0

    print(f'1..{len(CASES)}')
    for number, (name, function) in enumerate(CASES, 1):
        name = '/bench/' + name
        try:
            function()
            print(f'ok {number} {name}', flush=True)
        except Skip as skip:
            print(f'ok {number} {name} # SKIP {skip}', flush=True)
        except Exception:  # pylint: disable=broad-except
            n_failed += 1
            print('# ' + traceback.format_exc().strip().replace('\n', '\n# '))
            print(f'not ok {number} {name}', flush=True)

    return 1 if n_failed else 0


if __name__ == '__main__':
    sys.exit(main())
