#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Runs the programs of the tutorial, in C and in Python, and that of the page on the Python
package, as their users do.

Usage: test-tutorial.py EXAMPLES BUILT-EXAMPLES FOLDER-FOR-SCREENSHOTS

Runs on a display and a session bus of its own, and speaks TAP. Each program shows what the tutorial
says that it shows, and leaves a picture of it.
"""

import os
import pathlib
import sys
import tempfile
import traceback

from driver import Atspi, Demo, Failure, wait_for

N_FILES = 40
NOT_THERE = {("c", "test_package")}
ENDLESS = 1 << 40  # bytes, none of which is on the disk


def expect_in(cell, expected, what):
    if cell != expected:
        raise Failure(f"{what} has {cell!r} lines, not {expected!r}")


class Window(Demo):
    """A program of the tutorial. It has no actions."""

    def connect(self):
        self.window = wait_for("the window", self._find_window)
        return self

    def table(self):
        return self.find(Atspi.Role.TREE_TABLE) or self.find(Atspi.Role.TABLE)

    def read_rows(self):
        """What the list shows, once it shows something for each file."""
        if self.n_rows() == 0:
            return None
        rows = dict(zip(self.column(0), self.column(1)))
        return None if "…" in rows.values() else rows


class Suite:
    def __init__(self, programs, pictures, folder):
        self.programs = programs
        self.pictures = pictures
        self.folder = folder

    def start(self, name, language, *arguments):
        return Window(self.programs[language, name][0],
                      [*self.programs[language, name][1:], *arguments]).connect()

    def finish(self, window, name, language):
        window.screenshot(f"{self.pictures}/{name}-{language}.png")
        window.kill()

    # The programs

    def test_window(self, language):
        window = self.start("tutorial-window", language)
        window.expect_label("Hello.")
        self.finish(window, "tutorial-window", language)

    def test_call(self, language):
        file = self.folder / "file"
        file.write_text("a line\n" * 4321)
        window = self.start("tutorial-call", language, file)
        window.expect_label("4321 lines")
        self.finish(window, "tutorial-call", language)

        window = self.start("tutorial-call", language, self.folder / "none")
        window.expect_label("No such file")
        self.finish(window, "tutorial-call-failed", language)

    def test_all(self, language):
        folder = self.folder / f"files-{language}"
        folder.mkdir()
        for i in range(N_FILES):
            (folder / f"file {i}").write_text("a line\n" * i * 100)
        window = self.start("tutorial", language, folder)
        wait_for(f"{N_FILES} rows", lambda: window.n_rows() == N_FILES)
        rows = wait_for("the lines of all files", window.read_rows)
        for i in range(N_FILES):
            expect_in(rows[f"file {i}"], str(i * 100), f"file {i}")
        self.finish(window, "tutorial", language)

    def test_package(self, language):
        file = self.folder / "another file"
        file.write_text("a line\n" * 1234)
        for path, text, picture in ((file, "1234 lines", "python-window"),
                                    (self.folder / "none", "No such file", "python-window-failed")):
            window = self.start("python-window", language, path)
            window.expect_label("Nothing was counted yet.")
            window.click(window.expect(Atspi.Role.PUSH_BUTTON, "Count"))
            window.expect_label(text)
            self.finish(window, picture, language)

    def test_stop(self, language):
        folder = self.folder / f"endless-{language}"
        folder.mkdir()
        with open(folder / "endless", "wb") as file:
            file.truncate(ENDLESS)
        window = self.start("tutorial", language, folder)
        wait_for("a row", lambda: window.n_rows() == 1)
        window.click(window.expect(Atspi.Role.PUSH_BUTTON, "Stop"))
        rows = wait_for("an end", window.read_rows)
        expect_in(rows["endless"], "stopped", "endless")
        self.finish(window, "tutorial-stopped", language)


def main():
    examples, built, pictures = sys.argv[1:]
    os.makedirs(pictures, exist_ok=True)
    names = ("tutorial-window", "tutorial-call", "tutorial")
    programs = {("c", name): [f"{built}/{name}"] for name in names}
    for name in (*names, "python-window"):
        programs["python", name] = [sys.executable, f"{examples}/{name}.py"]

    failed = False
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(programs, pictures, pathlib.Path(folder))
        tests = [(f"/tutorial/{name[5:]}/{language}", getattr(suite, name), language)
                 for language in ("c", "python") for name in sorted(dir(Suite))
                 if name.startswith("test_") and (language, name) not in NOT_THERE]
        print(f"1..{len(tests)}", flush=True)
        for i, (name, test, language) in enumerate(tests, 1):
            try:
                test(language)
                print(f"ok {i} {name}", flush=True)
            except Exception:  # whatever it was, the other programs are run as well
                traceback.print_exc()
                print(f"not ok {i} {name}", flush=True)
                failed = True
                if Demo.running is not None:
                    Demo.running.kill()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
