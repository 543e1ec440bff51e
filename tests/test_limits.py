"""The page of limits: each row is pinned by a test that exists, and each refusal of ours stands on it."""

import ast
import re

import pytest


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "limits.md").read_text("utf-8")


def rows(page):
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [line for line in lines if "---" not in line and "pinned by" not in line]


def names_in(path):
    """Return the tests of a file as pytest names them: functions, classes, and methods of classes."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


def test_every_row_is_pinned_by_a_test(root, page):
    """The last cell of each row names a test file, or a test in it, that exists."""
    assert len(rows(page)) > 30
    for row in rows(page):
        pins = re.findall(r"`(tests/[\w/]+\.py)(?:::([\w:]+))?`", row.rpartition(" | ")[2])
        assert pins, row
        for path, name in pins:
            assert (root / path).is_file(), row
            assert not name or name in names_in(root / path), row


def refusals(root):
    """Return every function of the package that raises or makes UnsupportedByLab, as ``module.function``."""
    found = set()
    for path in (root / "kms_lab").rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UnsupportedByLab"
                for node in ast.walk(function)
            ):
                found.add(f"{path.stem}.{function.name}")
    return found


def test_every_refusal_of_the_lab_is_on_the_page(root, page):
    """The rows of the first table name, in comments, exactly the places in the code that refuse."""
    named = {name for comment in re.findall(r"<!-- (.*?) -->", page) for name in comment.split()}
    assert named == refusals(root)
