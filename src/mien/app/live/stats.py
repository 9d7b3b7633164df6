"""The numbers of a live session, gathered from its parts."""

from mien.app.live.output import LiveOutput
from mien.app.live.treating import Treating
from mien.app.states import MAX_FACES_TOLD, FaceReport, LiveCounts, LiveStats, Load
from mien.media.meters import RateMeter


def stats_of(
    now: float, *, arrived: RateMeter, dropped: int, treating: Treating, output: LiveOutput, load: Load
) -> LiveStats:
    """Return what is known at `now`.

    Args:
        now: Seconds of the monotonic clock.
        arrived: Counts decoded frames.
        dropped: So many frames were late before they came to be treated.
        treating: Treats frames.
        output: Sends them.
        load: Whether the session keeps up.
    """
    encoder = output.encoder
    return LiveStats(
        fps_in=round(arrived.rate(now), 1),
        fps_out=round(encoder.out.rate(now), 1),
        vision_ms=treating.vision_ms,
        server_delay_ms=encoder.delays.median_ms,
        faces=dict(encoder.counts),
        viewers=output.viewers,
        size_wh=encoder.size_wh,
        load=load,
        profile=treating.profile,
        codec=output.codec,
        layers=output.layers,
        recording=output.recording,
        pushes=output.pushes,
        seen=tuple(map(FaceReport.of, encoder.faces[:MAX_FACES_TOLD])),
        asked_primary=treating.asked_primary,
        counts=LiveCounts(
            frames_in=arrived.total,
            frames_out=encoder.out.total,
            dropped=dropped + treating.dropped + encoder.treated.dropped,
            vision_errors=treating.errors,
            delays=tuple(encoder.delay_histogram.counts),
            delay_sum_s=encoder.delay_histogram.sum_s,
        ),
    )
