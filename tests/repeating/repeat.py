# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs test programs again and again, and counts what came of it. Started by tests/repeat, which
see.

Usage: repeat.py [--times N] [--jobs N] [TEST...] BUILD-FOLDER
"""

import argparse
import json
import os
import pathlib
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

SUITES = ('unit', 'integration')

# What takes so many times what Meson allows it is taken to hang: here it is one of many.
PATIENCE = 4

SKIPPED = 77     # the exit status, as Meson has it
NOT_OK = re.compile(r'^not ok\b(?!.*# *TODO\b)', re.MULTILINE | re.IGNORECASE)


@dataclass
class Program:
    """One of Meson's tests, and what came of it so far."""

    name: str
    command: list[str]
    timeout: float                 # in seconds; 0 means for ever
    folder: str | None = None      # to be run in
    environment: dict[str, str] = field(default_factory=dict)
    begun: int = 0
    ended: int = 0
    failed: int = 0
    seconds: float = 0.0           # of processor, with those of its children


@dataclass(eq=False)
class Run:
    """A process of a program, in a session of its own."""

    program: Program
    number: int
    process: subprocess.Popen
    output: pathlib.Path
    pidfd: int
    deadline: float
    stopped: bool = False

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Repeater:
    """Runs all programs, a few at a time. What a run printed is kept if it failed."""

    def __init__(self, programs, times, jobs, kept):
        self.programs = programs
        self.times = times
        self.jobs = jobs
        self.kept = kept
        self.runs = set()
        self.selector = selectors.DefaultSelector()

    def repeat(self):
        try:
            while self.start_some() or self.runs:
                self.wait()
        finally:
            for run in self.runs:
                run.kill()
                run.process.wait()
                run.output.unlink()

    def start_some(self):
        """Starts what has run least often, until enough are running. Returns whether one was."""
        started = False
        while len(self.runs) < self.jobs:
            program = min(self.programs, key=lambda program: program.begun)
            if program.begun == self.times:
                break
            self.start(program)
            started = True
        return started

    def start(self, program):
        program.begun += 1
        output = self.kept / f'{program.name}.{program.begun}.txt'
        with output.open('wb') as file:
            process = subprocess.Popen(program.command, env=os.environ | program.environment,
                                       cwd=program.folder, stdin=subprocess.DEVNULL, stdout=file,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        limit = program.timeout * PATIENCE or float('inf')
        run = Run(program, program.begun, process, output, os.pidfd_open(process.pid),
                  time.monotonic() + limit)
        self.runs.add(run)
        self.selector.register(run.pidfd, selectors.EVENT_READ, run)

    def wait(self):
        """For a process to end, or to take too long."""
        deadline = min(run.deadline for run in self.runs)
        timeout = None if deadline == float('inf') else max(0, deadline - time.monotonic())
        for key, _ in self.selector.select(timeout):
            self.end(key.data)
        for run in self.runs:
            if time.monotonic() >= run.deadline:
                run.stopped = True
                run.deadline = float('inf')
                run.kill()

    def end(self, run):
        _, status, usage = os.wait4(run.process.pid, 0)
        run.process.returncode = os.waitstatus_to_exitcode(status)
        self.selector.unregister(run.pidfd)
        os.close(run.pidfd)
        self.runs.remove(run)

        program = run.program
        program.ended += 1
        program.seconds += usage.ru_utime + usage.ru_stime
        reason = find_failure(run)
        if reason is None:
            run.output.unlink()
            return
        program.failed += 1
        print(f'FAILED: {program.name}, run {run.number}, {reason}; see {run.output}', flush=True)


def find_failure(run):
    """Why the run, which has ended, counts as failed, or None."""
    status = run.process.returncode
    if run.stopped:
        return f'stopped after {run.program.timeout * PATIENCE:g} seconds'
    if status < 0:
        return f'ended by signal {-status}'
    if status not in (0, SKIPPED):
        return f'exit status {status}'
    if NOT_OK.search(run.output.read_text(encoding='utf-8', errors='replace')):
        return 'not ok'
    return None


def list_programs(build, names):
    """The tests of those names in a build folder, or all that are of the usual suites."""
    tests = json.loads(subprocess.run(['meson', 'introspect', '--tests', build], check=True,
                                      text=True, stdout=subprocess.PIPE).stdout)
    unknown = set(names) - {test['name'] for test in tests}
    if unknown:
        sys.exit(f'There is no such test: {", ".join(sorted(unknown))}')

    def is_wanted(test):
        if names:
            return test['name'] in names
        return any(suite.endswith(f':{end}') for suite in test['suite'] for end in SUITES)

    return [Program(test['name'], test['cmd'], test['timeout'], test['workdir'] or str(build),
                    test['env']) for test in tests if is_wanted(test)]


def report(programs):
    """Prints what came of each program and of all. Returns the exit status."""
    width = max(len(program.name) for program in programs)
    print(f'{"program":{width}}    runs  failures   seconds')
    for program in programs:
        print(f'{program.name:{width}}  {program.ended:6}  {program.failed:8}'
              f'  {program.seconds:8.1f}')

    ended = sum(program.ended for program in programs)
    failed = sum(program.failed for program in programs)
    seconds = sum(program.seconds for program in programs)
    print(f'{ended} runs of {len(programs)} programs, {failed} failures, '
          f'{seconds:.0f} seconds of processor')
    return 1 if failed > 0 or ended == 0 else 0


def at_least_one(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} is no number of one or more')
    return int(text)


def main():
    parser = argparse.ArgumentParser(prog='tests/repeat', description='Runs tests many times.')
    parser.add_argument('--times', metavar='N', type=at_least_one, default=200,
                        help='how often each is run (%(default)s)')
    parser.add_argument('--jobs', metavar='N', type=at_least_one, default=2 * os.cpu_count(),
                        help='how many run at a time (%(default)s)')
    parser.add_argument('names', metavar='TEST', nargs='*',
                        help='all unit and integration tests, unless told otherwise')
    parser.add_argument('build', metavar='BUILD-FOLDER', type=pathlib.Path)
    options = parser.parse_intermixed_args()

    programs = list_programs(options.build, options.names)
    kept = options.build.resolve() / 'repeat'
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()

    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        Repeater(programs, options.times, options.jobs, kept).repeat()
    except KeyboardInterrupt:
        print('Interrupted.')
        interrupted = True
    return max(report(programs), 1 if interrupted else 0)


if __name__ == '__main__':
    sys.exit(main())
