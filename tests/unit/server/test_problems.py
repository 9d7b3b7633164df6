from http import HTTPStatus

import pytest
from starlette.requests import Request

from mien import errors
from mien.server.problems import on_mien_error, status_of


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


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(errors.LiveLostError("x"), "1", id="a worker is back in a moment"),
        pytest.param(errors.TooManySessionsError("x"), "10", id="a full server takes longer"),
        pytest.param(errors.BroadcastTakenError("x"), "2", id="a silent publisher is given up"),
        pytest.param(errors.TokenError("x"), None, id="waiting does not help"),
    ],
)
async def test_an_answer_says_when_to_come_back(error, seconds):
    answer = await on_mien_error(Request({"type": "http"}), error)
    assert answer.headers.get("retry-after") == seconds
