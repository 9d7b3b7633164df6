import pytest

from mien.errors import FetchError
from mien.server.late_models import LateModels
from support.pipelines import SmallFactory


def test_the_factory_is_opened_once_and_shared():
    opened = []

    def load_models():
        opened.append(SmallFactory())
        return opened[-1]

    late_models = LateModels(load_models)
    assert not opened
    assert late_models() is late_models()
    assert len(opened) == 1


def test_a_missing_model_is_told_and_tried_again():
    answers = [FetchError("run mien models pull"), SmallFactory()]

    def load_models():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    late_models = LateModels(load_models)
    with pytest.raises(FetchError, match="models pull"):
        late_models()
    assert isinstance(late_models(), SmallFactory)
