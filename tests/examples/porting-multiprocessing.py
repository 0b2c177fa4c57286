#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same programs over multiprocessing and over dray.

Each function prints what it has got, once the old way and once the new one. The old ways are right,
or nearly so, as long as what they are given is small.
"""

import concurrent.futures
import hashlib
import multiprocessing

import dray

SMALL = 1000
LARGE = 50_000_000


def checksum(number):
    return hashlib.sha256(b'%d' % number).hexdigest()[:4]


# --- A process and its result ---

def load_into(queue, size):
    queue.put(bytes(size))


def old_load(size):
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=load_into, args=(queue, size))
    process.start()
    process.join()  # for ever, if the result is larger than a pipe holds
    print('load, before:', len(queue.get()))


def load(size):
    return bytes(size)


def new_load(size):
    with dray.ProcessPoolExecutor() as executor:
        future = executor.submit(load, size)
        print('load, after:', len(future.result()))


# --- A pool ---

def old_pool(n):
    with multiprocessing.Pool() as pool:
        print('pool, before:', *sorted(pool.imap_unordered(checksum, range(n))))


def new_pool(n):
    with dray.ProcessPoolExecutor() as executor:
        futures = [executor.submit(checksum, i) for i in range(n)]
        done = concurrent.futures.as_completed(futures)
        print('pool, after:', *sorted(future.result() for future in done))


# --- A producer and a consumer ---

def produce_into(queue, n):
    for i in range(n):
        queue.put(i * i)
    queue.put(None)  # the end


def old_stream(n):
    queue = multiprocessing.Queue(maxsize=10)
    process = multiprocessing.Process(target=produce_into, args=(queue, n))
    process.start()
    print('stream, before:', *iter(queue.get, None))  # for ever, if the producer dies
    process.join()


def produce(n):
    for i in range(n):
        yield i * i


def new_stream(n):
    with dray.ProcessPoolExecutor() as executor:
        print('stream, after:', *executor.submit(produce, n))


# --- Work that is stopped ---

def work_until(stop):
    while not stop.is_set():
        pass


def old_stop():
    stop = multiprocessing.Event()
    process = multiprocessing.Process(target=work_until, args=(stop,))
    process.start()
    stop.set()
    process.join()
    print('stop, before:', process.exitcode == 0)


def work():
    while True:
        pass


def new_stop():
    with dray.ProcessPoolExecutor() as executor:
        future = executor.submit(work)
        print('stop, after:', future.cancel())


def main():
    old_load(SMALL)
    old_pool(3)
    old_stream(5)
    old_stop()
    new_load(LARGE)
    new_pool(3)
    new_stream(5)
    new_stop()


if __name__ == '__main__':
    main()
