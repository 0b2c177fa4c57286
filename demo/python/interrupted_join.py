#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A main thread in join() took one Ctrl+C to leave that, and another one to leave the join() of what
# was not a daemon, at the end of the program. Here one ends the jobs first, and the wait with them.
"""Counts primes in several processes, while the main thread waits for all of them to end."""

import argparse
import sys

import dray


def count_primes(first, end):
    """In a worker process."""
    return sum(all(n % divisor for divisor in range(2, int(n ** 0.5) + 1))
               for n in range(max(first, 2), end))


def has_succeeded(job):
    return not job.cancelled() and job.exception() is None


def report(first, job):
    """Called when a job has ended, on another thread: the main thread waits."""
    if has_succeeded(job):
        print(f'From {first}: {job.result()} primes', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--step', type=int, default=100_000, help='how many numbers a job has')
    parser.add_argument('jobs', type=int, nargs='?', default=20)
    arguments = parser.parse_args()

    executor = dray.ProcessPoolExecutor()
    jobs = []
    for first in range(0, arguments.jobs * arguments.step, arguments.step):
        jobs.append(executor.submit(count_primes, first, first + arguments.step))
        jobs[-1].add_done_callback(lambda job, first=first: report(first, job))

    try:
        executor.shutdown()
    except KeyboardInterrupt:
        print(f'Interrupted: {sum(map(has_succeeded, jobs))} of {len(jobs)} jobs are done.')
        return 130
    print(f'Together: {sum(job.result() for job in jobs)} primes')
    return 0


if __name__ == '__main__':
    sys.exit(main())
