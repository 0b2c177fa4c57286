#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# There was no telling which of several processes had ended, so the supervisor polled is_alive(); an
# interrupt hit all of them at once, and it restarted the jobs that it should have ended.
"""Keeps three jobs running: whichever returns, fails or crashes is started again, until Ctrl+C."""

import argparse
import os
import random
import signal
import sys
import time

import dray


def work(name, pause):
    """In a worker process. Each of the jobs ends in a way of its own."""
    time.sleep(random.uniform(0, pause))
    if name == 'careless':
        raise ValueError('a comma was missing')
    if name == 'doomed':
        os.kill(os.getpid(), signal.SIGKILL)
    return 'did what it had to'


def describe(job):
    """How a job has ended."""
    error = job.exception()
    if error is None:
        return f'returned: {job.result()}'
    if isinstance(error, dray.BrokenProcessPool):
        return f'crashed: {error}'
    return f'failed: {error}'


def supervise(executor, pause, starts):
    """Never ends. Counts in `starts` how often each job was started."""
    running = {executor.submit(work, name, pause): name for name in starts}
    while True:
        ended, _ = dray.wait(running, return_when=dray.FIRST_COMPLETED)
        for job in ended:
            name = running.pop(job)
            print(f'{name} {describe(job)}')
            running[executor.submit(work, name, pause)] = name
            starts[name] += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pause', type=float, default=1, help='the longest that a job takes, in s')
    arguments = parser.parse_args()

    starts = dict.fromkeys(['careful', 'careless', 'doomed'], 1)
    try:
        with dray.ProcessPoolExecutor(len(starts)) as executor:
            supervise(executor, arguments.pause, starts)
    except KeyboardInterrupt:
        counts = ', '.join(f'{name} {n} times' for name, n in starts.items())
        print(f'Interrupted. Started: {counts}.')
    return 130


if __name__ == '__main__':
    sys.exit(main())
