#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Tests the demo from outside, as its users see it.

Usage: test-demo.py PROGRAM FOLDER-FOR-SCREENSHOTS [NAME...]

Runs on a display and a session bus of its own, and speaks TAP. Each test leaves a picture of the
display, taken at its end, be it good or bad.
"""

import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import traceback

import samples
from driver import Atspi, Demo, Gdk, GLib, Failure, wait_for, walk, is_showing

N_MANY = 8000
N_LARGE = 24

NAME, FOLDER, TYPE, SIZE, CONTENTS = range(5)

# GIO keeps what it knows of file types until the end of a program that asked it for some, which the
# demo does only where it reads in its main thread. A leak checker would complain.
MAIN_THREAD = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(actual, expected, what):
    check(actual == expected, f"{what} is {actual!r}, not {expected!r}")


class Suite:
    def __init__(self, program, screenshots, folder):
        self.program = program
        self.screenshots = screenshots
        self.folder = folder
        self.mixed = samples.make_mixed(f"{folder}/mixed")
        self.many = None
        self.demo = None

    # Helpers

    def start(self, *arguments, **environment):
        environment["XDG_STATE_HOME"] = f"{self.folder}/state"
        self.demo = Demo(self.program, arguments, environment).connect()
        return self.demo

    def start_mixed(self, **environment):
        """With the mixed folder loaded to its end."""
        demo = self.start(self.mixed, **environment)
        self.wait_until_read()
        self.wait_for_rows(len(samples.MIXED))
        return demo

    def get_many(self):
        """A folder that takes a moment."""
        if self.many is None:
            self.many = samples.make_many(f"{self.folder}/many", N_MANY, N_LARGE)
        return self.many

    def start_many(self):
        return self.start(self.get_many())

    def wait_for_rows(self, n_rows):
        wait_for(f"{n_rows} rows", lambda: self.demo.n_rows() == n_rows)

    def wait_until_read(self):
        wait_for("the end", lambda: any("read in" in text for text in self.demo.labels()))

    def count(self):
        """What the status bar says: files read, files found."""
        for text in self.demo.labels():
            match = re.fullmatch(r"(\d+) of (\d+) files?", text)
            if match:
                return int(match[1]), int(match[2])
            match = re.fullmatch(r"(\d+) files?", text)
            if match:
                return int(match[1]), int(match[1])
        return None

    def count_if_all_found(self):
        n_read, n_found = self.count()
        return (n_read, n_found) if n_found == N_MANY else None

    def worker_pids(self):
        labels = self.demo.labels()
        return [int(text.split()[1]) for text in labels if re.fullmatch(r"Worker \d+", text)]

    def header(self, title):
        table = self.demo.table()
        for column in range(5):
            header = Atspi.Table.get_column_header(table, column)
            if header is not None and header.get_name() == title:
                return header
        raise Failure(f"there is no column “{title}”")

    def is_sorted_by_size(self):
        """Files that could not be read have none, and come first."""
        sizes = [int((text or "0").split()[0]) for text in self.demo.column(SIZE)]
        return sizes == sorted(sizes)

    def has_focus(self, name):
        node = self.demo.find(None, name)
        if name == "Search":
            node = self.find_entry()
        return node is not None and node.get_state_set().contains(Atspi.StateType.FOCUSED)

    def find_entry(self):
        for node in walk(self.demo.window):
            if node.get_name() == "Search" and "EditableText" in node.get_interfaces():
                return node
        return None

    def entry_text(self):
        return Atspi.Text.get_text(self.find_entry(), 0, -1)

    def search_for(self, text):
        entry = wait_for("the search entry", self.find_entry)
        check(Atspi.EditableText.set_text_contents(entry, text), "the entry takes no text")

    def run(self, *arguments, **environment):
        """Runs the program to its end: exit status, standard output, standard error."""
        process = subprocess.run(
            [self.program, *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return process.returncode, process.stdout, process.stderr

    @staticmethod
    def parse(summary):
        """The numbers of an unattended run's summary."""
        return {
            match[1].strip(): float(match[2])
            for match in re.finditer(r"^(.*?)  +([\d.]+)$", summary, re.MULTILINE)
        }

    def run_unattended(self, *arguments, **environment):
        picture = f"{self.screenshots}/window.png"
        status, output, errors = self.run(
            "--unattended", "--screenshot", picture, *arguments, **environment
        )
        print("".join(f"# {line}\n" for line in output.splitlines()), end="")
        return status, self.parse(output), errors, picture

    # Tests

    def test_empty(self):
        """Without a folder the window invites to open one, and nothing can be paused."""
        demo = self.start()
        demo.expect_label("Read a folder")
        demo.expect(Atspi.Role.PUSH_BUTTON, "Open Folder…")
        check(not demo.is_enabled("pause"), "pause is enabled")
        check(not demo.is_enabled("reload"), "reload is enabled")
        check(demo.is_enabled("open"), "open is not enabled")

    def test_load(self):
        """Each file of a mixed folder has a row that says what is in it, or why it failed."""
        demo = self.start_mixed()
        rows = {demo.cell(row, NAME): row for row in range(demo.n_rows())}
        equal(set(rows), set(samples.MIXED), "the set of names")
        for name, (size, contents) in samples.MIXED.items():
            equal(demo.cell(rows[name], CONTENTS), contents, f"what is said of {name}")
            if size is not None:
                equal(demo.cell(rows[name], SIZE), size, f"the size of {name}")
        equal(demo.cell(rows["inner.txt"], FOLDER), "inner", "the folder of inner.txt")
        demo.expect_label(f"{len(samples.MIXED)} files")
        demo.expect_label(f"{len(samples.FAILED)} failed")

    def test_details(self):
        """The file that is selected is shown with its sum, and its first lines or its problem."""
        demo = self.start_mixed()
        with open(f"{self.mixed}/ascii.txt", "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()

        demo.select(demo.row_of("ascii.txt"))
        demo.expect_label(digest)
        demo.expect_label("text/plain")
        text = demo.expect(Atspi.Role.TEXT, "Beginning of the file")
        wait_for("the lines", lambda: Atspi.Text.get_text(text, 0, -1).startswith("one two\n"))

        demo.select(demo.row_of("archive.tar.gz"))
        wait_for("the entries", lambda: Atspi.Text.get_text(text, 0, -1) == "a\nb\nc\n")

        demo.select(demo.row_of("picture.png"))
        demo.expect_label("40 × 30")
        wait_for("the picture", lambda: demo.find(None, "Picture"))

        demo.select(demo.row_of("dangling"))
        demo.expect_label("This file could not be read")
        demo.expect_label("“nowhere”")

    def test_search(self):
        """Searching leaves the files whose name or folder matches, regardless of case."""
        demo = self.start_mixed()
        demo.set("search", True)
        self.search_for("INNER")
        self.wait_for_rows(2)
        equal(sorted(demo.column(NAME)), ["inner.txt", "link.txt"], "what matches")
        self.search_for("no such thing")
        demo.expect_label("No file matches “no such thing”")
        demo.activate("escape")
        self.wait_for_rows(len(samples.MIXED))
        wait_for("an end of the search", lambda: not demo.is_set("search"))

    def test_sort(self):
        """A click on a column sorts by it, another one the other way, a third one not at all."""
        demo = self.start_mixed()
        before = demo.column(NAME)
        by_name = sorted(samples.MIXED)

        demo.click(self.header("Name"))
        wait_for("rows by name", lambda: demo.column(NAME)[0] == "archive.tar.gz")
        equal(set(demo.column(NAME)), set(by_name), "what is shown")
        first = demo.column(NAME)
        demo.click(self.header("Name"))
        wait_for("rows the other way", lambda: demo.column(NAME) == first[::-1])
        demo.click(self.header("Name"))
        wait_for("rows as they came", lambda: demo.column(NAME) == before)

        demo.click(self.header("Size"))
        wait_for("the smallest first", lambda: self.is_sorted_by_size())

    def test_pause(self):
        """A load that is paused comes to rest, and goes on to its end."""
        demo = self.start_many()
        wait_for("a load", lambda: demo.is_enabled("pause"))
        demo.set("pause", True)
        demo.expect_label("Paused")
        wait_for("idle workers", lambda: demo.labels().count("Reading") == 0)
        # The listing goes on, and what was found has its row.
        self.wait_for_rows(N_MANY)
        n_read, n_found = wait_for("all to be found", self.count_if_all_found)
        check(n_read < N_MANY, "all was read before it could be paused")
        demo.screenshot(f"{self.screenshots}/paused.png")

        demo.set("pause", False)
        self.wait_until_read()
        equal(self.count(), (N_MANY, N_MANY), "what was read and found")
        self.wait_for_rows(N_MANY)
        check(n_found <= N_MANY, "more was found than there is")

    def test_pending(self):
        """A file that is selected before it was read is shown as soon as it is, whatever its place.
        """
        demo = self.start_many()
        wait_for("a load", lambda: demo.is_enabled("pause"))
        demo.set("pause", True)
        self.wait_for_rows(N_MANY)
        last = N_MANY - 1
        demo.select(last)
        name = demo.expect_label(".txt")
        equal(demo.cell(last, NAME), name, "the name in the last row")
        equal(demo.cell(last, CONTENTS) or "", "", "what is said of it")
        demo.screenshot(f"{self.screenshots}/pending.png")
        demo.set("pause", False)
        demo.expect_label("text/plain")
        self.wait_until_read()

    def test_cancel(self):
        """A load that is stopped keeps what it has, and the folder can be read again."""
        demo = self.start_many()
        wait_for("a load", lambda: demo.is_enabled("cancel"))
        demo.activate("cancel")
        demo.expect_label("Stopped")
        wait_for("nothing to pause", lambda: not demo.is_enabled("pause"))
        if demo.n_rows() > 0:
            demo.select(demo.n_rows() - 1)
            demo.expect_label("had its turn")
            demo.screenshot(f"{self.screenshots}/stopped.png")
        demo.activate("reload")
        self.wait_until_read()
        self.wait_for_rows(N_MANY)

    def test_kill(self):
        """The file that a killed worker was reading says so; nothing else is lost."""
        demo = self.start_many()
        pid = wait_for("a worker", self.worker_pids)[0]
        # Stopped, it keeps its file until it is killed.
        os.kill(pid, signal.SIGSTOP)
        button = demo.expect(Atspi.Role.PUSH_BUTTON, f"Kill worker {pid}")
        demo.click(button)
        self.wait_until_read()
        self.wait_for_rows(N_MANY)
        demo.expect_label(" 1 died")
        failed = [text for text in demo.labels() if text.endswith(" failed")]
        check(failed in ([], ["1 failed"]), f"the status bar says {failed}")
        if failed:
            # What has no type comes last.
            demo.click(self.header("Type"))
            wait_for(
                "it in the last row",
                lambda: demo.cell(N_MANY - 1, CONTENTS) == "The worker died",
            )
            demo.select(N_MANY - 1)
            demo.expect_label("This file could not be read")

    def test_main_thread(self):
        """The same folder, loaded in the main thread, gives the same rows."""
        demo = self.start_mixed(**MAIN_THREAD)
        before = sorted(demo.column(CONTENTS))
        demo.set("main-thread", True)
        wait_for("a second load", lambda: not demo.is_enabled("pause"))
        self.wait_for_rows(len(samples.MIXED))
        wait_for("the same rows", lambda: sorted(demo.column(CONTENTS)) == before)
        demo.set("main-thread", False)
        self.wait_until_read()
        wait_for("the same rows", lambda: sorted(demo.column(CONTENTS)) == before)

    def test_keys(self):
        """Keys do what the shortcuts window says."""
        demo = self.start_many()
        wait_for("a load", lambda: demo.is_enabled("pause"))
        wait_for("the focus", lambda: self.has_focus("Files"))
        demo.press(Gdk.KEY_space)
        wait_for("a pause by space", lambda: demo.is_set("pause"))
        demo.press(Gdk.KEY_p, Gdk.KEY_Control_L)
        wait_for("no pause by Ctrl+P", lambda: not demo.is_set("pause"))
        demo.press(Gdk.KEY_f, Gdk.KEY_Control_L)
        wait_for("a search by Ctrl+F", lambda: demo.is_set("search"))
        wait_for("the focus", lambda: self.has_focus("Search"))
        demo.press(Gdk.KEY_space)
        wait_for("a space in the entry", lambda: self.entry_text() == " ")
        demo.press(Gdk.KEY_Escape)
        wait_for("no search by Escape", lambda: not demo.is_set("search"))
        self.wait_until_read()
        demo.press(Gdk.KEY_F9)
        wait_for("no panel by F9", lambda: not demo.is_set("workers"))
        demo.press(Gdk.KEY_q, Gdk.KEY_Control_L)
        equal(demo.process.wait(60), 0, "the exit status")

    def test_recent(self):
        """Folders that were opened are in a menu, and the last of them is opened again on request,
        in another run."""
        paths = [f"{self.folder}/{name}" for name in ("plain", "_a_b__c", "d_")]
        for path in paths:
            os.makedirs(path, exist_ok=True)
        demo = self.start_mixed()
        for path in [*paths, self.mixed]:
            demo.open(path)
        equal(demo.quit(), 0, "the exit status")
        with open(f"{self.folder}/state/dray-demo/recent", encoding="utf-8") as file:
            noted = file.read().splitlines()
        equal(noted[:4], [self.mixed, *reversed(paths)], "what is noted")

        demo = self.start("--recent")
        self.wait_for_rows(len(samples.MIXED))
        demo.click(demo.expect(Atspi.Role.TOGGLE_BUTTON, "Recent folders"))
        for path in noted:
            wait_for(f"“{path}” in the menu", lambda path=path: demo.find(None, path))

    def test_no_folder(self):
        """What can't be listed is said in the window."""
        demo = self.start(f"{self.folder}/nothing here")
        demo.expect_label("This folder could not be read")
        demo.expect_label("could not be listed")

    def test_no_orphans(self):
        """When the window is closed amid a load, the workers end with it."""
        demo = self.start_many()
        pids = wait_for("workers", self.worker_pids)
        equal(demo.quit(), 0, "the exit status")
        for pid in pids:
            wait_for(f"the end of {pid}", lambda pid=pid: not os.path.exists(f"/proc/{pid}"))

    def test_accessible(self):
        """All that can be pressed has a name, in light and in dark."""
        for theme in ("Adwaita", "Adwaita:dark"):
            demo = self.start_mixed(GTK_THEME=theme)
            demo.select(2)
            for node in walk(demo.window):
                try:
                    if node.get_role() in (Atspi.Role.PUSH_BUTTON, Atspi.Role.TOGGLE_BUTTON):
                        check(node.get_name() or not is_showing(node), "a button has no name")
                except GLib.Error:  # it has gone meanwhile, as a worker's row may
                    continue
            for name in ("Menu", "Recent folders", "Read the folder again", "Search"):
                wait_for(f"“{name}”", lambda name=name: demo.find(None, name))
            demo.screenshot(f"{self.screenshots}/{theme.replace(':', '-')}.png")
            equal(demo.quit(), 0, "the exit status")

    def test_unattended(self):
        """Nobody watches: a summary that adds up, a picture, and success."""
        status, summary, errors, picture = self.run_unattended(self.mixed)
        equal(status, 0, f"the exit status ({errors})")
        equal(summary["found"], len(samples.MIXED), "what was found")
        equal(summary["failed"], len(samples.FAILED), "what failed")
        equal(summary["found"], summary["loaded"] + summary["failed"], "the sum")
        equal(summary["Broken link"], 1, "the number of broken links")
        for name in ("seconds", "files per second", "worst main-loop delay (ms)"):
            check(name in summary, f"the summary does not tell “{name}”")
        with open(picture, "rb") as file:
            check(file.read(8) == b"\x89PNG\r\n\x1a\n", "the picture is no PNG")

    def test_unattended_main_thread(self):
        """It works without workers, too."""
        status, summary, errors, _picture = self.run_unattended(
            "--main-thread", self.mixed, **MAIN_THREAD
        )
        equal(status, 0, f"the exit status ({errors})")
        equal(summary["found"], summary["loaded"] + summary["failed"], "the sum")
        equal(summary["workers started"], 0, "the number of workers")

    def test_unattended_kills(self):
        """Each worker that is killed costs one file at most."""
        status, summary, errors, _picture = self.run_unattended(
            "--kill-workers", "5", self.get_many()
        )
        equal(status, 0, f"the exit status ({errors})")
        equal(summary["workers killed"], 5, "the number of killed workers")
        equal(summary["found"], N_MANY, "what was found")
        equal(summary["found"], summary["loaded"] + summary["failed"], "the sum")
        check(summary["failed"] <= 5, "more failed than were killed")
        check(summary["workers died"] <= 5, "more died than were killed")

    def test_unattended_too_few(self):
        """A load that ends before all are killed is a failure, and says so."""
        status, _summary, errors, _picture = self.run_unattended(
            "--kill-workers", "1000", self.mixed
        )
        check(status != 0, "the exit status is 0")
        check("before all workers were killed" in errors, f"it says {errors!r}")

    def test_unattended_no_folder(self):
        """A folder that is not there is a failure, and says so."""
        status, _summary, errors, _picture = self.run_unattended(f"{self.folder}/nothing here")
        check(status != 0, "the exit status is 0")
        check("could not be listed" in errors, f"it says {errors!r}")

    def test_no_display(self):
        """Without a display the program ends, and says why."""
        status, _output, errors = self.run("--unattended", DISPLAY="", WAYLAND_DISPLAY="")
        check(status != 0, "the exit status is 0")
        check("display" in errors, f"it says {errors!r}")

    # Running

    def run_one(self, name):
        """The test's problem, or None."""
        try:
            getattr(self, name)()
            if self.demo is not None and self.demo.process.poll() is None:
                self.demo.screenshot(f"{self.screenshots}/{name}.png")
                equal(self.demo.quit(), 0, "the exit status")
        except Exception as error:  # pylint: disable=broad-except
            if self.demo is not None and self.demo.process.poll() is None:
                self.demo.screenshot(f"{self.screenshots}/{name}-failed.png")
            return "".join(traceback.format_exception(error))
        finally:
            if self.demo is not None:
                self.demo.kill()
            self.demo = None
        return None


def main():
    program, screenshots, *chosen = sys.argv[1:]
    os.makedirs(screenshots, exist_ok=True)
    names = chosen or [name for name in Suite.__dict__ if name.startswith("test_")]
    n_bad = 0

    with tempfile.TemporaryDirectory(prefix="dray-demo-") as folder:
        suite = Suite(program, screenshots, folder)
        print(f"1..{len(names)}")
        for number, name in enumerate(names, 1):
            problem = suite.run_one(name)
            title = "/demo/" + name.removeprefix("test_").replace("_", "-")
            if problem is not None:
                n_bad += 1
                print("".join(f"# {line}\n" for line in problem.splitlines()), end="")
            print(f"{'ok' if problem is None else 'not ok'} {number} - {title}", flush=True)
    return 1 if n_bad > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
