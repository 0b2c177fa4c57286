#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A producer that died left its consumer in queue.get() for ever; polling is_alive() beside a get()
# with a timeout was slow, and lost what was still in the pipe. Here the end comes after all items.
"""Takes messages from a producer process until that ends, cleanly or not.

With --end, the producer ends in another way than well: by an exception, or by a crash.
"""

import argparse
import os
import signal
import sys

import dray


def produce(n, end):
    """In a worker process: yields messages, and ends as it was told to."""
    for number in range(n):
        yield f'message {number}'
    if end == 'error':
        raise RuntimeError('out of ideas')
    if end == 'crash':
        os.kill(os.getpid(), signal.SIGKILL)
    return 'that was all'


def consume(executor, n, end):
    """Prints what comes, and how it ended. Whatever that was, no message is lost."""
    messages = executor.submit(produce, n, end)
    received = 0
    try:
        for message in messages:
            received += 1
            print(message)
        ending = f'well: {messages.result()}'
    except dray.BrokenProcessPool as error:
        ending = f'by a crash: {error}'
    except RuntimeError as error:
        ending = f'by an error: {error}'
    print(f'The producer has ended {ending}')
    print(f'{received} of {n} messages were received.')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--end', choices=['well', 'error', 'crash'], default='well')
    parser.add_argument('messages', type=int, nargs='?', default=20)
    arguments = parser.parse_args()

    try:
        with dray.ProcessPoolExecutor(1) as executor:
            consume(executor, arguments.messages, arguments.end)
    except KeyboardInterrupt:
        print('Interrupted: the producer has been stopped.')
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
