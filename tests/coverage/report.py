#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Says which part of the library was run, and fails where that is less than it must be.

Usage: tests/coverage/report.py BUILD-FOLDER

The folder is one that tests/coverage/run has made, with the counters that were left there.

Every line of lib/wire must be run, headers included, and every one of the state machines should be.
Nearly all of them must be: it depends on who comes first which are, and of a process that is killed
while it counts a few counts may be lost. Of any other file it is nine tenths. What no test can get
to is not counted: a line that says that it is never reached, and the lines below a comment that begins with
"Not covered" and gives the reason, up to the next that is run.
"""

import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]

# In percent of the lines of a file; the first pattern that matches counts. The state machines are
# named in lib/doc/testing.md as well. In two of their files more is left to luck.
GOALS = [
    ('lib/wire/*', 100),
    ('lib/host/dray-future-priority.c', 98),
    ('lib/worker/dray-link-watcher.c', 98),
    ('lib/host/dray-ticket*', 99),
    ('lib/host/dray-future*', 99),
    ('lib/host/dray-pool*', 99),
    ('lib/host/dray-dispatch*', 99),
    ('lib/worker/dray-link*', 99),
    ('lib/worker/dray-worker*', 99),
    ('lib/*', 90),
]

REASON = re.compile(r'/\* Not covered: (\S.*)')
# A line that says that it is never reached; an empty statement; a label, of which what follows it
# counts; a macro, which counts where it is used.
NOTHING = re.compile(r'\s*(g_assert_not_reached \(|g_return(_val)?_if_reached \(|'
                     r'G_OBJECT_WARN_INVALID_|;$|default:$|#define )')


@dataclass
class File:
    name: str
    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[tuple[str, ...], int] = field(default_factory=dict)

    def uncovered(self) -> list[int]:
        """The numbers of lines that should have been run and were not."""
        source = (SOURCE / self.name).read_text(encoding='utf-8').splitlines()
        missing, excused = [], False
        for number, text in enumerate(source, 1):
            if REASON.search(text):
                excused = True
            elif self.lines.get(number, 0) > 0:
                excused = False
            elif number in self.lines and not excused and not NOTHING.match(text):
                missing.append(number)
        return missing


def export(build: Path) -> str:
    """What llvm-cov says in the format of lcov."""
    profile = build / 'coverage' / 'all.profdata'
    subprocess.run(['llvm-profdata', 'merge', '-sparse', '-o', profile,
                    *(build / 'coverage').glob('*.profraw')], check=True)
    programs = [build / 'lib' / name for name in ('libdray-1.so', 'dray-worker-1', 'dray-launch-1')]
    # These have a library of their own.
    tests = [build / 'tests' / source.stem for source in SOURCE.glob('tests/unit/test-*.c')]
    programs += [test for test in sorted(tests) if test.exists()]
    objects = [word for program in programs[1:] for word in ('-object', program)]
    return subprocess.run(['llvm-cov', 'export', '-format=lcov', f'-instr-profile={profile}',
                           programs[0], *objects],
                          check=True, text=True, stdout=subprocess.PIPE).stdout


def read(text: str) -> list[File]:
    """The files of the library that are in such a text.

    What a header has comes with each file that includes it. llvm-cov has added up its lines, but
    not its branches, which are left out.
    """
    files: dict[str, File] = {}
    file: File | None = None
    for line in text.splitlines():
        key, _, value = line.partition(':')
        if key == 'SF':
            name = Path(value).resolve()
            file = None
            if name.suffix in ('.c', '.h') and (SOURCE / 'lib') in name.parents:
                relative = str(name.relative_to(SOURCE))
                file = files.setdefault(relative, File(relative))
        elif file is None:
            continue
        elif key == 'DA':
            number, count = (int(word) for word in value.split(',')[:2])
            file.lines[number] = file.lines.get(number, 0) + count
        elif key == 'BRDA' and file.name.endswith('.c'):
            *where, word = value.split(',')
            file.branches[tuple(where)] = 0 if word == '-' else int(word)
    return sorted(files.values(), key=lambda file: file.name)


def part(covered: int, total: int) -> float:
    """In percent, rounded down, so that 100 means all."""
    return 1000 * covered // total / 10 if total else 100.0


def ranges(numbers: list[int]) -> str:
    """Such as 3-5, 9."""
    pieces: list[list[int]] = []
    for number in numbers:
        if pieces and number == pieces[-1][1] + 1:
            pieces[-1][1] = number
        else:
            pieces.append([number, number])
    return ', '.join(str(a) if a == b else f'{a}-{b}' for a, b in pieces)


def print_folders(files: list[File]) -> None:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for file in files:
        branches = file.branches.values()
        for name in (str(Path(file.name).parent), 'all'):
            for i, number in enumerate((len(file.lines) - len(file.uncovered()), len(file.lines),
                                        sum(count > 0 for count in branches), len(branches))):
                counts[name][i] += number

    print(f'{"lines":>7}{"branches":>10}  folder')
    for name, (lines, all_lines, branches, all_branches) in counts.items():
        print(f'{part(lines, all_lines):6.1f}%{part(branches, all_branches):9.1f}%  {name}')


def main() -> int:
    files = read(export(Path(sys.argv[1])))
    if not files:
        print('Nothing was measured.', file=sys.stderr)
        return 1

    status = 0
    for file in files:
        goal = next(goal for pattern, goal in GOALS if fnmatch(file.name, pattern))
        missing = file.uncovered()
        percent = part(len(file.lines) - len(missing), len(file.lines))
        if percent < goal:
            print(f'{file.name}: {percent} % of the lines are run, and {goal} % must be; '
                  f'not {ranges(missing)}', file=sys.stderr)
            status = 1
    print_folders(files)
    return status


if __name__ == '__main__':
    sys.exit(main())
