from mien.app.states import BroadcastState
from mien.server.listeners import Listeners, News, View, Views


class Looked:
    """Counts how often a broadcast was looked at."""

    def __init__(self):
        self.reports = []

    def __call__(self, report):
        self.reports.append(report)
        return View({"look": len(self.reports)}, str(len(self.reports)))


def test_a_broadcast_is_looked_at_once_for_three_listeners():
    looked = Looked()
    views = Views(looked)
    for step in range(10):
        assert len({views.at(200.0 + 0.25 * step + 0.01 * listener).text for listener in range(3)}) == 1
    assert len(looked.reports) == 10


def test_the_end_is_looked_at_once_too():
    looked = Looked()
    views = Views(looked)
    assert len({views.ended().text for _ in range(3)}) == 1
    assert [report.state for report in looked.reports] == [BroadcastState.ENDED]


def test_who_comes_in_the_middle_of_an_interval_sees_what_is():
    looked = Looked()
    views = Views(looked)
    views.at(100.0)
    views.forget()
    assert views.at(100.1).text == "2"


def test_everybody_wakes_when_an_interval_begins():
    for now in (100.0, 100.01, 100.2, 100.2499):
        assert abs(now + Views.until_next_s(now) - 100.25) < 1e-9


def test_listeners_to_one_broadcast_share_its_views_until_the_last_has_gone():
    listeners, broadcast, other = Listeners(), object(), object()
    with listeners.listening(broadcast) as first:
        with listeners.listening(broadcast) as second, listeners.listening(other) as third:
            assert first is second is not third
            assert len(listeners) == 3
        assert len(listeners) == 1
        with listeners.listening(broadcast) as again:
            assert again is first
    assert len(listeners) == 0
    assert not listeners._views


def test_a_listener_is_told_a_change_at_once_and_numbers_after_a_second():
    news = News()
    same = View({"state": "live"}, "{}")
    assert [news.is_new(same, at=at) for at in (100.0, 100.25, 100.5, 100.75, 101.0)] == [True, *[False] * 3, True]
    assert news.is_new(View({"state": "paused"}, "{}"), at=101.25)
