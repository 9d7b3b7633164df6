import itertools
import math
import random

import pytest

from mien.media.webrtc.egress.bandwidth_probe import Outcome, Probe, RoundTrips
from mien.media.webrtc.egress.layer_selector import LayerSelector

RATES = (2_000_000, 400_000)
TICK_S = 0.005
PACKET = 830


class Router:
    """A line with a queue, its far end as Chromium is one, and the sender's side, all on a clock of its own.

    Args:
        width: Bits a second.
        holds_s: What would wait longer is lost; at 0 every packet above the width is.
        loss: Of whatever comes, at random.
        way_s: Of a packet, and of a report, when nothing waits.
        reports_s: From report to report.
        size: Of the packets that pictures, and so probes, are made of.
    """

    def __init__(self, width, *, holds_s=0.2, loss=0.0, way_s=0.02, reports_s=0.2, size=PACKET):
        self.width, self.holds_s, self.loss, self.way_s = width, holds_s, loss, way_s
        self.reports_s, self.size = reports_s, size
        self.layer_selector = LayerSelector(RATES, now=0.0)
        self.layer_selector.can_probe = True
        self.layer_selector.layer = 1
        self.now = 0.0
        self.history, self.waits, self.on_line = [], [], []
        self._chance = random.Random(1)  # noqa: S311  # the same losses each time
        self._queue_s, self._owed, self._octets = 0.0, 0.0, 0
        self._due = []
        self._estimate = 600_000.0
        self._since = {"came": 0, "media": [0, 0], "again": [0, 0]}

    def run(self, seconds, *, share=1.0):
        end = self.now + seconds
        while self.now < end - TICK_S / 2:
            self.now += TICK_S
            before = self._octets
            self._step(share)
            self.on_line.append((self.now, (self._octets - before) * 8 / TICK_S))
            self.waits.append((self.now, self._queue_s))
        return self.layer_selector.layer

    def _step(self, share):
        self._queue_s = max(self._queue_s - TICK_S, 0.0)
        self._owed += RATES[self.layer_selector.layer] * share / 8 * TICK_S
        while self._owed >= self.size:
            self._owed -= self.size
            self._send("media")
        probe = self.layer_selector.probe
        if probe is not None:
            room = probe.room(self._octets, now=self.now)
            for _ in range(4):
                if room > 0:
                    self._send("again")
                    room -= self.size
        if self._is_time(self.reports_s):
            report = self._report()
            self._due.append((self.now + self.way_s, report))
        while self._due and self._due[0][0] <= self.now:
            self._due.pop(0)[1]()
        if self._is_time(0.25):
            layer = self.layer_selector.choose(RATES[self.layer_selector.layer] * share, now=self.now)
            self.history.append((self.now, layer, self.layer_selector.probe is not None))

    def _is_time(self, every_s):
        return math.floor(self.now / every_s) != math.floor((self.now - TICK_S) / every_s)

    def _send(self, kind):
        self._octets += self.size
        sent, lost = 0, 1
        spend_s = self.size * 8 / self.width
        self._since[kind][sent] += 1
        if self._queue_s > max(self.holds_s, spend_s) or self._chance.random() < self.loss:
            self._since[kind][lost] += 1
            if kind == "media":
                self._due.append((self.now + 2 * self.way_s, lambda: self.layer_selector.on_nack(1)))
                self._due.sort(key=lambda due: due[0])
        else:
            self._queue_s += spend_s
            self._since["came"] += self.size

    def _report(self):
        since, self._since = self._since, {"came": 0, "media": [0, 0], "again": [0, 0]}
        came = since["came"] * 8 / self.reports_s
        if self._queue_s > 0.03:
            self._estimate = min(0.85 * came, self._estimate)
        elif self._estimate < 1.5 * came + 10_000:
            self._estimate *= 1.08**self.reports_s
        estimate, rtt_s = round(self._estimate), 2 * self.way_s + self._queue_s

        def hear():
            layer_selector, now = self.layer_selector, self.now
            layer_selector.round_trip(rtt_s, now=now)
            for kind, tell in (("media", layer_selector.on_loss), ("again", layer_selector.on_receiver_report)):
                sent, lost = since[kind]
                if sent:
                    tell(lost / sent, sent, now=now)
            layer_selector.on_estimate(estimate, now=now)

        return hear

    def rate(self, since, until):
        return sum(rate for at, rate in self.on_line if since < at <= until) * TICK_S / (until - since)


