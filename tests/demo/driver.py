# SPDX-License-Identifier: LGPL-2.1-or-later

"""Drives the demo as its users do: actions through D-Bus, all else through the accessible tree.

Needs a display and a session bus of its own.
"""

import os
import subprocess
import time

import gi

gi.require_version("Atspi", "2.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Atspi, Gdk, Gio, GLib  # noqa: E402

# Milliseconds for an answer. Otherwise a program that is older than some seconds has less than one.
Atspi.set_timeout(60_000, 60_000)

NAME = "org.dray.Demo"
TIMEOUT = 180.0
STEP = 0.05

# What a look at the tree meets while parts of that come and go: a node is not there any more, or
# nothing is found where it should be.
GONE = (GLib.Error, LookupError, TypeError, AttributeError)


class Failure(Exception):
    """Something is not as it should be."""


def iterate():
    """Lets what the bus says come in."""
    context = GLib.MainContext.default()
    while context.iteration(False):
        pass


def wait_for(what, condition, timeout=TIMEOUT):
    """Waits until condition() is true, and returns what it is. A failure tells which exception, if
    any, condition() raised in the end: not all of them are of a tree that changes.
    """
    end = time.monotonic() + timeout
    while True:
        iterate()
        if Demo.running is not None:
            Demo.running.check_alive()
        problem = None
        try:
            value = condition()
        except GONE as error:
            value = None
            problem = error
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited in vain for {what}") from problem
        time.sleep(STEP)


def children(node):
    """All that there are: one that has gone meanwhile takes no other with it."""
    found = []
    for i in range(node.get_child_count()):
        try:
            found.append(node.get_child_at_index(i))
        except GLib.Error:
            continue
    return [child for child in found if child is not None]


def walk(node, depth=0):
    """All nodes below, but not the cells of a table: they may be a million."""
    yield node
    try:
        if depth > 40 or node.get_role() in (Atspi.Role.TREE_TABLE, Atspi.Role.TABLE):
            return
        below = children(node)
    except GLib.Error:  # it has gone meanwhile
        return
    for child in below:
        yield from walk(child, depth + 1)


def is_showing(node):
    return node.get_state_set().contains(Atspi.StateType.SHOWING)


class Demo:
    """One run of the program."""

    running = None  # the one that is expected to live

    def __init__(self, program, arguments, environment=None):
        Demo.running = self
        self.process = subprocess.Popen(
            [program, *arguments], env={**os.environ, **(environment or {})}
        )
        self.bus = Gio.bus_get_sync(Gio.BusType.SESSION)
        self.window = None
        self.actions = None
        self.application_actions = None

    def connect(self):
        """Waits until the window is there."""
        self.window = wait_for("the window", self._find_window)
        path = "/" + NAME.replace(".", "/")
        self.application_actions = Gio.DBusActionGroup.get(self.bus, NAME, path)
        self.actions = Gio.DBusActionGroup.get(self.bus, NAME, path + "/window/1")
        self.application_actions.list_actions()
        self.actions.list_actions()
        wait_for("the window's actions", lambda: self.actions.has_action("open"))
        return self

    def _find_window(self):
        self.check_alive()
        desktop = Atspi.get_desktop(0)
        for i in range(desktop.get_child_count()):
            application = desktop.get_child_at_index(i)
            if application is None or application.get_process_id() != self.process.pid:
                continue
            for k in range(application.get_child_count()):
                window = application.get_child_at_index(k)
                if window is not None and window.get_role() == Atspi.Role.FRAME:
                    return window
        return None

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failure(f"the program has ended with {self.process.returncode}")

    def quit(self):
        """Asks the program to end, and returns its exit status."""
        Demo.running = None
        self.application_actions.activate_action("quit", None)
        self.bus.flush_sync()
        return self.process.wait(TIMEOUT)

    def kill(self):
        Demo.running = None
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    # Actions

    def activate(self, name, parameter=None):
        self.actions.activate_action(name, parameter)
        self.bus.flush_sync()

    def set(self, name, value):
        self.actions.change_action_state(name, GLib.Variant("b", value))
        self.bus.flush_sync()
        wait_for(f"{name} to be {value}", lambda: self.is_set(name) == value)

    def is_set(self, name):
        return self.actions.get_action_state(name).get_boolean()

    def is_enabled(self, name):
        return self.actions.get_action_enabled(name)

    def open(self, folder):
        self.activate("open-folder", GLib.Variant("ay", os.fsencode(folder) + b"\0"))

    # What is shown

    def find(self, role, name=None, showing=True):
        """The first node of that role and that name, each if it is given, on the screen."""
        for node in walk(self.window):
            try:
                if role not in (None, node.get_role()) or name not in (None, node.get_name()):
                    continue
                if not showing or is_showing(node):
                    return node
            except GLib.Error:  # it has gone meanwhile
                continue
        return None

    def expect(self, role, name=None):
        return wait_for(f"{role.value_nick} “{name}”", lambda: self.find(role, name))

    def labels(self):
        """The texts of all labels on the screen."""
        texts = []
        for node in walk(self.window):
            try:
                if node.get_role() == Atspi.Role.LABEL and is_showing(node):
                    texts.append(node.get_name())
            except GLib.Error:  # it has gone meanwhile
                continue
        return texts

    def expect_label(self, part):
        return wait_for(
            f"a label with “{part}”",
            lambda: next((text for text in self.labels() if part in text), None),
        )

    def click(self, node):
        if not Atspi.Action.do_action(node, 0):
            raise Failure(f"“{node.get_name()}” can't be clicked")

    # Keys

    @staticmethod
    def press(keyval, *modifiers):
        """Presses a key, with others held, as a keyboard would."""
        keymap = Gdk.Keymap.get_for_display(Gdk.Display.get_default())

        def send(value, kind):
            found, keys = keymap.get_entries_for_keyval(value)
            if not found or not keys:
                raise Failure(f"the keyboard has no {Gdk.keyval_name(value)}")
            Atspi.generate_keyboard_event(keys[0].keycode, None, kind)

        for modifier in modifiers:
            send(modifier, Atspi.KeySynthType.PRESS)
        send(keyval, Atspi.KeySynthType.PRESSRELEASE)
        for modifier in reversed(modifiers):
            send(modifier, Atspi.KeySynthType.RELEASE)

    # The list of files

    def table(self):
        return self.find(Atspi.Role.TREE_TABLE, "Files") or self.find(Atspi.Role.TABLE, "Files")

    def n_rows(self):
        table = self.table()
        return Atspi.Table.get_n_rows(table) if table is not None else 0

    def cell(self, row, column):
        node = Atspi.Table.get_accessible_at(self.table(), row, column)
        # A cell with an icon and a text is a container of both.
        texts = [node] + [node.get_child_at_index(i) for i in range(node.get_child_count())]
        for text in reversed(texts):
            if "Text" in text.get_interfaces():
                return Atspi.Text.get_text(text, 0, -1)
        return node.get_name()

    def column(self, column):
        return [self.cell(row, column) for row in range(self.n_rows())]

    def row_of(self, name):
        return self.column(0).index(name)

    def select(self, row):
        Atspi.Table.add_row_selection(self.table(), row)

    # Pictures

    def screenshot(self, filename):
        """What is on the whole display."""
        root = Gdk.get_default_root_window()
        Gdk.Display.get_default().sync()
        pixbuf = Gdk.pixbuf_get_from_window(root, 0, 0, root.get_width(), root.get_height())
        pixbuf.savev(filename, "png", [], [])
