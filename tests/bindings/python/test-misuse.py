#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that a program which uses the library wrongly is told so, and lives on.

Other languages let their users do what the compiler of C would not: make an object of whatever
type, say, or finish one function with the result of another.
"""

import os
import pathlib
import subprocess
import sys

from support import WATCHDOG, TestCase, main

MISUSE = str(pathlib.Path(__file__).with_name('misuse.py'))
REFUSED = {
    'future_cancel', 'future_all', 'map_cancel', 'job_get_cancellable', 'group_add',
    'completion_queue_add', 'executor_call', 'executor_call_async', 'executor_map',
    'executor_map_values', 'executor_map_model', 'executor_submit_finish', 'executor_run_finish',
    'executor_shutdown_finish', 'completion_queue_next_many_finish', 'map_next_many_finish',
    'map_for_each_finish',
}


class Misuse(TestCase):
    def test_refused(self):
        """Objects that only the library makes, functions without a name, results of others."""
        environment = {name: value for name, value in os.environ.items() if name != 'G_DEBUG'}
        process = subprocess.run([sys.executable, MISUSE], env=environment, check=False,
                                 capture_output=True, encoding='utf-8', timeout=WATCHDOG)
        self.assertEqual((process.returncode, process.stdout), (0, 'still here\n'), process.stderr)
        self.assertEqual(
            {name for name in REFUSED if f'dray_{name}: assertion' not in process.stderr}, set())


if __name__ == '__main__':
    main(__name__)
