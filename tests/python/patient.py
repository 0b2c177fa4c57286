# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program, and gives its workers a minute to end what was cancelled, and themselves.

By default they are sent SIGTERM after a second, in which they may not have had a processor. A
program may also import this, before it makes an executor.

Usage: patient.py PROGRAM [ARGUMENT...]
"""

import os
import runpy
import sys

import dray

GRACE = 60_000  # ms


class PatientExecutor(dray.ProcessPoolExecutor):

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._pool.dray.props.grace_period = GRACE


dray.ProcessPoolExecutor = PatientExecutor

if __name__ == '__main__':
    del sys.argv[0]
    sys.path[0] = os.path.dirname(sys.argv[0])
    runpy.run_path(sys.argv[0], run_name='__main__')
