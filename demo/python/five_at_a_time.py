#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A hundred processes were started and a semaphore let five of them work. On Ctrl+C, whoever had it
# died without releasing it, and the others waited for it for ever: so did who was in join().
"""Compresses a hundred blocks of bytes in five processes at a time."""

import argparse
import bz2
import os
import random
import sys

import dray

AT_A_TIME = 5


def compress(seed, size):
    """Returns the worker process, and the size of what becomes of that many bytes of text."""
    letters = random.Random(seed).choices(b'etaoin shrdlu', k=size)
    return os.getpid(), len(bz2.compress(bytes(letters)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=int, default=1_000_000, help='of each block, in bytes')
    parser.add_argument('jobs', type=int, nargs='?', default=100)
    arguments = parser.parse_args()

    jobs = []
    try:
        with dray.ProcessPoolExecutor(AT_A_TIME) as executor:
            for seed in range(arguments.jobs):
                jobs.append(executor.submit(compress, seed, arguments.size))
            for n_done, job in enumerate(dray.as_completed(jobs), 1):
                process, size = job.result()
                print(f'{n_done} done: {size} bytes, by process {process}')
    except KeyboardInterrupt:
        n_done = sum(not job.cancelled() and job.exception() is None for job in jobs)
        print(f'Interrupted: {n_done} of {len(jobs)} jobs are done.')
        return 130
    print(f'Together: {sum(job.result()[1] for job in jobs)} bytes')
    return 0


if __name__ == '__main__':
    sys.exit(main())
