import itertools

import pytest

from mien.media.webrtc.egress.layer_selector import LayerSelector

RATES = (2_000_000, 900_000, 400_000)


class SrtpWriter:
    """A line of a given width, and a receiver that estimates it as Chromium's does.

    What arrives is what fits, and that is the first estimate; on overuse it falls to 85 % of it, else it grows by
    8 % a second, to no more than one and a half times what arrives.
    """

    def __init__(self, width, rates=RATES, *, loss=0.0, says_estimate=True):
        self.width, self.rates, self.loss = width, rates, loss
        self.says_estimate = says_estimate
        self.layer_selector = LayerSelector(rates, now=0.0)
        self.estimate = None
        self.now = 0.0
        self.sent = 0.0
        self.history = []

    def run(self, seconds, *, share=1.0):
        for _ in range(int(seconds)):
            for _ in range(4):
                self.now += 0.25
                rate = self.rates[self.layer_selector.layer] * share
                self.sent += 0.2 * (rate - self.sent)
                self.history.append((self.now, self.layer_selector.choose(self.sent, now=self.now)))
            arrived = min(rate, self.width)
            if rate > self.width:
                self.estimate = 0.85 * arrived
            elif self.estimate is None:
                self.estimate = arrived
            else:
                self.estimate = max(min(self.estimate * 1.08, 1.5 * arrived + 10_000), self.estimate * 0.99)
            if self.says_estimate:
                self.layer_selector.on_estimate(int(self.estimate), now=self.now)
            overflow = max(0.0, 1 - self.width / rate)
            self.layer_selector.on_loss(max(self.loss, overflow), 200, now=self.now)
        return self.layer_selector.layer

    def changes(self, since=0.0):
        moves, last = [], None
        for at, layer in self.history:
            if last is not None and layer != last and at > since:
                moves.append((at, layer))
            last = layer
        return moves


def test_a_wide_line_stays_on_the_best_rung():
    line = SrtpWriter(10_000_000)
    assert line.run(120) == 0
    assert not line.changes()


@pytest.mark.parametrize("says_estimate", [True, False], ids=["with an estimate", "by losses alone"])
def test_a_narrow_line_goes_down_soon_and_stays_down_most_of_the_time(says_estimate):
    line = SrtpWriter(1_200_000, says_estimate=says_estimate)
    line.run(10)
    assert line.layer_selector.layer == 1
    line.run(600)
    better = sum(layer == 0 for _, layer in line.history) / len(line.history)
    assert better < 0.1
    tries = [at for at, layer in line.changes(10) if layer == 0]
    waits = [after - before for before, after in itertools.pairwise(tries)]
    assert waits == sorted(waits)  # every failure makes the next try later
    if len(waits) > 1:
        assert waits[-1] > 60


def test_a_very_narrow_line_skips_rungs():
    line = SrtpWriter(450_000)
    line.run(8)
    assert line.layer_selector.layer == 2
    assert next(layer for _, layer in line.changes()) == 2


def test_a_line_that_recovers_gets_the_best_rung_back():
    line = SrtpWriter(500_000)
    assert line.run(20) == 2
    line.width = 20_000_000
    assert line.run(90) == 0


def test_a_line_with_little_room_is_not_tried():
    line = SrtpWriter(600_000, rates=(2_000_000, 500_000))
    line.run(15)
    line.estimate = 600_000.0  # what a receiver learns of a line that is almost full
    for _ in range(300):
        line.now += 1
        line.layer_selector.on_estimate(600_000, now=line.now)
        line.layer_selector.on_loss(0.0, 200, now=line.now)
        assert line.layer_selector.choose(500_000, now=line.now) == 1


def test_an_estimate_that_was_never_high_is_no_reason_to_go_down():
    layer_selector = LayerSelector(RATES, now=0.0)
    for second in range(60):
        layer_selector.on_estimate(85_000 + 5_000 * second, now=float(second))  # it learned from a still picture
        assert layer_selector.choose(2_000_000, now=float(second)) == 0


def test_two_percent_of_random_loss_moves_nobody_and_a_single_bad_report_neither():
    line = SrtpWriter(10_000_000, loss=0.02)
    line.run(60)
    line.layer_selector.on_loss(0.4, 200, now=line.now)
    line.run(1)
    line.run(60)
    assert not line.changes()


def test_lasting_loss_without_any_estimate_goes_down():
    layer_selector = LayerSelector(RATES, now=0.0)
    for second in range(5):
        layer_selector.on_loss(0.3, 200, now=float(second))
        layer_selector.choose(2_000_000, now=float(second))
    assert layer_selector.layer > 0
    assert layer_selector.loss == 0.3


