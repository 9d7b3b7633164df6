"""The house keeps its measures: short files and functions, and every room says what it is and what it may import."""

import ast
import re
from pathlib import Path

import pytest

import mien

ROOT = Path(mien.__file__).parent
FILES = [path for path in sorted(ROOT.rglob("*.py")) if (ROOT / "server" / "web") not in path.parents]
ROOMS = [path for path in FILES if path.name == "__init__.py"]
MAX_FILE_LINES, MAX_FUNCTION_LINES, LEAST_WORDS = 350, 50, 20

FRAGMENT = re.compile(r'(?:^\s*(?:"""|[a-z_0-9]+: )|description=")Of .*', re.MULTILINE)
LONG_FILES = {
    "errors.py": "one tree of errors, drawn and declared in one place; a class is five lines",
}
LONG_FUNCTIONS = {
    "cli/treat.py:treat": "a parameter for each option of the command, and the text of its help",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def long_functions_of(path: Path) -> set[str]:
    """Return the functions of a file that have too many lines, from their `def` on."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [each for each in functions if (each.end_lineno or 0) - each.lineno + 1 > MAX_FUNCTION_LINES]
    return {f"{name_of(path)}:{each.name}" for each in long}


def test_no_file_is_longer_than_can_be_read_at_once():
    long = [path for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > MAX_FILE_LINES]
    assert set(map(name_of, long)) == LONG_FILES.keys()


def test_no_function_is_longer_than_a_page():
    assert set().union(*map(long_functions_of, FILES)) == LONG_FUNCTIONS.keys()


@pytest.mark.parametrize("path", ROOMS, ids=name_of)
def test_a_room_says_what_it_is_and_what_it_may_import(path):
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert len(said.split()) >= LEAST_WORDS
    assert "import" in said


def test_every_folder_of_code_is_a_room():
    assert {path.parent for path in FILES} == {path.parent for path in ROOMS}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_description_has_a_subject(path):
    """ "size_wh: Of the frames." says less than "size_wh: Width and height of the frames."."""
    assert FRAGMENT.findall(path.read_text(encoding="utf-8")) == []
