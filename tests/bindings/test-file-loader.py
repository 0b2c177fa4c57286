#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that the file loaders in demo/vala, demo/javascript and demo/python do what they say: all
files have their rows, as soon as they are found, and show how much of them has been read; what
can't be read says why, Cancel ends a load, and no process is left.

Usage: test-file-loader.py PICTURE PROGRAM [ARGUMENT...]

Runs on a display and a session bus of its own, and speaks TAP.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import traceback
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'demo'))
from driver import Atspi, Failure, Gdk, wait_for, walk  # noqa: E402

N_FILES = 300      # more than are listed at a time
LARGE = 20 << 20   # bytes; more than are read at a time
HUGE = 4 << 30     # bytes, of zeros that take no room: of these a part is read in some seconds
PART = 1 << 30     # bytes
MANY = 50_000      # files, which are found in some seconds
NAME, SIZE, _TYPE, READING = range(4)  # columns
MARGIN = 5         # pixels of a cell, to what is drawn in it
MEMORY = '/dev/shm'  # where what was not written takes no room when it is read, either
TIMEOUT = 120
COUNTS = re.compile(r'^found=(\d+) loaded=(\d+) failed=(\d+) cancelled=(\d+)$', re.MULTILINE)


def check(condition, message):
    if not condition:
        raise Failure(message)


