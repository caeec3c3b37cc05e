"""The key of an artifact: a hash of its stage, its inputs, its settings and the code that makes it."""

import ast
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from latentflix.artifacts import Inputs, file_sha256
from latentflix.config import StageConfig

_LIBRARY = Path(__file__).parent.name


def artifact_key(stage: str, inputs: Inputs, config: StageConfig, source: str) -> str:
    """Compute the key of what a stage makes, 20 hexadecimal digits. source: as `source_digest` computes it."""
    made_of = {
        "stage": stage,
        "inputs": {name: [(handle.stage, handle.key) for handle in handles] for name, handles in inputs.items()},
        "config": config.model_dump(mode="json"),
        "source": source,
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:20]


def source_digest(function: Callable[..., Any]) -> str:
    """Compute the digest of the code that a function runs; comments, docstrings, layout and decorators do not count.

    It covers the function, the definitions of its own package that it uses, the library modules that these name with
    everything of the library that those import, the `__init__` files on the way, and the library's data files that any
    of these modules name. The library is looked for beside the function's own package. Returns 64 hexadecimal digits.
    Raises ValueError if the function is not defined at the top level of a module.
    """
    module = function.__module__
    root = Path(function.__code__.co_filename).parents[module.count(".")]
    definitions, library = _read_function(root, module, function.__name__)
    digests = sorted([*definitions, *_read_library(root, library)])
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _read_function(root: Path, module: str, name: str) -> tuple[list[str], set[str]]:
    """The digests of a definition and of all that it uses of its own package, and the library names that these use."""
    package = module.split(".", maxsplit=1)[0]
    digests: dict[tuple[str, str], str] = {}
    library: set[str] = set()
    waiting = [(module, name)]
    while waiting:
        place = waiting.pop()
        path = _module_file(root, place[0])
        if place in digests or path is None:
            continue
        node = _definitions(path, path.stat().st_mtime_ns).get(place[1])
        digests[place] = ""
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported = _imported(node)[place[1]]
            owner, _, member = imported.rpartition(".")
            if _belongs_to(imported, _LIBRARY):
                library.add(imported)
            elif _belongs_to(imported, package):
                waiting.append((owner, member))
        elif node is not None:
            digests[place] = _digest(node)
            waiting += [(place[0], used.id) for used in ast.walk(node) if isinstance(used, ast.Name)]
    if not digests.get((module, name)):
        raise ValueError(f"{module}.{name} is not defined at the top level of its module")
    return [digest for digest in digests.values() if digest], library


def _read_library(root: Path, names: set[str]) -> list[str]:
    """The digests of library modules, of all library modules that they import, and of the data files that they name."""
    digests: dict[Path, str] = {}
    waiting = list(names)
    while waiting:
        for path in _files_of(root, waiting.pop()):
            if path not in digests:
                digests[path], imports, data = _read_module(root / _LIBRARY, path, path.stat().st_mtime_ns)
                digests |= {file: file_sha256(file) for file in data}
                waiting += imports
    return list(digests.values())


@cache
def _read_module(library: Path, path: Path, changed: int) -> tuple[str, list[str], set[Path]]:
    """The digest of a module as it was `changed`, what it imports of the library, and the data files that it names."""
    tree = _parse(path, changed)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    imports = [name for node in nodes for name in _imported(node).values() if _belongs_to(name, _LIBRARY)]
    return _digest(tree), imports, _data_files(library, tree)


def _files_of(root: Path, name: str) -> Iterator[Path]:
    """The files that an import of a dotted name runs: the `__init__` files on the way, and the module."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        if path := _module_file(root, ".".join(parts[:end])):
            yield path


def _module_file(root: Path, name: str) -> Path | None:
    path = root.joinpath(*name.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """The dotted names of what an import statement imports, modules or members of them, by the names that it binds."""
    prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return {alias.asname or alias.name.split(".")[0]: f"{prefix}{alias.name}" for alias in node.names}


def _belongs_to(name: str, package: str) -> bool:
    return name.split(".", maxsplit=1)[0] == package


@cache
def _parse(path: Path, _: int) -> ast.Module:
    """The syntax tree of a module without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            del node.body[0]
    return tree


@cache
def _definitions(path: Path, changed: int) -> dict[str, ast.stmt]:
    """What the top level of a module defines or imports, by name, decorators left out."""
    found: dict[str, ast.stmt] = {}
    for node in _parse(path, changed).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                node.decorator_list = []
                found[name] = node
            case ast.Import() | ast.ImportFrom():
                found |= dict.fromkeys(_imported(node), node)
            case ast.Assign() | ast.AnnAssign():
                targets = [target for target in ast.walk(node) if isinstance(target, ast.Name)]
                found |= {target.id: node for target in targets if isinstance(target.ctx, ast.Store)}
    return found


def _data_files(library: Path, tree: ast.Module) -> set[Path]:
    """The library's files, other than modules, that a module names, and the templates that those templates name."""
    data = [path for path in library.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    found: set[Path] = set()
    while new := {path for path in data if path.name in named} - found:
        found |= new
        texts = [path.read_text(encoding="utf-8") for path in new if path.suffix == ".html"]
        named = {name for text in texts for name in re.findall(r"[\"']([\w.]+)[\"']", text)}
    return found


def _digest(node: ast.AST) -> str:
    return hashlib.sha256(ast.dump(node).encode()).hexdigest()
