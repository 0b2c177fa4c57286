#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the coverage of each file of the library, and fails where it is less than it must be.

Usage: tests/coverage/report.py SUMMARY.json

The summary is gcovr's. The goal is that every line of what decodes and of the state machines is
run, and nine tenths of any other file. What falls short of that is listed. What must not happen is
that less is run than was reached before.
"""

import json
import sys
from fnmatch import fnmatch

# In percent of the lines of a file; the first pattern that matches counts.
GOALS = [
    ('lib/wire/*', 100),
    ('lib/host/dray-ticket*.c', 100),
    ('lib/host/dray-run.c', 100),
    ('lib/host/dray-pool*.c', 100),
    ('lib/host/dray-dispatch*.c', 100),
    ('lib/host/dray-process.c', 100),
    ('lib/host/dray-flow.c', 100),
    ('lib/worker/dray-link*.c', 100),
    ('*', 90),
]

# What was reached, in percent of the lines of all files that match. This is what the unit tests of
# lib/wire reach, with those of chunks and jobs in a worker. There is nothing about the other files
# before all unit and integration tests have been measured.
REACHED = [
    ('lib/wire/*.c', 92),
]


def part(covered, total):
    """In percent, rounded down, so that 100 means all."""
    return 1000 * covered // total / 10 if total else 100


def part_of(files, what):
    return part(sum(file[f'{what}_covered'] for file in files),
                sum(file[f'{what}_total'] for file in files))


def short_of_goal(files):
    for file in files:
        goal = next(goal for pattern, goal in GOALS if fnmatch(file['filename'], pattern))
        if part(file['line_covered'], file['line_total']) < goal:
            yield (f'{file["filename"]}: {file["line_total"] - file["line_covered"]} lines were '
                   f'not run; the goal is {goal} %')


def fallen(files):
    for pattern, reached in REACHED:
        matching = [file for file in files if fnmatch(file['filename'], pattern)]
        percent = part_of(matching, 'line')
        if not matching or percent < reached:
            yield f'{pattern}: {percent} % of the lines were run, and {reached} % were before'


def main():
    with open(sys.argv[1], encoding='utf-8') as summary:
        files = json.load(summary)['files']

    print(f'{"lines":>7}{"branches":>10}  file')
    for file in files:
        print(f'{part_of([file], "line"):6.1f}%{part_of([file], "branch"):9.1f}%  '
              f'{file["filename"]}')
    print(f'{part_of(files, "line"):6.1f}%{part_of(files, "branch"):9.1f}%  all')

    print(*short_of_goal(files), sep='\n')
    problems = list(fallen(files))
    print(*problems, sep='\n', file=sys.stderr)

    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
