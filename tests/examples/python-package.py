#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the package dray can do, bit by bit. Each function prints what it shows."""

import os
import queue

import dray

WORDS = ['apple', 'fig', 'pear']


# --- What workers do ---

def load_dictionary(words):
    """Once in each worker."""
    global numbers
    numbers = {word: i for i, word in enumerate(words)}


def look_up(word):
    return numbers[word]


def measure_all(words):
    for i, word in enumerate(words):
        dray.set_progress(i / len(words), word)
        len(word)
    dray.set_progress(1, 'done')


def fail_at_first():
    attempt = dray.current_job().get_attempt()
    if attempt == 1:
        os.abort()
    return attempt


def read_lines(path):
    with open(path, encoding='utf-8') as file:
        for line in file:
            yield line.rstrip('\n')


# --- What the application does ---

def prepare_workers():
    with dray.ProcessPoolExecutor(2, initializer=load_dictionary, initargs=(WORDS,)) as executor:
        print('prepare:', *executor.map(look_up, WORDS))


def try_again(executor):
    print('again:', executor.options(retries=2).submit(fail_at_first).result())


def hurry(executor):
    urgent = executor.options(priority=-10, timeout=60)
    print('hurry:', *urgent.map(len, WORDS))


def follow(executor):
    reports = queue.SimpleQueue()
    followed = executor.options(on_progress=lambda *report: reports.put(report))
    followed.submit(measure_all, WORDS)
    for fraction, text in iter(reports.get, (1, 'done')):
        assert fraction < 1 and text in WORDS
    print('follow:', 'done')


def read_the_beginning(executor):
    lines = executor.submit(read_lines, __file__)
    for number, line in enumerate(lines, 1):
        print('read:', line)
        if number == 2:
            break
    lines.close()


def tell_apart(executor):
    futures = [executor.submit(look_up, 'plum'), executor.submit(os.abort)]
    for future in futures:
        error = future.exception()
        print('error:', type(error).__name__)


def main():
    prepare_workers()
    with dray.ProcessPoolExecutor() as executor:
        try_again(executor)
        hurry(executor)
        follow(executor)
        read_the_beginning(executor)
        tell_apart(executor)


if __name__ == '__main__':
    main()
