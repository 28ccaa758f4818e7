"""What is read at one look: a function of a screen, a file of one subject."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/maestro"
FUNCTION, FILE = 45, 400  # lines
# A table of names, which nobody reads from end to end.
LONGER = {"records.py"}


def test_a_function_fits_a_screen() -> None:
    long = [
        f"{path.relative_to(SOURCE)}: {node.name}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION
    ]
    assert long == []


def test_a_file_is_of_one_subject() -> None:
    long = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if len(path.read_text().splitlines()) > FILE
    }
    assert long <= LONGER
