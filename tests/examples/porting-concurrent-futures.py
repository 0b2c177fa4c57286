#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same program over concurrent.futures and over dray, and what only the latter can do.

Each function at the bottom prints what it shows.
"""

import asyncio
import concurrent.futures
import os
import pathlib
import tempfile
import threading
import time

import dray
from gi.repository import GLib

TEXTS = ['one', 'three', 'eleven']


# --- What workers do ---

def measure(text):
    return len(text)


def crash():
    os.abort()


def wait_for_ever(path):
    try:
        path.touch()
        while True:
            time.sleep(0.1)
    finally:
        path.unlink(missing_ok=True)  # whatever ends it


def count_down(n):
    for i in range(n, 0, -1):
        yield i
    return 'lift-off'


# --- What the application does ---

def old_way():
    with concurrent.futures.ProcessPoolExecutor() as executor:
        futures = [executor.submit(measure, text) for text in TEXTS]
        done = concurrent.futures.as_completed(futures)
        print('before:', sorted(future.result() for future in done))


def new_way():
    with dray.ProcessPoolExecutor() as executor:
        futures = [executor.submit(measure, text) for text in TEXTS]
        done = concurrent.futures.as_completed(futures)
        print('after:', sorted(future.result() for future in done))


def survive(executor):
    crashing = executor.submit(crash)
    measuring = executor.submit(measure, 'seven')
    try:
        crashing.result()
    except dray.BrokenProcessPool:
        print('crash: one call is lost')
    print('crash: the other says', measuring.result())


def stop(executor, path):
    future = executor.submit(wait_for_ever, path)
    while not future.running():
        time.sleep(0.01)
    print('stop:', future.cancel())


def limit_time(executor, path):
    future = executor.options(timeout=0.5).submit(wait_for_ever, path)
    try:
        future.result()
    except TimeoutError:
        print('limit: it took too long')


def iterate(executor):
    stream = executor.submit(count_down, 3)
    for number in stream:
        print('iterate:', number)
    print('iterate:', stream.result())


async def await_all(executor):
    print('await:', await asyncio.gather(*(executor.submit(measure, text) for text in TEXTS)))
    async for number in executor.submit(count_down, 2):
        print('await:', number)


def call_back(executor):
    loop = GLib.MainLoop()

    def on_clicked():
        executor.submit(measure, 'three').add_done_callback(show_result)

    def show_result(future):
        in_main_thread = threading.current_thread() is threading.main_thread()
        print('call back:', future.result(), in_main_thread)
        loop.quit()

    GLib.idle_add(on_clicked)  # a button would do
    loop.run()


def main():
    old_way()
    new_way()
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, name) for name in ('stopped', 'limited')]
        with dray.ProcessPoolExecutor() as executor:
            survive(executor)
            stop(executor, paths[0])
            limit_time(executor, paths[1])
            iterate(executor)
            asyncio.run(await_all(executor))
            call_back(executor)
        print('cleaned up:', not any(path.exists() for path in paths))


if __name__ == '__main__':
    main()
