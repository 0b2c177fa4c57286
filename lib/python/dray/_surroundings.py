# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a worker is to be like, as its application: the other half of _main.

All of it costs something only when it is used. The program itself is imported when a call is of a
function in it, or brings an object of a class in it: a worker whose functions are in modules never
opens a display because the program is an application of GTK.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any
else:
    ModuleType = type(sys)

_PIDFD_GETFD = 438  # the number of that system call, on all kinds of processors


class Finder:
    """Finds modules where the application has loaded them from, if they are on no path."""

    def __init__(self, preparation: dict[str, Any]) -> None:
        self.places: dict[str, str | list[str]] = {}
        self._preparation = preparation
        self._tracker: tuple[int, int] | None = None
        self._imports_program = False

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname == 'multiprocessing.process':
            return find_and_then(self._tell_process, fullname, path)
        if fullname == 'multiprocessing.context':
            return find_and_then(self._tell_context, fullname, path)
        if fullname == 'multiprocessing.resource_tracker':
            return find_and_then(self._tell_tracker, fullname, path)
        filename = self.places.get(fullname)
        if filename is None:
            return None
        if isinstance(filename, list):
            from importlib.machinery import ModuleSpec
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = filename
            return spec
        import importlib.util
        is_package = os.path.basename(filename) == '__init__.py'
        return importlib.util.spec_from_file_location(
            fullname, filename,
            submodule_search_locations=[os.path.dirname(filename)] if is_package else None)

    def _tell_process(self, module: Any) -> None:
        process = module.current_process()
        process.name = f'{self._preparation["name"]}-{os.getpid()}'
        process.authkey = self._preparation['authkey']
        module.ORIGINAL_DIR = self._preparation['orig_dir']
        self._tell_parent(module)
        self._mark(module)

    def _tell_parent(self, module: Any) -> None:
        """A program that asks whether it has a parent wants to know whether it is a worker."""
        pid = self._preparation['pid']
        try:
            sentinel = os.pidfd_open(pid)
        except OSError:
            return  # it has just ended, and so will this one
        name = self._preparation['parent_name']
        module._parent_process = module._ParentProcess(name, pid, sentinel)

    def _mark(self, module: Any) -> None:
        """While a program is being imported, multiprocessing starts no processes, nor does this."""
        marks = vars(module.current_process())
        if self._imports_program:
            marks['_inheriting'] = True
        else:
            marks.pop('_inheriting', None)

    def _tell_context(self, module: Any) -> None:
        method = self._preparation['start_method']
        if method is not None:
            module._default_context.set_start_method(method, force=True)

    def import_program(self) -> None:
        self._set_imports_program(True)
        try:
            _import_program(self._preparation['program'])
        finally:
            self._set_imports_program(False)

    def _set_imports_program(self, imports: bool) -> None:
        self._imports_program = imports
        module = sys.modules.get('multiprocessing.process')
        if module is not None:
            self._mark(module)

    def share_tracker(self, tracker: tuple[int, int]) -> None:
        """What this process shares with the application is watched over by the same process."""
        self._tracker = tracker
        if 'multiprocessing.resource_tracker' in sys.modules:
            self._tell_tracker(sys.modules['multiprocessing.resource_tracker'])

    def _tell_tracker(self, module: Any) -> None:
        tracker = module._resource_tracker
        if self._tracker is None or tracker._fd is not None:
            return
        try:
            tracker._fd = os.open('/proc/{}/fd/{}'.format(*self._tracker),
                                  os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            pass  # it is gone by now


def find_and_then(tell: Callable[[Any], None], fullname: str, path: Any) -> Any:
    """The module is told something of the application as soon as it is there."""
    import importlib.machinery
    spec = importlib.machinery.PathFinder.find_spec(fullname, path)
    loader: Any = spec.loader if spec is not None else None
    if loader is None:
        return None
    execute = loader.exec_module

    def execute_and_tell(module: Any) -> None:
        execute(module)
        if module.__name__ == fullname:  # there are loaders that all of an archive share
            tell(module)

    loader.exec_module = execute_and_tell
    return spec


class _Program(ModuleType):
    """Stands for the program until something of it is wanted."""

    def __init__(self, load: Callable[[], Any], filename: str):
        super().__init__('__main__')
        self.__dict__['_load'] = load
        self.__file__ = filename

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        if sys.modules['__main__'] is self:
            self.__dict__['_load']()
        return getattr(sys.modules['__main__'], name)


def _import_program(how: dict[str, str]) -> None:
    """Imports the program under the name that it has in processes of multiprocessing.

    What does that there comes with half of the standard library. This does what is needed, and one
    thing better: the module is there before its code runs, and stays the one that its functions
    have their variables in.
    """
    program, code = _find_module(how['module']) if 'module' in how else _find_script(how['script'])
    names = '__main__', '__mp_main__'
    before = [sys.modules[name] for name in names]
    sys.modules.update(dict.fromkeys(names, program))
    try:
        exec(code, program.__dict__)
    except BaseException:
        sys.modules.update(zip(names, before))
        raise


def _find_module(name: str) -> tuple[Any, Any]:
    """The program that was started by `python -m`, without anything in it, and its code."""
    import importlib.util
    spec: Any = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(f'The program is not found by workers: there is no module {name}')
    program = importlib.util.module_from_spec(spec)
    program.__name__ = '__mp_main__'
    return program, spec.loader.get_code(name)


def _find_script(path: str) -> tuple[Any, Any]:
    """The same of one that was started by its file."""
    program: Any = ModuleType('__mp_main__')
    program.__file__ = path
    program.__package__ = ''
    program.__cached__ = None
    with io.open_code(path) as file:
        return program, compile(file.read(), path, 'exec', dont_inherit=True)


def _take_standard_output(pid: int) -> None:
    """What functions print goes where it would go if the application had called them.

    Workers are started with standard error for both, since the other carries the channel.
    """
    file = _open_file_of(pid, 1)
    if file is not None:
        os.dup2(file, 1)
        os.close(file)


def _open_file_of(pid: int, descriptor: int) -> int | None:
    """A descriptor for what another process has open, or None."""
    try:
        process = os.pidfd_open(pid)
        try:
            file: int = ctypes.CDLL(None).syscall(_PIDFD_GETFD, process, descriptor, 0)
        finally:
            os.close(process)
        if file >= 0:
            return file
        # Where that is forbidden, it is opened once more; of what is not appended to, that would
        # overwrite what was written already.
        path = f'/proc/{pid}/fd/{descriptor}'
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


def enter(preparation: dict[str, Any]) -> Finder:
    """Makes this process what the application has said of itself."""
    sys.path[:] = preparation['sys_path']
    sys.argv[:] = preparation['sys_argv']
    _take_standard_output(preparation['pid'])
    if os.getcwd() != preparation['dir']:
        os.chdir(preparation['dir'])
    finder = Finder(preparation)
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    if preparation['program']:
        program = _Program(finder.import_program, preparation['program']['file'])
        sys.modules['__main__'] = sys.modules['__mp_main__'] = program
    return finder
