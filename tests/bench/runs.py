# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs, as they are kept: what was measured, when, of what, on what.

A run that was asked to be recorded is a file in history/, which is meant to be committed.
"""

import dataclasses
import datetime
import functools
import json
import os
import pathlib
import platform
import subprocess
import sys

import arithmetic

FOLDER = pathlib.Path(__file__).with_name('history')
ROOT = pathlib.Path(__file__).resolve().parents[2]

PRINT_VERSION = 'import platform; print(platform.python_version())'


@dataclasses.dataclass
class Run:
    date: str          # of its end, in UTC
    commit: str        # the first digits, with a "+" where there was more than is committed
    how: str           # full or quick
    machine: dict      # what it ran on, by what that is
    summaries: dict    # arithmetic.Summary by figure

    @classmethod
    def from_json(cls, text):
        values = json.loads(text)
        values['summaries'] = {name: arithmetic.Summary(**summary)
                               for name, summary in values['summaries'].items()}
        return cls(**values)

    def to_json(self):
        return json.dumps(dataclasses.asdict(self), indent=2) + '\n'


def ask(*command):
    """What a command prints; nothing where it can't be run."""
    try:
        return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ''


def read_load():
    return f'{os.getloadavg()[0]:.2f}'


@functools.cache
def find_python():
    """The Python that all of Python's figures are of, and that has PyGObject: this one, or the
    system's."""
    for python in (sys.executable, '/usr/bin/python3'):
        found = subprocess.run([python, '-c', 'import gi'], stderr=subprocess.DEVNULL, check=False)
        if found.returncode == 0:
            return python
    raise arithmetic.Failure('PyGObject is missing, which the Python package needs')


def describe_machine(load_before):
    models = [line.partition(':')[2].strip()
              for line in pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
              if line.startswith('model name')]
    return {
        'processors': f'{os.cpu_count()} × {models[0] if models else platform.machine()}',
        'kernel': platform.release(),
        'GLib': ask('pkg-config', '--modversion', 'glib-2.0'),
        'Python': ask(find_python(), '-c', PRINT_VERSION),
        'load before': load_before,
        'load after': read_load(),
    }


def describe_commit():
    commit = ask('git', 'rev-parse', '--short=10', 'HEAD') or 'unknown'
    return commit + ('+' if ask('git', 'status', '--porcelain', '--untracked-files=no') else '')


def new_run(how, summaries, load_before):
    date = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M')
    return Run(date, describe_commit(), how, describe_machine(load_before), summaries)


def load(folder=FOLDER):
    """All runs that were recorded, the oldest first."""
    runs = [Run.from_json(path.read_text(encoding='utf-8')) for path in folder.glob('*.json')]
    return sorted(runs, key=lambda run: run.date)


def record(run, folder=FOLDER):
    """Returns the path of the file."""
    folder.mkdir(exist_ok=True)
    moment = run.date.replace(' ', '-').replace(':', '')
    path = folder / f'{moment}-{run.commit.rstrip("+")}.json'
    path.write_text(run.to_json(), encoding='utf-8')
    return path
