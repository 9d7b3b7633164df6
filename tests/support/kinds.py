"""The kind of each test, by its folder: the markers `unit`, `integration` and `browser`."""

from pathlib import Path
from typing import Final

import pytest

KINDS: Final = ("unit", "integration", "browser")
"""The folders of `tests`, in the order in which they run. Doctests are unit tests."""
FOLDER: Final = Path(__file__).parents[1]


def kind_of(path: Path) -> str:
    """Return the kind of the tests in a file.

    Example:
        >>> kind_of(FOLDER / "integration/test_live.py"), kind_of(FOLDER.parent / "src/mien/errors.py")
        ('integration', 'unit')
    """
    folder = path.relative_to(FOLDER).parts[0] if path.is_relative_to(FOLDER) else ""
    return folder if folder in KINDS else "unit"


class KindsByFolder:
    """The plug-in that marks each test with its kind, and runs the quick ones first."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.add_marker(kind_of(item.path))
        items.sort(key=lambda item: KINDS.index(kind_of(item.path)))
