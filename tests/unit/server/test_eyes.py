from structlog.testing import capture_logs

from mien.errors import FetchError
from mien.server.eyes import LateEyes
from support.pipelines import SmallFactory


def test_the_factory_is_opened_once_and_shared():
    opened = []

    def open_eyes():
        opened.append(SmallFactory())
        return opened[-1]

    eyes = LateEyes(open_eyes)
    assert eyes.status == "warming"
    assert eyes() is eyes()
    assert (len(opened), eyes.status, eyes.detail) == (1, "ok", None)


def test_a_missing_model_is_told_and_tried_again():
    answers = [FetchError("run mien models pull"), SmallFactory()]

    def open_eyes():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    eyes = LateEyes(open_eyes)
    with capture_logs() as logs:
        eyes.warm_up()
    assert logs[0]["event"] == "eyes_not_opened"
    assert (eyes.status, eyes.detail) == ("broken", "run mien models pull")
    eyes()
    assert (eyes.status, eyes.detail) == ("ok", None)


def test_whatever_breaks_while_warming_up_the_server_lives():
    def open_eyes():
        raise ZeroDivisionError

    eyes = LateEyes(open_eyes)
    with capture_logs():
        eyes.warm_up()
    assert eyes.status == "broken"