class Suite:
    def __init__(self, picture, program, folder):
        self.picture = pathlib.Path(picture)
        self.program = program
        self.folder = folder
        self.token = ''
        settings = folder / 'config/gtk-3.0/settings.ini'
        settings.parent.mkdir(parents=True)
        # A picture must not show a button that is still fading.
        settings.write_text('[Settings]\ngtk-enable-animations=0\n', encoding='utf-8')

    def start(self, *arguments):
        self.token = f'DRAY_FILE_LOADER={uuid.uuid4()}'
        name, _, value = self.token.partition('=')
        return subprocess.Popen(
            [*self.program, *arguments], stdout=subprocess.PIPE, encoding='utf-8',
            env={**os.environ, name: value, 'XDG_CONFIG_HOME': str(self.folder / 'config')})

    def processes(self):
        """The folders in /proc of the program and of all that it has started."""
        for folder in pathlib.Path('/proc').glob('[0-9]*'):
            try:
                if self.token.encode() in (folder / 'environ').read_bytes().split(b'\0'):
                    yield folder
            except OSError:  # it has gone meanwhile, or is a zombie
                pass

    def has_processes(self):
        return any(self.processes())

    def positions(self, file):
        """Who has a file or a folder open, and how far each of them has come."""
        for folder in self.processes():
            try:
                for link in (folder / 'fd').iterdir():
                    if os.readlink(link) == str(file):
                        about = (folder / 'fdinfo' / link.name).read_text()
                        yield int(folder.name), int(about.split()[1])
            except OSError:  # it has gone meanwhile, or has closed it
                pass

    def find_reader(self, file):
        """Who has read a part of a file, if anybody has so far."""
        return next((pid for pid, position in self.positions(file) if position >= PART), None)

    def find_lister(self, process, folder, seen):
        """Who lists a folder, once it was seen at two places in it, whatever their numbers: what it
        had read at the first one it has sent then.
        """
        check(process.poll() is None, 'the program has ended')
        for pid, position in self.positions(folder):
            seen.add(position)
            if len(seen - {0}) > 1:
                return pid
        return None

    def end(self, process):
        """What the program printed; and it has left nothing."""
        output, _ = process.communicate(timeout=TIMEOUT)
        check(process.returncode == 0, f'the exit status is {process.returncode}')
        wait_for('the end of all workers', lambda: not self.has_processes())
        return output

    def counts(self, output):
        match = COUNTS.search(output)
        check(match is not None, f'it said {output!r}')
        return tuple(int(number) for number in match.groups())

    def find(self, process, *roles):
        """All nodes of the program that have one of these roles."""
        check(process.poll() is None, 'the program has ended')
        desktop = Atspi.get_desktop(0)
        for i in range(desktop.get_child_count()):
            application = desktop.get_child_at_index(i)
            if application is None or application.get_process_id() != process.pid:
                continue
            for node in walk(application):
                if node.get_role() in roles:
                    yield node

    def press(self, process, name):
        """Presses a button, as soon as it can be pressed."""
        def find():
            for node in self.find(process, Atspi.Role.PUSH_BUTTON):
                if node.get_name() == name \
                        and node.get_state_set().contains(Atspi.StateType.SENSITIVE):
                    return node
            return None
        Atspi.Action.do_action(wait_for(name, find), 0)

    def table(self, process):
        roles = Atspi.Role.TABLE, Atspi.Role.TREE_TABLE
        return wait_for('the list', lambda: next(self.find(process, *roles), None))

    def is_partly_read(self, table, row):
        """Whether the bar in a row has begun and does not reach its end: nothing but its look
        tells.
        """
        if Atspi.Table.get_accessible_at(table, row, SIZE).get_name():
            return False
        cell = Atspi.Table.get_accessible_at(table, row, READING)
        area = Atspi.Component.get_extents(cell, Atspi.CoordType.SCREEN)
        Gdk.Display.get_default().sync()
        picture = Gdk.pixbuf_get_from_window(Gdk.get_default_root_window(),
                                             area.x, area.y + area.height // 2, area.width, 1)
        pixels, size = picture.get_pixels(), picture.get_n_channels()
        left, right = MARGIN * size, (area.width - MARGIN) * size
        return pixels[left:left + size] != pixels[right:right + size]

    def make_endless(self, name):
        """A folder with a file that is never read to its end."""
        folder = self.folder / name
        folder.mkdir()
        os.mkfifo(folder / 'endless')
        for i in range(20):
            (folder / f'file {i}').write_bytes(b'x')
        return folder

    # Tests

    def test_load(self):
        """Each file has its row, and a picture can be taken of it."""
        folder = self.folder / 'files'
        (folder / 'inner folder').mkdir(parents=True)
        for i in range(N_FILES - 2):
            (folder / f'file {i}.txt').write_text(f'file {i}\n', encoding='utf-8')
        (folder / 'large').write_bytes(bytes(LARGE))
        (folder / 'broken link').symlink_to('nowhere')
        self.picture.parent.mkdir(exist_ok=True)
        self.picture.unlink(missing_ok=True)
        process = self.start('--exit-when-done', f'--screenshot={self.picture}', folder)
        counts = self.counts(self.end(process))
        check(counts == (N_FILES, N_FILES - 1, 1, 0), f'the counts are {counts}')
        check(self.picture.read_bytes().startswith(b'\x89PNG'), 'there is no picture')

    def test_cancel(self):
        """Cancel ends a load that would never end, with what was loaded until then."""
        process = self.start('--exit-when-done', self.make_endless('cancelled'))
        self.press(process, 'Cancel')
        found, loaded, failed, cancelled = self.counts(self.end(process))
        check(failed == 0, f'{failed} failed')
        check(found == loaded + cancelled, 'the sum is wrong')
        check(loaded < 21, 'what has no end was loaded')

    def test_progress(self):
        """How much has been read of a large file is shown while it is being read."""
        folder = self.folder / 'progress'
        folder.mkdir()
        huge = folder / 'huge'
        with open(huge, 'wb') as file:
            file.truncate(HUGE)
        process = self.start('--exit-when-done', folder)
        reader = wait_for('a part to be read', lambda: self.find_reader(huge))
        os.kill(reader, signal.SIGSTOP)  # so that there is time to look
        table = self.table(process)
        wait_for('the row', lambda: Atspi.Table.get_n_rows(table) == 1)
        for _ in range(2):  # not only while something else is being drawn
            wait_for('the bar', lambda: self.is_partly_read(table, 0))
        self.press(process, 'Cancel')  # which ends one that is stopped, too
        counts = self.counts(self.end(process))
        check(counts == (1, 0, 0, 1), f'the counts are {counts}')

    def test_rows_come_while_others_are_looked_for(self):
        """The first files have their rows before the last ones are found."""
        folder = self.folder / 'many'
        folder.mkdir()
        for i in range(MANY):
            os.mknod(folder / str(i))
        process = self.start('--exit-when-done', folder)
        seen = set()
        lister = wait_for('a part of the list', lambda: self.find_lister(process, folder, seen))
        os.kill(lister, signal.SIGSTOP)  # so that there is time to look
        table = self.table(process)
        n_rows = wait_for('rows', lambda: Atspi.Table.get_n_rows(table))
        check(n_rows < MANY, 'all rows came at once')
        self.press(process, 'Cancel')
        with contextlib.suppress(ProcessLookupError):  # it may have been ended
            os.kill(lister, signal.SIGCONT)
        found, loaded, failed, cancelled = self.counts(self.end(process))
        check(failed == 0, f'{failed} failed')
        check(found == loaded + cancelled, 'the sum is wrong')

    def test_close(self):
        """When the window is closed amid a load, all ends with it."""
        process = self.start(self.make_endless('closed'))
        self.press(process, 'Close')
        self.end(process)

    def test_missing(self):
        """A folder that is not there has no files, and nothing hangs."""
        process = self.start('--exit-when-done', self.folder / 'missing')
        counts = self.counts(self.end(process))
        check(counts == (0, 0, 0, 0), f'the counts are {counts}')


def main():
    picture, *program = sys.argv[1:]
    names = [name for name in dir(Suite) if name.startswith('test_')]
    print(f'1..{len(names)}')
    good = True
    with tempfile.TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None) as folder:
        suite = Suite(picture, program, pathlib.Path(folder))
        for number, name in enumerate(names, 1):
            try:
                getattr(suite, name)()
                print(f'ok {number} - {name}', flush=True)
            except Exception:  # pylint: disable=broad-except
                good = False
                for line in traceback.format_exc().splitlines():
                    print(f'# {line}')
                print(f'not ok {number} - {name}', flush=True)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
