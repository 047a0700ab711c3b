"""The map in `jphtr.__doc__` is the rule: imports go up, and torch stays below the line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import jphtr

PACKAGE = Path(jphtr.__file__).parent
ABOVE, BELOW = (jphtr.__doc__ or "").split("torch below this line")
ORDER = re.findall(r"^    (\w+)\s{2,}\S", ABOVE.split("imports torch:")[1], re.M) + re.findall(
    r"^    (\w+)\s{2,}\S", BELOW, re.M
)
TORCH_FREE = set(re.findall(r"^    (\w+)\s{2,}\S", ABOVE.split("imports torch:")[1], re.M))
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Top names of everything a file imports, at any depth, but for what only type checkers run."""
    found: set[str] = set()
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "jphtr":
                found.update(f"jphtr.{alias.name}" for alias in node.names)
            else:
                found.add(node.module)
    return found


def test_the_map_names_every_module() -> None:
    there = {module_of(p) for p in FILES} - {"__init__", "__main__"}
    assert there == set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_up(path: Path) -> None:
    mine = module_of(path)
    if mine in ("__init__", "__main__"):
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "jphtr" and len(parts) > 1 and parts[1] in ORDER and parts[1] != mine:
            assert ORDER.index(parts[1]) < ORDER.index(mine), f"{mine} imports {parts[1]}, which lies below it"
        if mine in TORCH_FREE:
            assert parts[0] not in ("torch", "torchvision", "timm"), f"{mine} imports {name} above the line"
