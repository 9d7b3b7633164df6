"""Which of a broadcast's sizes a viewer's line carries, told from what the viewer reports."""

import math
from collections.abc import Sequence
from typing import Final

from mien.media.webrtc.egress.bandwidth_probe import Outcome, Probe, RoundTrips

_FALL: Final = 0.97
"""An estimate below this share of the one before fell; less is noise."""
_FALL_COUNTS_S: Final = 4.0
_PRESSED: Final = 0.9
_PRESSED_S: Final = 0.75
_LOSSY: Final = 0.1
"""Google's congestion control (draft-ietf-rmcat-gcc-02, 6) slows down above it, and holds above the next."""
_UNREST: Final = 0.05
_UNREST_PACKETS: Final = 2.5
"""Two of the twenty packets that a small frame's half second has are no sign: one in fifty got lost, by chance."""
_LOSSY_S: Final = 1.5
_FLOODED: Final = 0.5
"""When most packets get lost, nothing is seen at all and waiting for certainty is no use."""
_LOSS_SPAN_S: Final = 0.5
_LOSS_PACKETS: Final = 20
"""Losses are weighed over so long and so many packets. Chromium reports with every NACK, fifty times a second when
much gets lost, and what such a report covers is often a single burst or a single gap."""
_SETTLE_S: Final = 3.0
_FLOODED_SETTLE_S: Final = 0.6
_FIRST_PATIENCE_S: Final = 8.0
_MAX_PATIENCE_S: Final = 120.0
_MAX_PROBE_PATIENCE_S: Final = 60.0
"""Probes cost the viewer nothing to see, so they may come more often than trials."""
_TRIAL_S: Final = 20.0
_ROOM: Final = 1.3
_FULL_S: Final = 0.1
"""Packets that wait for longer say that the line is full; browsers without computing time are late by less."""
_MEANT: Final = 0.5
_UNTIMED_S: Final = 3.0
"""Who has told nothing about round trips for so long never will."""


