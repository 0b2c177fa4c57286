#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
import hashlib
import sys
from pathlib import Path

import dray


def checksum(path):  # runs in a worker process
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


if __name__ == '__main__':
    with dray.ProcessPoolExecutor() as executor:
        calls = {executor.submit(checksum, path): path for path in sys.argv[1:]}
        for call in dray.as_completed(calls):
            print(f'{call.exception() or call.result()}  {calls[call]}')
