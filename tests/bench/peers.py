# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Python brings along to run work in other processes, measured as dray-bench measures Dray.

Usage: peers.py --figure NAME [--count N] [--bytes N] [--workers N]

Measures one figure, once, and prints its name, its value and its unit.

  tasks_per_second    so many tiny functions, each given a number and returning the next one. All
                      are submitted at once; the time is from the first submit to the last result.
                      The processes are there before.
    ppe_submit        ProcessPoolExecutor.submit() and Future.result()
    pool_imap         Pool.imap() with its chunks of one, which is the only size at which each call
                      has its own result or its own error, as each of Dray's has
    pool_imap_chunks_of_64
                      the same in larger chunks, where one error takes the chunk with it; for
                      comparison
  round_trip_us.ppe   one tiny function after the other, each submitted when the result of the one
                      before is there; the median
  result_64mib_gib_per_second.ppe
                      a function is asked for bytes, which are made anew, and returned; it is asked
                      again when they were looked at and let go of

The processes are started in the way that is the default of this version of Python.
"""

import argparse
import concurrent.futures
import multiprocessing
import statistics
import sys
import time

MIB = 1024 * 1024


# --- What the other processes do ---

def successor(number):
    return number + 1


def fill(size, value):
    return bytes([value]) * size


def meet(barrier):
    """Returns when all processes are in it, so that none can have been left out."""
    barrier.wait()


# --- What is measured ---

def check(condition, message):
    if not condition:
        sys.exit(f'peers.py: {message}')


def check_sum(total, count):
    check(total == count * (count + 1) // 2, 'the results of the tasks are wrong')


def new_executor(workers):
    """An executor whose processes are there."""
    manager = multiprocessing.Manager()
    executor = concurrent.futures.ProcessPoolExecutor(workers)
    barrier = manager.Barrier(workers)
    for future in [executor.submit(meet, barrier) for _ in range(workers)]:
        future.result()
    manager.shutdown()
    return executor


def tasks_of_executor(options):
    with new_executor(options.workers) as executor:
        start = time.perf_counter()
        futures = [executor.submit(successor, i) for i in range(options.count)]
        total = sum(future.result() for future in futures)
        duration = time.perf_counter() - start

    check_sum(total, options.count)
    return options.count / duration


def tasks_of_pool(options, chunk_size):
    # A pool waits for none of its processes to be up, but starts them all at once.
    with multiprocessing.Pool(options.workers) as pool:
        pool.map(successor, range(options.workers * 100), chunksize=1)
        start = time.perf_counter()
        total = sum(pool.imap(successor, range(options.count), chunk_size))
        duration = time.perf_counter() - start

    check_sum(total, options.count)
    return options.count / duration


def round_trip(options):
    times = []
    with new_executor(1) as executor:
        for i in range(options.count):
            start = time.perf_counter()
            number = executor.submit(successor, i).result()
            times.append(time.perf_counter() - start)
            check(number == i + 1, 'a call came back with the wrong result')

    return statistics.median(times) * 1e6


def get_result(executor, size, value):
    result = executor.submit(fill, size, value).result()
    check(len(result) == size, 'a result is too short')
    check(result[-1] == value and all(result[i] == value for i in range(0, size, MIB)),
          'a result is not what was sent')


def results(options):
    with new_executor(1) as executor:
        get_result(executor, options.bytes, 0)
        start = time.perf_counter()
        for i in range(1, options.count + 1):
            get_result(executor, options.bytes, i % 256)
        duration = time.perf_counter() - start

    return options.bytes * options.count / 1024 ** 3 / duration


FIGURES = {
    'tasks_per_second.ppe_submit': ('tasks/s', tasks_of_executor),
    'tasks_per_second.pool_imap': ('tasks/s', lambda options: tasks_of_pool(options, 1)),
    'tasks_per_second.pool_imap_chunks_of_64':
        ('tasks/s', lambda options: tasks_of_pool(options, 64)),
    'round_trip_us.ppe': ('us', round_trip),
    'result_64mib_gib_per_second.ppe': ('GiB/s', results),
}


def main():
    parser = argparse.ArgumentParser(description='Measures one figure of Python, once.')
    parser.add_argument('--figure', required=True, choices=FIGURES)
    parser.add_argument('--count', type=int, default=1)
    parser.add_argument('--bytes', type=int, default=MIB)
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args()

    unit, measure = FIGURES[options.figure]
    print(f'{options.figure} {measure(options):.6g} {unit}')


if __name__ == '__main__':
    main()