class LayerSelector:
    """Chooses a layer for one viewer.

    Down it goes when the viewer's estimate of its line fell and stays below what is sent, when a tenth is lost for a
    while, or at once when most is lost. An estimate that is low but never fell means nothing: receivers let it grow
    only with what they get, to one and a half times as much. The very first one is different: receivers give none
    before they know what comes in, or the line is full, so one that is lower than what is sent did fall.

    A first one, or one that fell a little, is believed only if packets wait or get lost as well: a receiver that is
    short of computing time takes its own lateness for the line's. One that fell to less than half of what is sent is
    meant, be it for another reason than the line.

    For the same reason an estimate cannot tell whether a better layer would fit, only whether the present one has
    room to spare; so after a calm while the line is probed, and every probe that fails doubles the wait for the next.
    Where nothing can be sent to probe it, the better layer itself is tried.

    Args:
        bit_rates: One for each layer, best first, in bits a second.
        now: In seconds, as in all other methods; never falls.

    Attributes:
        layer: The choice.
        estimate: What the viewer last said of its line, bits a second; None if it says nothing.
        loss: The share of packets lost that it last reported.
        can_probe: Whether the viewer takes what probes are made of.
        probe: The one that goes on.
        wonders: Whether round trips, as many as can be had, would help to decide.
    """

    def __init__(self, bit_rates: Sequence[int], *, now: float) -> None:
        self.layer = 0
        self.estimate: int | None = None
        self.loss = 0.0
        self.can_probe = False
        self.probe: Probe | None = None
        self.wonders = False
        self._round_trips = RoundTrips()
        self._began_at = now
        self._lost_at = -math.inf
        self._bit_rates = bit_rates
        self._sent_bit_rate = 0.0
        self._moved_at = now - _SETTLE_S
        self._moved_up = False
        self._fell_at = -_FALL_COUNTS_S + now
        self._is_doubtful = True
        self._pressed_since: float | None = None
        self._lossy_since: float | None = None
        self._flooded = False
        self._span_began = now
        self._span_packets = 0
        self._span_lost = 0.0
        self._restless_at = now
        self._patience_s = _FIRST_PATIENCE_S

    def on_estimate(self, bit_rate: int, *, now: float) -> None:
        """Note the viewer's estimate of its line (REMB)."""
        before = self._sent_bit_rate if self.estimate is None else self.estimate
        if bit_rate < before * _FALL:
            self._fell_at = now
            if self.estimate is not None and before >= _MEANT * self._sent_bit_rate:
                self._is_doubtful = False
        self.estimate = bit_rate
        if self.probe is not None:
            self.probe.on_estimate(bit_rate, now=now)

    def round_trip(self, rtt_s: float, *, now: float) -> None:
        """Note a round trip, in seconds."""
        self._round_trips.note(rtt_s, now=now)
        if self.probe is not None:
            self.probe.on_round_trip(self._round_trips, now=now)

    def on_nack(self, packets: int) -> None:
        """Note that the viewer asked for so many packets again."""
        if self.probe is not None:
            self.probe.on_nack(packets)

    def on_receiver_report(self, fraction: float, packets: int, *, now: float) -> None:
        """Note the share of packets sent again, most of which are a probe's, that got lost."""
        if self.probe is not None:
            self.probe.on_loss(fraction, packets, now=now)

    def on_loss(self, fraction: float, packets: int, *, now: float) -> None:
        """Note the share of `packets`, those since the viewer's last report, that got lost."""
        if self.probe is not None:
            self.probe.on_loss(fraction, packets, now=now)
        self._span_lost += fraction * packets
        self._span_packets += packets
        if now - self._span_began < _LOSS_SPAN_S or self._span_packets < _LOSS_PACKETS:
            return
        self.loss = self._span_lost / self._span_packets
        is_unrest = self.loss > _UNREST and self._span_lost > _UNREST_PACKETS
        self._begin_span(now)
        self._flooded = self.loss > _FLOODED
        if self.loss <= _LOSSY:
            self._lossy_since = None
        elif self._lossy_since is None:
            self._lossy_since = now
        if is_unrest:
            self._restless_at = self._lost_at = now

    def choose(self, sent_bit_rate: float, *, now: float, may_probe: bool = True) -> int:
        """Return the layer to send.

        Args:
            sent_bit_rate: What was sent in the last seconds, without probes.
            now: The time.
            may_probe: Whether a probe may begin.
        """
        self._sent_bit_rate = sent_bit_rate
        pressed = self._is_pressed(sent_bit_rate, now)
        lossy = self._lossy_since is not None and now - self._lossy_since >= _LOSSY_S
        if self._moved_up and now - self._moved_at > _TRIAL_S:
            self._moved_up = False
            self._patience_s = _FIRST_PATIENCE_S
        if pressed or lossy or self._flooded:
            self._restless_at = now
            if self.probe is not None:
                self._give_up_probe(now)
            settle_s = _FLOODED_SETTLE_S if self._flooded else _SETTLE_S
            if self.layer < len(self._bit_rates) - 1 and now - self._moved_at >= settle_s:
                self._go_down(now)
        elif self.probe is not None:
            self._heed(self.probe, now)
        elif self.layer > 0 and self._is_calm(now) and self._has_room(sent_bit_rate):
            if not self.can_probe:
                self._go_up(now)
            elif may_probe:
                self.probe = Probe(sent_bit_rate, self._bit_rates[self.layer - 1], now=now)
        return self.layer

    def _heed(self, probe: Probe, now: float) -> None:
        if probe.outcome is Outcome.REFUSED:
            self._give_up_probe(now)
        elif probe.outcome is not None:
            self._go_up(now)

    def _give_up_probe(self, now: float) -> None:
        self.probe = None
        self._restless_at = now
        self._patience_s = min(2 * self._patience_s, _MAX_PROBE_PATIENCE_S)

    def _begin_span(self, now: float) -> None:
        self._span_began, self._span_packets, self._span_lost = now, 0, 0.0

    def _is_pressed(self, sent_bit_rate: float, now: float) -> bool:
        low = self.estimate is not None and self.estimate < _PRESSED * sent_bit_rate
        meant = self._is_meant(sent_bit_rate)
        self.wonders = low and not meant and now - self._fell_at <= _FALL_COUNTS_S
        if not low or now - self._fell_at > _FALL_COUNTS_S or not (meant or self._is_full(now)):
            self._pressed_since = None
            return False
        if self._pressed_since is None:
            self._pressed_since = now
        return now - self._pressed_since >= _PRESSED_S

    def _is_meant(self, sent_bit_rate: float) -> bool:
        return not self._is_doubtful and self.estimate is not None and self.estimate < _MEANT * sent_bit_rate

    def _is_full(self, now: float) -> bool:
        if now - self._lost_at < _FALL_COUNTS_S:
            return True
        waiting_s = self._round_trips.waiting_s
        return now - self._began_at >= _UNTIMED_S if waiting_s is None else waiting_s > _FULL_S

    def _is_calm(self, now: float) -> bool:
        return now - max(self._restless_at, self._moved_at) >= self._patience_s

    def _has_room(self, sent_bit_rate: float) -> bool:
        if self.estimate is None:
            return True
        return self.estimate >= min(self._bit_rates[self.layer - 1], _ROOM * sent_bit_rate)

    def _go_up(self, now: float) -> None:
        self._move(self.layer - 1, now)
        self._moved_up = True

    def _go_down(self, now: float) -> None:
        if self._moved_up:
            self._patience_s = min(2 * self._patience_s, _MAX_PATIENCE_S)
        layer = self.layer + 1
        while layer < len(self._bit_rates) - 1 and self.estimate is not None and self._bit_rates[layer] > self.estimate:
            layer += 1
        self._move(layer, now)
        self._moved_up = False

    def _move(self, layer: int, now: float) -> None:
        self.layer = layer
        self.probe = None
        self._moved_at = self._restless_at = now
        self._pressed_since = self._lossy_since = None
        self._flooded = False
        self._begin_span(now)  # what is reported next was lost on the old layer
