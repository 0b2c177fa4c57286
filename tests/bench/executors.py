# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dray's executor for Python, and Python's own, measured in the same way.

Usage: executors.py --figure NAME [--count N] [--bytes N] [--workers N]

Measures one figure, once, and prints its name, its value and its unit. Each is measured of
dray.ProcessPoolExecutor (.dray) and of concurrent.futures.ProcessPoolExecutor (.ppe), whose
processes are started in the way that is the default of this version of Python.

  python_tasks_per_second  so many tiny functions, each submitted by itself, and their results
  python_round_trip_us     one tiny function after the other; the median
  python_map_chunked       calls per second of map() with chunks of 64
  python_result_64mib      a function returns bytes that it has; the next call is made when they
                           were looked at and let go of. With _numpy it is an array of numbers
  python_cold_start_ms     from making an executor to the first result of a function of the program,
                           which workers have to import; .spawn is Python's with that start method,
                           which, as Dray, makes no copies of the application
"""

import argparse
import concurrent.futures
import multiprocessing
import statistics
import sys
import time
from functools import partial

MIB = 1024 * 1024
WARM_UP = 10  # results, until all memory that is used again has been used

values = {}


# --- What the other processes do ---

def successor(number):
    return number + 1


def get_bytes(size):
    if size not in values:
        values[size] = b'x' * size
    return values[size]


def get_array(size):
    import numpy
    if size not in values:
        values[size] = numpy.arange(size // 8, dtype=float)
    return values[size]


# --- What is measured ---

def check(condition, message):
    if not condition:
        sys.exit(f'executors.py: {message}')


def new_dray(workers):
    import dray
    return dray.ProcessPoolExecutor(workers)


def new_standard(workers):
    return concurrent.futures.ProcessPoolExecutor(workers)


def new_spawning(workers):
    return concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context('spawn'))


def warm_up(executor, workers):
    list(executor.map(successor, range(workers * 200)))


def check_sum(total, count):
    check(total == count * (count + 1) // 2, 'the results of the tasks are wrong')


def tasks(new_executor, options):
    with new_executor(options.workers) as executor:
        warm_up(executor, options.workers)
        start = time.perf_counter()
        futures = [executor.submit(successor, i) for i in range(options.count)]
        total = sum(future.result() for future in futures)
        duration = time.perf_counter() - start

    check_sum(total, options.count)
    return options.count / duration


def map_chunked(new_executor, options):
    with new_executor(options.workers) as executor:
        warm_up(executor, options.workers)
        start = time.perf_counter()
        total = sum(executor.map(successor, range(options.count), chunksize=64))
        duration = time.perf_counter() - start

    check_sum(total, options.count)
    return options.count / duration


def round_trip(new_executor, options):
    times = []
    with new_executor(1) as executor:
        warm_up(executor, 1)
        for i in range(options.count):
            start = time.perf_counter()
            number = executor.submit(successor, i).result()
            times.append(time.perf_counter() - start)
            check(number == i + 1, 'a call came back with the wrong result')

    return statistics.median(times) * 1e6


def results(function, new_executor, options):
    with new_executor(1) as executor:
        for _ in range(WARM_UP):
            executor.submit(function, options.bytes).result()
        start = time.perf_counter()
        for _ in range(options.count):
            result = executor.submit(function, options.bytes).result()
            check(memoryview(result).nbytes == options.bytes, 'a result is of another size')
            check(result[0] == result[0] and result[-1] == result[-1], 'a result is not there')
            del result
        duration = time.perf_counter() - start

    return options.bytes * options.count / 1024 ** 3 / duration


def cold_start(new_executor, options):
    # To import what they are is no part of it. Both packages do that when it is first asked for.
    if new_executor is new_dray:
        import dray as package
    else:
        package = concurrent.futures
    check(package.ProcessPoolExecutor is not None, 'there is no executor')
    start = time.perf_counter()
    executor = new_executor(1)
    check(executor.submit(successor, 1).result() == 2, 'the first result is wrong')
    duration = time.perf_counter() - start
    executor.shutdown()
    return duration * 1e3


FAMILIES = {
    'python_tasks_per_second': ('tasks/s', tasks),
    'python_round_trip_us': ('us', round_trip),
    'python_map_chunked': ('calls/s', map_chunked),
    'python_result_64mib': ('GiB/s', partial(results, get_bytes)),
    'python_result_64mib_numpy': ('GiB/s', partial(results, get_array)),
    'python_cold_start_ms': ('ms', cold_start),
}
EXECUTORS = {'dray': new_dray, 'ppe': new_standard, 'spawn': new_spawning}


def main():
    parser = argparse.ArgumentParser(description='Measures one figure of an executor, once.')
    parser.add_argument('--figure', required=True)
    parser.add_argument('--count', type=int, default=1)
    parser.add_argument('--bytes', type=int, default=MIB)
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args()

    family, _, variant = options.figure.partition('.')
    check(family in FAMILIES and variant in EXECUTORS, f'there is no figure {options.figure}')
    unit, measure = FAMILIES[family]
    print(f'{options.figure} {measure(EXECUTORS[variant], options):.6g} {unit}')


if __name__ == '__main__':
    main()
