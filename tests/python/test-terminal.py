# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that what tests think of as a terminal is one, and that it sees who is left behind."""

import os
import signal
import sys
import unittest

from terminal import Terminal

HEARS_LATE = '''
import signal, time
signal.signal(signal.SIGINT, lambda *_: print('heard', flush=True))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print('ready', flush=True)
time.sleep(0.5)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
time.sleep(3600)
'''


def start(code):
    return Terminal(sys.executable, '-c', code)


class TestTerminal(unittest.TestCase):

    def test_output_and_status(self):
        with start('print("a"); print("b", file=__import__("sys").stderr); exit(3)') as terminal:
            self.assertEqual(terminal.wait(), 3)
            self.assertEqual(terminal.output, 'a\nb\n')

    def test_large_output_before_the_end(self):
        with start('print("x" * 1_000_000)') as terminal:
            self.assertEqual(terminal.wait(), 0)
            self.assertEqual(len(terminal.output), 1_000_001)

    def test_ctrl_c(self):
        with start('print("ready", flush=True); import signal; signal.pause()') as terminal:
            terminal.wait_for('^ready$')
            terminal.wait_until_blocked()
            terminal.press_ctrl_c()
            self.assertEqual(terminal.wait(), -signal.SIGINT)
            self.assertIn('KeyboardInterrupt', terminal.output)

    def test_key_that_is_heard_of_late(self):
        """It is waited for, though its program sleeps soundly until then."""
        with start(HEARS_LATE) as terminal:
            terminal.wait_for('^ready$')
            terminal.wait_until_blocked()
            terminal.press_ctrl_c()
            terminal.wait_until_blocked()
            os.kill(terminal.pid, signal.SIGKILL)
            terminal.wait()
            self.assertEqual(terminal.output, 'ready\nheard\n')

    def test_what_is_left_behind(self):
        sleeper = '__import__("subprocess").Popen(["sleep", "1000"], start_new_session=True)'
        with start(sleeper) as terminal:
            self.assertEqual(terminal.wait(), 0)
            while not (left := terminal.processes()):
                pass  # it is just becoming sleep, and has no environment
            self.assertEqual(len(left), 1)

    def test_end_before_the_line(self):
        with start('print("other")') as terminal:
            with self.assertRaisesRegex(AssertionError, 'other'):
                terminal.wait_for('^ready$')
