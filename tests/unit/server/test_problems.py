from http import HTTPStatus

import pytest

from mien import errors
from mien.server.problems import status_of


def tree(kind: type[errors.MienError]):
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


@pytest.mark.parametrize("kind", list(tree(errors.MienError)))
def test_every_error_has_a_status_and_a_code_of_its_own(kind):
    assert status_of(kind("x")) >= HTTPStatus.BAD_REQUEST
    assert "code" in vars(kind)
    assert sum(other.code == kind.code for other in tree(errors.MienError)) == 1


def test_a_callers_mistake_is_never_called_ours():
    for kind in tree(errors.InputError):
        if kind is not errors.OutputError:
            assert status_of(kind("x")) < HTTPStatus.INTERNAL_SERVER_ERROR