def trips(*all_s):
    """Return round trips of which so long ones were told, a fifth of a second apart."""
    noted = RoundTrips()
    for number, rtt_s in enumerate(all_s):
        noted.note(rtt_s, now=number / 5)
    return noted


def probes(line):
    """Return when each probe began and ended."""
    found = []
    for is_on, group in itertools.groupby(line.history, key=lambda one: one[2]):
        times = [at for at, _, _ in group]
        if is_on:
            found.append((times[0], times[-1]))
    return found


def test_a_wide_line_is_filled_in_steps_and_gets_the_better_rung():
    line = Router(20_000_000)
    assert line.run(20) == 0
    ((began, ended),) = probes(line)
    assert 4 < ended - began < 9
    quarters = [line.rate(at, at + 0.25) for at in [began + number / 4 for number in range(int((ended - began) * 4))]]
    assert all(after < 1.45 * before for before, after in itertools.pairwise(quarters))
    assert line.rate(ended - 0.75, ended) == pytest.approx(1.1 * RATES[0], rel=0.05)
    assert max(wait for _, wait in line.waits) < 0.01


@pytest.mark.parametrize("width", [500_000, 600_000, 900_000, 1_300_000, 1_800_000])
def test_a_narrow_line_is_never_given_the_better_rung_and_waits_no_longer_than_a_player_buffers(width):
    line = Router(width)
    line.run(300)
    assert {layer for _, layer, _ in line.history} == {1}
    assert probes(line)
    assert max(wait for _, wait in line.waits) <= 0.2
    begun = [began for began, _ in probes(line)]
    waits = [after - before for before, after in itertools.pairwise(begun)]
    assert all(after > 0.9 * before for before, after in itertools.pairwise(waits))
    assert waits[-1] < 75


def test_a_line_without_a_queue_that_drops_what_is_too_much_refuses():
    line = Router(700_000, holds_s=0.0)
    line.run(120)
    assert {layer for _, layer, _ in line.history} == {1}
    assert all(ended - began < 4 for began, ended in probes(line))


def test_two_packets_in_a_hundred_that_get_lost_refuse_nothing():
    line = Router(20_000_000, loss=0.02)
    assert line.run(60) == 0


def test_a_line_that_widens_gets_the_better_rung_within_the_longest_wait_and_a_probe():
    line = Router(600_000)
    line.run(200)
    line.width = 20_000_000
    since = line.now
    line.run(80)
    risen = next(at for at, layer, _ in line.history if layer == 0)
    assert risen - since < 70


def test_a_far_end_that_reports_every_five_seconds_is_waited_for():
    line = Router(20_000_000, reports_s=5.0)
    assert line.run(90) == 0


def test_whoever_reports_nothing_while_a_probe_goes_on_gets_no_more():
    probe = Probe(400_000, 2_000_000, now=0.0)
    octets = 0
    for number in range(2000):
        room = probe.room(octets, now=number * TICK_S)
        octets += int(max(room, 0))
    assert probe.outcome is Outcome.REFUSED
    assert probe.rate < 500_000


def test_pictures_too_small_to_fill_the_line_with_leave_it_untold_and_the_rung_is_tried():
    line = Router(20_000_000, size=40)
    assert line.run(60, share=0.1) == 0
    ((began, ended),) = probes(line)
    assert ended - began > 6


def test_a_probe_never_sends_a_burst_after_a_pause_of_ours():
    probe = Probe(400_000, 2_000_000, now=0.0)
    assert probe.room(0, now=0.0) == 0
    assert probe.room(0, now=5.0) <= 3000


def test_what_pictures_and_answered_requests_take_is_not_added():
    probe = Probe(400_000, 2_000_000, now=0.0)
    probe.room(0, now=0.0)
    assert probe.room(20_000, now=0.01) < 0  # a keyframe
    assert probe.room(20_000, now=0.05) < 0


def test_a_probe_that_begins_at_a_standstill_gets_on():
    probe = Probe(0.0, 400_000, now=0.0)
    octets, now = 0, 0.0
    while probe.outcome is None and now < 30:
        now += TICK_S
        octets += int(max(probe.room(octets, now=now), 0))
        probe.on_estimate(600_000, now=now)
    assert probe.outcome is Outcome.CARRIED


