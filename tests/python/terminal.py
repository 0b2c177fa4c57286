# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs in a terminal, where Ctrl+C is pressed: as people run them.

    with Terminal(sys.executable, 'program.py') as terminal:
        terminal.wait_for('ready')
        terminal.press_ctrl_c()
        status = terminal.wait()
    print(status, terminal.output, terminal.processes())

Nobody waits here for ever: after WATCHDOG seconds a program that has Python's fault handler prints
where it hangs, and the test fails.
"""

import fcntl
import os
import pathlib
import re
import select
import signal
import subprocess
import termios
import time
import uuid

WATCHDOG = 120  # s
POLL = 0.01  # s
N_POLLS = 5
CTRL_C = b'\x03'
RETURN = b'\n'
CTRL_D = b'\x04'

_MARK = 'DRAY_TEST_TERMINAL'  # in the environment of whatever the program starts
_N_SLEEPS = 'voluntary_ctxt_switches'

# Without buffers, lines of several processes would be mixed.
_ENVIRONMENT = {**os.environ, 'PYTHONFAULTHANDLER': '1', 'PYTHONUNBUFFERED': ''}


class Terminal:
    """A terminal of its own, with a program in the foreground."""

    def __init__(self, *command, environment=None, folder=None):
        self.output = ''
        self._mark = f'{_MARK}={uuid.uuid4()}'
        self._seen = 0  # how much of the output was waited for
        self._n_sleeps = None  # how often its main thread had gone to sleep before the last key
        self._fd, inner = os.openpty()
        _set_up(inner)
        name, _, value = self._mark.partition('=')
        self._process = subprocess.Popen(
            [str(word) for word in command], cwd=folder, start_new_session=True,
            stdin=inner, stdout=inner, stderr=inner, preexec_fn=_take_terminal,
            env={**_ENVIRONMENT, **(environment or {}), name: value})
        os.close(inner)
        os.set_blocking(self._fd, False)
        self._ended = os.pidfd_open(self._process.pid)
        self._sources = [self._fd, self._ended]

    @property
    def pid(self):
        return self._process.pid

    def poll(self):
        """The exit status, if it has ended."""
        return self._process.poll()

    def wait_for(self, pattern):
        """Until the output, after what was last waited for, has a match. Returns that."""
        while (found := re.compile(pattern, re.MULTILINE).search(self.output, self._seen)) is None:
            if not self._read_some():
                raise AssertionError(f'The program ended without “{pattern}”. {self._all()}')
        self._seen = found.end()
        return found

    def wait_until_blocked(self):
        """Until its main thread sleeps, and goes on sleeping. The system tells it of a key a moment
        after that was pressed: so it has to have woken up since.

        Where that is not in one of the package's functions but in one of Python's own, an interrupt
        in the moment before is heard of afterwards only.
        """
        end = time.monotonic() + WATCHDOG
        last, n_same = None, 0
        while n_same < N_POLLS:
            assert time.monotonic() < end, f'The program does not wait. {self._all()}'
            status = _status(self.pid)
            is_same = (status == last and status['State'].startswith('S')
                       and status[_N_SLEEPS] != self._n_sleeps)
            last, n_same = status, n_same + 1 if is_same else 0
            time.sleep(POLL)

    def press_ctrl_c(self):
        self._press(CTRL_C)

    def press_ctrl_d(self):
        self._press(CTRL_D)

    def press_return(self):
        self._press(RETURN)

    def wait(self):
        """Until the program ends. Returns its exit status, or minus the signal that it died of."""
        while self._read_some():
            pass
        return self._process.wait()

    def processes(self):
        """All that the program has started, directly or not, and that is still there."""
        mark = self._mark.encode()
        return {int(folder.name) for folder in pathlib.Path('/proc').glob('[0-9]*')
                if mark in _environment(folder) and int(folder.name) != self.pid}

    def close(self):
        """Ends whatever is left."""
        self._process.kill()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()
        os.close(self._fd)
        os.close(self._ended)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _press(self, key):
        self._n_sleeps = _status(self.pid)[_N_SLEEPS]
        os.write(self._fd, key)

    def _read_some(self):
        """Returns whether there may be more: not when the program has ended, whoever else it is who
        has the terminal open."""
        ready, _, _ = select.select(self._sources, [], [], WATCHDOG)
        if not ready:
            os.kill(self.pid, signal.SIGABRT)
            while self._read_some():
                pass
            raise AssertionError(f'The program hangs. {self._all()}')
        return self._read_now() or self._ended not in ready

    def _read_now(self):
        try:
            text = os.read(self._fd, 65536)
        except BlockingIOError:
            return False
        except OSError:  # nobody has it open any more
            self._sources = [self._ended]
            return False
        self.output += text.decode(errors='replace')
        return True

    def _all(self):
        return f'It printed:\n{self.output}'


def _set_up(fd):
    """What is typed is not shown, and the ends of lines stay what they are."""
    settings = termios.tcgetattr(fd)
    settings[1] &= ~termios.OPOST
    settings[3] &= ~termios.ECHO
    # Ctrl+C would else drop what was written and not yet read.
    settings[3] |= termios.ISIG | termios.ICANON | termios.NOFLSH
    settings[6][termios.VINTR] = CTRL_C
    termios.tcsetattr(fd, termios.TCSANOW, settings)


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Who runs tests in the background, or with nohup, has them ignored.
    for signum in signal.SIGINT, signal.SIGQUIT, signal.SIGHUP:
        signal.signal(signum, signal.SIG_DFL)


def _status(pid):
    """Of its main thread: what it does, and how often it went to sleep."""
    lines = pathlib.Path(f'/proc/{pid}/task/{pid}/status').read_text().splitlines()
    fields = dict(line.split(':\t', 1) for line in lines if ':\t' in line)
    return {name: fields[name] for name in ('State', _N_SLEEPS)}


def _environment(folder):
    try:
        return (folder / 'environ').read_bytes()
    except OSError:
        return b''
