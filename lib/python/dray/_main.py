# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a worker has to know of the application to find its functions again.

A function travels as the name of its module and its own. Three kinds of modules are special:

- The program itself, `__main__`. Where its code is guarded by `if __name__ == '__main__'`, workers
  import it under another name, as those of multiprocessing do. Importing any other program would run
  it once more in each worker. Of those, of what is defined below the guard, and of what was typed at
  a prompt, functions and classes travel as code instead, which takes cloudpickle.
- Modules that were loaded from files that are on no search path, as plugins are. Workers are told
  where the files are.
- All others are imported, with the search path of the application.
"""

from __future__ import annotations

import ast
import importlib.machinery
import multiprocessing
import multiprocessing.process
import os
import sys
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple


def preparation() -> dict[str, Any]:
    """What workers have to know of the application as it is now."""
    process = multiprocessing.process.current_process()
    if getattr(process, '_inheriting', False):
        raise RuntimeError(
            'An executor was used while the program was being imported by a worker. What starts the '
            "work belongs below `if __name__ == '__main__':`")

    original = multiprocessing.process.ORIGINAL_DIR  # type: ignore[attr-defined]
    return {
        'authkey': bytes(process.authkey),
        'dir': os.getcwd(),
        'name': 'DrayWorker',
        'orig_dir': original,
        'parent_name': process.name,
        'pid': os.getpid(),
        'program': _how_to_import_main(),
        'start_method': multiprocessing.get_start_method(allow_none=True),
        'sys_argv': list(getattr(sys, 'argv', [])),
        'sys_path': [entry or original or os.getcwd() for entry in sys.path],
    }


def main_is_importable() -> bool:
    """Whether workers can import the program without running it."""
    main = sys.modules.get('__main__')
    return (main is not None and _has_importable_name(getattr(main, '__spec__', None))
            and _look_into(getattr(main, '__file__', None)).is_importable)


def _has_importable_name(spec: Any) -> bool:
    """The program of a package, a folder or an archive has none."""
    return spec is None or spec.name.rpartition('.')[2] != '__main__'


def is_of_program_only(function: Any) -> bool:
    """Whether it is in the program, but not where workers that import that would find it."""
    if isinstance(function, partial):
        function = function.func
    if getattr(function, '__module__', None) != '__main__':
        return False
    if not main_is_importable():
        return True
    name = getattr(function, '__qualname__', None) or type(function).__qualname__
    names = _look_into(getattr(sys.modules['__main__'], '__file__', None)).names
    return bool(names) and name.partition('.')[0] not in names


class _Program(NamedTuple):
    """What is in the file of a program."""

    is_importable: bool     # there is a guard in it; one that only defines things needs none
    names: frozenset[str]   # all that it defines when it is imported; none if that can't be told


@lru_cache(maxsize=None)
def _look_into(filename: str | None) -> _Program:
    """Reads it once: that is a good part of what the first call costs."""
    if filename is None:
        return _Program(False, frozenset())
    try:
        body = ast.parse(Path(filename).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return _Program(False, frozenset())
    if any(map(_is_guard, body)) or all(map(_only_defines, body)):
        return _Program(True, _names_above_guard(body))
    return _Program(False, frozenset())


def _names_above_guard(body: list[ast.stmt]) -> frozenset[str]:
    names = set()
    for statement in body:
        if _is_guard(statement):
            continue
        for node in ast.walk(statement):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                if node.name == '*':
                    return frozenset()
                names.add((node.asname or node.name).partition('.')[0])
    return frozenset(names)


def _how_to_import_main() -> dict[str, str]:
    """The name of its module, or the path of its file; nothing if it can't be imported."""
    main = sys.modules.get('__main__')
    if main is None or not main_is_importable():
        return {}
    filename = os.path.abspath(main.__file__ or '')
    spec = getattr(main, '__spec__', None)
    if spec is not None:
        return {'module': spec.name, 'file': filename}
    return {'script': filename, 'file': filename}


def _is_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == '__name__' for node in ast.walk(statement.test))


def _only_defines(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef,
                                  ast.AsyncFunctionDef, ast.ClassDef))


@lru_cache(maxsize=None)
def file_off_path(name: str) -> str | None:
    """The file of a module that can't be found by its name, if there is one."""
    if name == '__main__' or name == '__mp_main__':
        return None
    module = sys.modules.get(name)
    filename = _file_of(module)
    if module is None or filename is None or _is_found(name, filename):
        return None
    return filename


def _file_of(module: ModuleType | None) -> str | None:
    filename = getattr(getattr(module, '__spec__', None), 'origin', None)
    filename = filename or getattr(module, '__file__', None)
    if not isinstance(filename, str) or not os.path.isfile(filename):
        return None
    return os.path.abspath(filename)


def _is_found(name: str, filename: str) -> bool:
    """Whether who imports that name gets that file."""
    parent, _, _ = name.rpartition('.')
    path = None
    if parent:
        if file_off_path(parent) is not None:
            return False
        path = getattr(sys.modules.get(parent), '__path__', None)
        if path is None:
            return False
    try:
        spec = importlib.machinery.PathFinder.find_spec(name, path)
    except (ImportError, ValueError):
        return False
    return (spec is not None and spec.origin is not None
            and os.path.abspath(spec.origin) == filename)
