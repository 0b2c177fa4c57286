# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a worker has to know of the application to find its functions again.

A function travels as the name of its module and its own. Three kinds of modules are special:

- The program itself, `__main__`. Where its code is guarded by `if __name__ == '__main__'`, workers
  import it under another name, as those of multiprocessing do. Importing any other program would
  run it once more in each worker. Of those, of what is defined below the guard, and of what was
  typed at a prompt, functions and classes travel as code instead, which takes cloudpickle.
- Modules that were loaded from files that are on no search path, as plugins are, or on one that was
  added since the executor was made. Workers are told where the files are.
- All others are imported, with the search path of the application.
"""

from __future__ import annotations

import ast
import multiprocessing
import multiprocessing.process
import os
import sys
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Union

from ._worker import ForEach

# The file of a module, or the folders of a package that has none
Place = Union[str, list[str]]


def check_is_no_import() -> None:
    """Errors: RuntimeError in a worker that imports the program, which would start more of them."""
    if getattr(multiprocessing.process.current_process(), '_inheriting', False):
        raise RuntimeError(
            'An executor was used while the program was being imported by a worker. What starts '
            "the work belongs below `if __name__ == '__main__':`")


def preparation() -> dict[str, Any]:
    """What workers have to know of the application as it is now."""
    process = multiprocessing.process.current_process()
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
    if isinstance(function, ForEach):
        function = function.function
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
    except (OSError, SyntaxError, ValueError, RecursionError):
        return _Program(False, frozenset())
    if any(map(_is_guard, body)) or all(map(_only_defines, body)):
        return _Program(True, _names_above_guard(body))
    return _Program(False, frozenset())


def _names_above_guard(body: list[ast.stmt]) -> frozenset[str]:
    names = set()
    for statement in body:
        if _is_guard(statement):
            continue
        for node in _walk_scope(statement):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                if node.name == '*':
                    return frozenset()
                names.add((node.asname or node.name).partition('.')[0])
            elif isinstance(node, ast.Global):
                names.update(node.names)
    return frozenset(names)


def _walk_scope(statement: ast.AST) -> Iterator[ast.AST]:
    """What there is in a statement, but for what is local to a part of it. In any order, and at any
    depth: a sum is as deep as it is long.
    """
    remaining = [statement]
    while remaining:
        node = remaining.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from (part for part in ast.walk(node) if isinstance(part, ast.Global))
            continue
        remaining += (part for part in ast.iter_child_nodes(node)
                      if not isinstance(node, ast.comprehension) or part is not node.target)


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


class Elsewhere:
    """The modules that the program has loaded from where workers, with that search path, do not
    look.

    All of them are told, whatever a call is about: they are few, and one may import another.
    """

    def __init__(self, path: list[str]) -> None:
        self._folders = {os.path.abspath(entry) for entry in path}
        self._n_loaded = 0
        self._seen: dict[str, int] = {}  # by their identities, as long as they live
        self._told: dict[str, Place] = {}
        self._news: dict[str, Place] = {}

    def news(self) -> dict[str, Place]:
        """The places of those that were loaded after workers were told of others."""
        if len(sys.modules) != self._n_loaded:
            self._look()
        return self._news

    def tell(self) -> dict[str, Place]:
        """The same, for all workers there will be."""
        self._told, self._news = self.news(), {}
        return self._told

    def _look(self) -> None:
        modules = sys.modules.copy()
        for name, module in modules.items():
            if self._seen.get(name) == id(module) or not isinstance(module, ModuleType):
                continue
            try:
                place = self._find(name, module, modules)
            except Exception:
                place = None  # there are modules of all kinds
            self._add(name, place, modules)
        self._seen = {name: id(module) for name, module in modules.items()}
        self._n_loaded = len(modules)

    def _add(self, name: str, place: Place | None, modules: dict[str, ModuleType]) -> None:
        if place is None or self._told.get(name) == place:
            return
        self._news = {**self._news, name: place}  # it may just be read by another thread
        package = name.rpartition('.')[0]
        if _is_made_up(modules.get(package)):
            self._add(package, [], modules)

    def _find(self, name: str, module: ModuleType, modules: dict[str, ModuleType]) -> Place | None:
        known = vars(module)  # some make up what they are asked for
        if name in ('__main__', '__mp_main__') or known.get('__name__') != name:
            return None  # the program, or another name of one
        package, _, own_name = name.rpartition('.')
        folders: Any = self._folders
        if package:
            folders = getattr(modules.get(package), '__path__', ())
        filename = getattr(known.get('__spec__'), 'origin', None) or known.get('__file__')
        if isinstance(filename, str) and os.path.isabs(filename):
            folder, _, base = filename.rpartition('/')
            stem = base.partition('.')[0]
            if stem == '__init__':
                folder, _, stem = folder.rpartition('/')
            is_found = stem == own_name and folder in folders
            return None if is_found or not os.path.isfile(filename) else filename
        if '__path__' in known:
            places = [os.path.abspath(place) for place in known['__path__']]
            is_found = all(place.rpartition('/')[0] in folders for place in places)
            return None if is_found else places
        return None


def _is_made_up(package: ModuleType | None) -> bool:
    """Whether it is only there so that others can be below it."""
    if not isinstance(package, ModuleType) or vars(package).get('__spec__') is not None:
        return False
    return '__file__' not in vars(package) and '__path__' not in vars(package)