def test_a_probe_ends_when_its_viewer_is_in_trouble_anyway():
    line = Router(20_000_000)
    line.run(9)
    assert line.layer_selector.probe is not None
    for _ in range(8):
        line.layer_selector.on_loss(0.9, 200, now=line.now)
        line.now += 0.3
        line.layer_selector.choose(400_000, now=line.now)
    assert line.layer_selector.probe is None


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda probe: probe.on_estimate(500_000, now=1.0), id="a fallen estimate"),
        pytest.param(lambda probe: probe.on_round_trip(trips(0.02, 0.08, 0.09), now=1.0), id="packets that wait"),
        pytest.param(lambda probe: probe.on_round_trip(trips(0.02, 0.02, 0.15), now=1.0), id="one that waits for long"),
        pytest.param(lambda probe: probe.on_loss(0.25, 20, now=1.0), id="losses"),
        pytest.param(lambda probe: probe.on_nack(4), id="requests"),
    ],
)
def test_each_sign_of_trouble_ends_a_probe_at_once(trouble):
    probe = Probe(400_000, 2_000_000, now=0.0)
    probe.on_estimate(600_000, now=0.9)
    probe.room(0, now=0.9)
    trouble(probe)
    assert probe.outcome is Outcome.REFUSED
    assert probe.room(0, now=1.0) == 0


def test_an_estimate_that_does_not_rise_a_lost_packet_and_a_jittery_line_end_nothing():
    probe = Probe(400_000, 2_000_000, now=0.0)
    for number in range(10):
        probe.on_estimate(600_000 - number, now=number / 10)
        probe.on_round_trip(trips(0.02, 0.1 if number % 2 else 0.03), now=number / 10)
    probe.on_loss(0.5, 2, now=1.0)
    probe.on_nack(1)
    assert probe.outcome is None


def test_no_probe_begins_on_the_best_rung_without_leave_or_where_nothing_can_be_padded():
    best = LayerSelector(RATES, now=0.0)
    best.can_probe = True
    waiting = LayerSelector(RATES, now=0.0)
    waiting.can_probe, waiting.layer = True, 1
    plain = LayerSelector(RATES, now=0.0)
    plain.layer = 1
    for second in range(60):
        for layer_selector in (best, plain):
            layer_selector.choose(400_000, now=float(second))
            assert layer_selector.probe is None
        waiting.choose(400_000, now=float(second), may_probe=False)
        assert waiting.probe is None
    assert (best.layer, waiting.layer, plain.layer) == (0, 1, 0)
    waiting.choose(400_000, now=61.0)
    assert waiting.probe is not None


def test_a_late_round_trip_keeps_the_rate_where_it_is_until_the_next():
    probe = Probe(400_000, 2_000_000, now=0.0)
    octets, rates = 0, []
    for number in range(1, 600):
        octets += int(max(probe.room(octets, now=number * TICK_S), 0))
        probe.on_round_trip(trips(0.02, 0.1 if 200 < number < 400 else 0.03), now=number * TICK_S)
        rates.append(probe.rate)
    assert rates[199] > rates[0]
    assert rates[399] == rates[200]
    assert rates[-1] > rates[399]


def test_two_late_round_trips_in_a_row_say_that_packets_wait_and_one_does_not():
    trips = RoundTrips()
    assert trips.waiting_s is None
    for number, rtt_s in enumerate((0.04, 0.05, 0.3, 0.05, 0.2, 0.25)):
        trips.note(rtt_s, now=number / 5)
        if number == 2:
            assert trips.waiting_s == pytest.approx(0.01)
    assert trips.waiting_s == pytest.approx(0.16)


def test_the_shortest_round_trip_is_forgotten_when_the_way_became_longer():
    trips = RoundTrips()
    trips.note(0.01, now=0.0)
    for number in range(1, 300):
        trips.note(0.11, now=number / 10)
    assert trips.waiting_s == 0


def test_a_flood_of_reports_costs_no_memory():
    trips = RoundTrips()
    for number in range(100_000):
        trips.note(number * 1e-5, now=number * 1e-3)
    assert len(trips._least) <= 401
