# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that whoever repeats tests counts what passes and what fails, now and then too, stops what
hangs, and goes through all in turns.

Usage: test-repeat.py        speaks TAP
"""

import contextlib
import io
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import traceback

import repeat

HERE = pathlib.Path(__file__).resolve().parent
CASES = []


def case(function):
    CASES.append((function.__name__.replace('_', '-'), function))
    return function


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f'{actual!r} is not {expected!r}')


def sh(script, name='program', timeout=0):
    """A program that is a script of a shell; $NOTES is a folder that all share."""
    return repeat.Program(name, ['sh', '-c', script], timeout)


def repeat_all(programs, times=1, jobs=2):
    """Runs them. Returns what was said, the exit status, what was kept, and what they noted."""
    with (tempfile.TemporaryDirectory() as kept, tempfile.TemporaryDirectory() as notes,
          contextlib.redirect_stdout(io.StringIO()) as said):
        for program in programs:
            program.environment['NOTES'] = notes
        repeat.Repeater(programs, times, jobs, pathlib.Path(kept)).repeat()
        status = repeat.report(programs)
        return said.getvalue(), status, read_files(kept), read_files(notes)


def read_files(folder):
    return {path.name: path.read_text(encoding='utf-8')
            for path in pathlib.Path(folder).iterdir() if path.is_file()}


@case
def what_passes():
    """Nothing is kept of it; a skipped case, one that is expected to fail, and a skipped program
    are no failures."""
    programs = [sh('echo fine', 'good'), sh('echo "ok 1 a # SKIP"; echo "not ok 2 b # TODO"', 'tap'),
                sh('exit 77', 'skipped')]
    said, status, kept, _ = repeat_all(programs, 3)
    expect([(program.ended, program.failed) for program in programs], [(3, 0)] * 3)
    expect((status, kept), (0, {}))
    expect(said.splitlines()[-1].partition(' failures')[0], '9 runs of 3 programs, 0')


@case
def what_fails_at_times():
    """Each failure is told of, what it printed is kept, and the exit status is 1."""
    program = sh('echo x >>"$NOTES/runs"; echo run; [ $(($(wc -l <"$NOTES/runs") % 3)) -ne 0 ]',
                 'moody')
    said, status, kept, _ = repeat_all([program, sh('true', 'good')], 7, 1)
    expect((program.ended, program.failed), (7, 2))
    expect((status, kept), (1, {'moody.3.txt': 'run\n', 'moody.6.txt': 'run\n'}))
    expect([line.partition(';')[0] for line in said.splitlines() if 'FAILED' in line],
           ['FAILED: moody, run 3, exit status 1', 'FAILED: moody, run 6, exit status 1'])
    expect('14 runs of 2 programs, 2 failures' in said, True)


@case
def how_it_can_fail():
    """By a signal, and by a case although the exit status is 0."""
    programs = [sh('kill -ABRT $$', 'killed'), sh('echo "1..1"; echo "not ok 1 a"', 'tap')]
    said, status, kept, _ = repeat_all(programs)
    expect((status, sorted(kept)), (1, ['killed.1.txt', 'tap.1.txt']))
    expect(f'killed, run 1, ended by signal {signal.SIGABRT.value};' in said, True)
    expect('tap, run 1, not ok;' in said, True)


@case
def what_hangs():
    """It is killed with all of its group, after a multiple of its time; others go on."""
    hanging = sh('sleep 1000 & echo $!; wait', 'hanging', 0.5)
    said, status, kept, _ = repeat_all([hanging, sh('true', 'good')], 2)
    expect((hanging.ended, hanging.failed, status), (2, 2, 1))
    expect('hanging, run 1, stopped after 2 seconds;' in said, True)
    for child in ''.join(kept.values()).split():
        wait_for_end(int(child))


def wait_for_end(process):
    """Meson sees to it that this does not last for ever."""
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(process)
        select.select([pidfd], [], [])
        os.close(pidfd)


@case
def fewest_first():
    """All have run once before one runs again."""
    programs = [sh(f'echo {name} >>"$NOTES/order"', name) for name in 'abc']
    *_, notes = repeat_all(programs, 3, 1)
    expect(notes['order'].split(), ['a', 'b', 'c'] * 3)


@case
def several_at_a_time():
    """As many as were asked for: they wait for each other, and would otherwise be stopped."""
    meet = ('mkfifo "$NOTES/a" "$NOTES/b" 2>/dev/null;'
            ' if [ {0} = a ]; then echo >"$NOTES/a"; cat "$NOTES/b";'
            ' else cat "$NOTES/a"; echo >"$NOTES/b"; fi')
    programs = [sh(meet.format(name), name, 30) for name in 'ab']
    _, status, *_ = repeat_all(programs)
    expect(status, 0)


@case
def processors():
    """The time of what a program has started and waited for counts as well."""
    program = sh('sh -c "i=0; while [ \\$i -lt 20000 ]; do i=\\$((i + 1)); done"')
    repeat_all([program])
    expect(program.seconds > 0, True)


@case
def wrong_arguments():
    """Numbers that can't be are refused before anything is run."""
    for arguments in (['--times', '0'], ['--jobs', 'many']):
        process = subprocess.run([sys.executable, HERE / 'repeat.py', *arguments, 'nowhere'],
                                 capture_output=True, text=True, check=False)
        expect((process.returncode, process.stdout), (2, ''))


def main():
    n_failed = 0
    print(f'1..{len(CASES)}')
    for number, (name, function) in enumerate(CASES, 1):
        name = '/repeat/' + name
        try:
            function()
            print(f'ok {number} {name}', flush=True)
        except Exception:  # pylint: disable=broad-except
            n_failed += 1
            print('# ' + traceback.format_exc().strip().replace('\n', '\n# '))
            print(f'not ok {number} {name}', flush=True)
    return 1 if n_failed else 0


if __name__ == '__main__':
    sys.exit(main())
