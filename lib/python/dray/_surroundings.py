# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a worker is to be like, as its application: the other half of _main.

All of it costs something only when it is used. The program itself is imported when a call is of a
function in it, or brings an object of a class in it: a worker whose functions are in modules never
opens a display because the program is an application of GTK.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Finder:
    """Finds modules where the application has loaded them from, if they are on no path."""

    def __init__(self, preparation: dict[str, Any]) -> None:
        self.files: dict[str, str] = {}
        self._preparation = preparation

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname == 'multiprocessing.process':
            return self._find_process(fullname, path)
        filename = self.files.get(fullname)
        if filename is None:
            return None

        import importlib.util
        is_package = os.path.basename(filename) == '__init__.py'
        return importlib.util.spec_from_file_location(
            fullname, filename,
            submodule_search_locations=[os.path.dirname(filename)] if is_package else None)

    def _find_process(self, fullname: str, path: Any) -> Any:
        """The module is told what kind of process this is as soon as it is there."""
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        loader: Any = spec.loader if spec is not None else None
        if loader is None:
            return None
        execute = loader.exec_module

        def execute_and_tell(module: Any) -> None:
            execute(module)
            process = module.current_process()
            process.name = self._preparation['name']
            process.authkey = self._preparation['authkey']
            module.ORIGINAL_DIR = self._preparation['orig_dir']

        loader.exec_module = execute_and_tell
        return spec


class _Program(type(sys)):  # type: ignore[misc]
    """Stands for the program until something of it is wanted."""

    def __init__(self, how: dict[str, str]):
        super().__init__('__main__')
        self.__dict__['_how'] = how

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return getattr(_import_program(self.__dict__['_how']), name)


def _import_program(how: dict[str, str]) -> Any:
    """As a process of multiprocessing does; what makes an executor meanwhile is told not to."""
    from multiprocessing import process, spawn
    current: Any = process.current_process()
    current._inheriting = True
    try:
        spawn.prepare(how)
    finally:
        del current._inheriting
    return sys.modules['__main__']


def enter(preparation: dict[str, Any]) -> Finder:
    """Makes this process what the application has said of itself."""
    sys.path[:] = preparation['sys_path']
    sys.argv[:] = preparation['sys_argv']
    if os.getcwd() != preparation['dir']:
        os.chdir(preparation['dir'])
    finder = Finder(preparation)
    sys.meta_path.insert(0, finder)  # type: ignore[arg-type]
    if preparation['program']:
        program = _Program(preparation['program'])
        sys.modules['__main__'] = sys.modules['__mp_main__'] = program
    return finder
