#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Blocked in a call without a timeout, as pool.map() is, the application did not see Ctrl+C. All of
# the workers did: they died wherever they were, and the pool started others in their place.
"""Runs workers that never end. One Ctrl+C stops them, and each cleans up after itself."""

import argparse
import os
import pathlib
import sys
import tempfile
import time

import dray


def work(file):
    """Never ends, and is interrupted where it is. It has a file as long as it runs."""
    file.write_text(f'{os.getpid()}\n')
    try:
        print(f'{file.name} is at work.')
        while True:
            sum(range(100_000))
            time.sleep(0.01)
    finally:
        file.unlink()
        print(f'{file.name} has cleaned up.')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', help='where the workers have their files')
    parser.add_argument('workers', type=int, nargs='?', default=4)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = pathlib.Path(name)
        try:
            with dray.ProcessPoolExecutor(arguments.workers) as executor:
                files = [folder / f'worker {i + 1}' for i in range(arguments.workers)]
                for _ in executor.map(work, files):
                    pass  # it does not come to this
        except KeyboardInterrupt:
            print(f'Interrupted: {len(list(folder.iterdir()))} files are left.')
            return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
