"""Every test has a kind, so that `-m unit` and its like leave none out and take none twice."""

import pytest

from support.kinds import FOLDER, KINDS


def test_tests_lie_in_the_folders_of_the_kinds_and_nowhere_else():
    assert {path.relative_to(FOLDER).parts[0] for path in FOLDER.rglob("test_*.py")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_marker_is_the_folders(request, kind):
    assert (request.node.get_closest_marker(kind) is not None) == (kind == "unit")