def test_one_rung_is_never_left():
    line = SrtpWriter(100_000, rates=(2_000_000,))
    assert line.run(60) == 0


def test_a_line_that_loses_most_goes_down_at_once():
    layer_selector = LayerSelector((2_000_000, 400_000), now=0.0)
    at = 1.0
    while not layer_selector.choose(2_700_000, now=at):
        at += 0.02
        layer_selector.on_loss(0.75, 4, now=at)
    assert 1.0 < at < 1.6


def test_reports_that_follow_each_other_closely_are_weighed_together():
    """Chromium's, as one of its viewers sent them behind 600 kbit/s: every other one covers a gap without a loss."""
    layer_selector = LayerSelector((2_000_000, 400_000), now=0.0)
    for number in range(60):
        at = 1 + number * 0.02
        layer_selector.on_loss(0.25 if number % 2 else 0.0, 8 if number % 2 else 2, now=at)
        layer_selector.choose(2_000_000, now=at)
    assert layer_selector.layer == 0
    assert layer_selector.loss == pytest.approx(0.2, abs=0.02)
    for number in range(100):
        at = 2.2 + number * 0.02
        layer_selector.on_loss(0.25 if number % 2 else 0.0, 8 if number % 2 else 2, now=at)
        layer_selector.choose(2_000_000, now=at)
    assert layer_selector.layer == 1


@pytest.mark.parametrize(
    ("tell", "layer"),
    [
        pytest.param(lambda layer_selector, at: layer_selector.on_loss(0.1, 60, now=at), 1, id="packets get lost"),
        pytest.param(
            lambda layer_selector, at: layer_selector.round_trip(0.04 + at / 10, now=at), 1, id="packets wait"
        ),
        pytest.param(lambda _chooser, _at: None, 1, id="nothing is known of them"),
        pytest.param(lambda layer_selector, at: layer_selector.round_trip(0.04, now=at), 0, id="none waits"),
        pytest.param(
            lambda layer_selector, at: (
                layer_selector.round_trip(0.04, now=at),
                layer_selector.on_loss(0.02, 60, now=at),
            ),
            0,
            id="a few get lost",
        ),
    ],
)
def test_a_first_estimate_below_what_is_sent_says_that_the_line_is_full_if_it_shows(tell, layer):
    """As Chromium's on a line that is full, and in a browser that is short of computing time on one that is not."""
    layer_selector = LayerSelector((2_000_000, 400_000), now=0.0)
    for quarter in range(18):
        at = quarter / 4
        layer_selector.choose(2_000_000, now=at)
        tell(layer_selector, at)
        if at > 1:
            layer_selector.on_estimate(int(435_000 * 1.08**at * (0.8 if quarter % 5 == 0 else 1)), now=at)
    assert layer_selector.layer == layer


@pytest.mark.parametrize(
    ("estimate", "layer"),
    [pytest.param(1_700_000, 0, id="by its own lateness"), pytest.param(300_000, 1, id="since it wants less")],
)
def test_a_fall_on_a_line_where_nothing_waits_counts_if_it_is_deep(estimate, layer):
    layer_selector = LayerSelector((2_000_000, 400_000), now=0.0)
    for quarter in range(40):
        at = quarter / 4
        layer_selector.round_trip(0.04, now=at)
        layer_selector.on_loss(0.0, 60, now=at)
        layer_selector.on_estimate(3_000_000 if at < 5 else estimate, now=at)
        layer_selector.choose(2_000_000, now=at)
    assert layer_selector.layer == layer


def test_a_better_rung_that_floods_the_line_is_left_within_two_seconds():
    line = SrtpWriter(600_000, rates=(2_000_000, 400_000), says_estimate=False)
    line.run(60)
    moves = line.changes()
    stays = [down - up for (up, to), (down, _) in itertools.pairwise(moves) if to == 0]
    assert stays
    assert max(stays) <= 2


def test_round_trips_are_wanted_while_a_fallen_estimate_is_doubted():
    layer_selector = LayerSelector((2_000_000, 400_000), now=0.0)
    layer_selector.on_estimate(3_000_000, now=0.0)
    layer_selector.choose(2_000_000, now=0.5)
    assert not layer_selector.wonders
    layer_selector.on_estimate(1_500_000, now=1.0)
    layer_selector.choose(2_000_000, now=1.0)
    assert layer_selector.wonders
    layer_selector.choose(2_000_000, now=6.0)
    assert not layer_selector.wonders
