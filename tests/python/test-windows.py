# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that the windows of demo/python live while processes work for them, and show the results.

They are driven as their users do, on a display and a session bus of their own, and run in a
terminal. Each test leaves a picture of the display in $SCREENSHOTS.
"""

import contextlib
import os
import pathlib
import signal
import sys
import unittest

from terminal import Terminal

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / 'demo'))
from driver import Atspi, Demo, Gdk, GLib, iterate, wait_for  # noqa: E402

TESTS = pathlib.Path(__file__).resolve().parent
PROGRAMS = TESTS.parents[1] / 'demo/python'
N_TICKS = 4
INK = b'\x00\x13\x77'  # what both pictures are drawn in
SIZE = 500_000_000  # bytes


def available_memory():
    """In bytes."""
    lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('MemAvailable:')) * 1024


class Window(Demo):
    """A program in a terminal. It has no actions."""

    def __init__(self, program, language='C'):
        Demo.running = self
        self.terminal = Terminal(sys.executable, program, environment={'LANGUAGE': language})
        self.process = self.terminal
        self.listener = Atspi.EventListener.new(self.on_name)
        self.seen = None
        # That anything in it was given since the last click, and that were not waited for.
        self.names = []
        self.listener.register('object:property-change:accessible-name')

    def connect(self):
        self.window = wait_for('the window', self._find_window)
        return self

    def on_name(self, event):
        try:
            if event.source.get_process_id() == self.terminal.pid:
                self.names.append(event.any_data)
        except GLib.Error:  # another window, which has gone
            pass

    def click_button(self, name):
        button = self.expect(Atspi.Role.PUSH_BUTTON, name)
        iterate()
        self.names.clear()
        self.click(button)

    def expect_name(self, part):
        """A text that comes after what was last waited for, however short it is there."""
        def look():
            while self.names:
                if part in self.names.pop(0):
                    return True
            return False

        wait_for(f'a text with “{part}”', look)

    def expect_ticks(self, n):
        """The label changes while the load is at work: the main loop goes on."""
        for _ in range(n):
            self.expect_name('At work for')

    def pixels(self):
        Gdk.Display.get_default().sync()
        root = Gdk.get_default_root_window()
        size = root.get_width(), root.get_height()
        return Gdk.pixbuf_get_from_window(root, 0, 0, *size).get_pixels()

    def count_ink(self):
        """How many pixels there are of what the pictures are drawn in."""
        return self.pixels().count(INK)

    def is_still(self):
        """Whether it looks as it did when this was asked last."""
        seen, self.seen = self.seen, self.pixels()
        return seen == self.seen

    def finish(self):
        Demo.running = None
        return self.terminal.wait()

    def close(self):
        Demo.running = None
        self.listener.deregister('object:property-change:accessible-name')
        self.terminal.close()


class WindowCase(unittest.TestCase):

    program = None

    def start(self, **options):
        window = Window(self.program, **options)
        self.addCleanup(window.close)
        return window.connect()

    def leave_picture(self, window):
        folder = pathlib.Path(os.environ['SCREENSHOTS'])
        folder.mkdir(exist_ok=True)
        window.screenshot(str(folder / f'{self.id().split(".", 1)[1]}.png'))

    def expect_end(self, window, status):
        self.assertEqual(window.finish(), status, window.terminal.output)
        self.assertEqual(window.terminal.output, '')
        self.assertEqual(window.terminal.processes(), set())

    def close(self, window):
        window.click_button('Close')
        self.expect_end(window, 0)

    def start_load(self, n_ticks=1):
        """Returns a window that has had a process at work for it."""
        window = self.start()
        window.click_button('Start')
        window.expect_ticks(n_ticks)
        wait_for('a process', window.terminal.processes)
        return window

    def expect_result(self, window, size):
        window.expect_label(f'The result: {size}')
        self.assertIsNotNone(window.find(Atspi.Role.PUSH_BUTTON, 'Start'))
        wait_for('the picture', lambda: window.count_ink() > 20_000)
        self.leave_picture(window)


class TestHeavyLoad(WindowCase):

    program = PROGRAMS / 'heavy_load.py'

    def test_result(self):
        window = self.start_load()
        self.expect_result(window, '921.6\N{NO-BREAK SPACE}kB')
        self.close(window)

    def test_ctrl_c_while_at_work(self):
        """Of this program itself, whose worker is held up, or it would be done by then."""
        window = self.start()
        self.hold_up_worker(window)
        window.click_button('Start')
        window.expect_ticks(N_TICKS)
        window.terminal.press_ctrl_c()
        self.expect_end(window, 130)

    def hold_up_worker(self, window):
        """Which has done its work. If it has been idle for so long that it is gone, there will be
        another one."""
        n_held = 0
        while n_held == 0:
            window.click_button('Start')
            window.expect_ticks(1)
            window.expect_label('The result')
            for pid in window.terminal.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    n_held += 1

    def test_ctrl_c_while_idle(self):
        window = self.start()
        window.terminal.press_ctrl_c()
        self.expect_end(window, 130)


class TestEndlessLoad(WindowCase):

    program = TESTS / 'endless_load.py'

    def test_cancel_and_start_again(self):
        window = self.start_load(N_TICKS)
        window.click_button('Cancel')
        window.expect_label('Cancelled')
        wait_for('what it says to be drawn', window.is_still)
        self.leave_picture(window)
        window.click_button('Start')
        window.expect_ticks(N_TICKS)
        self.assertLess(window.count_ink(), 1000)
        self.close(window)

    def test_ctrl_c_while_at_work(self):
        window = self.start_load(N_TICKS)
        window.terminal.press_ctrl_c()
        self.expect_end(window, 130)

    def test_other_language(self):
        window = self.start(language='de')
        window.click_button('Starten')
        window.expect_label('bei der Arbeit')
        self.leave_picture(window)
        window.terminal.press_ctrl_c()
        self.expect_end(window, 130)


@unittest.skipIf(available_memory() < 4 * SIZE, 'there is too little memory')
class TestHugeResult(WindowCase):

    program = PROGRAMS / 'huge_result.py'

    def test_result_twice(self):
        window = self.start_load()
        self.expect_result(window, '500.0\N{NO-BREAK SPACE}MB')
        window.click_button('Start')
        window.expect_ticks(1)
        self.expect_result(window, '500.0\N{NO-BREAK SPACE}MB')
        self.close(window)

    def test_ctrl_c_while_at_work(self):
        window = self.start_load()
        window.terminal.press_ctrl_c()
        self.expect_end(window, 130)
