"""`/metrics`: what the server does, for Prometheus. Sums over all broadcasts: a broadcast's id is its viewers' key."""

from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from itertools import accumulate
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from mien.app.access import Action
from mien.app.broadcasts.broadcasts import Broadcasts
from mien.app.states import DELAY_BOUNDS_S, BroadcastState, LiveReport
from mien.server.dependencies import MetricsDep
from mien.server.guards import GuardedRoute, requires

router = APIRouter(tags=["health"], route_class=GuardedRoute)

_COUNTERS: Final = {
    "frames_in": "Frames that publishers sent and that were decoded.",
    "frames_out": "Treated frames.",
    "dropped": "Frames replaced by newer ones before anybody looked.",
    "vision_errors": "Frames whose treatment failed; none of them was sent.",
}


@router.get("/metrics", response_class=Response)
@requires(Action.READ_METRICS)
async def metrics(registry: MetricsDep) -> Response:
    """Show the numbers of this server in Prometheus' text form. Needs the operator's token where one is set."""
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def registry_of(broadcasts: Broadcasts) -> CollectorRegistry:
    """Return a registry that reads `broadcasts` whenever somebody looks."""
    registry = CollectorRegistry()
    for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    registry.register(_LiveCollector(broadcasts))
    return registry


def _by_profile(reports: Iterable[LiveReport]) -> Metric:
    profiles = Counter((report.stats.profile.name, report.stats.profile.reason) for report in reports)
    family = GaugeMetricFamily(
        "mien_profiles", "Broadcasts, by how much is done for each frame, and why.", labels=["profile", "reason"]
    )
    for labels, number in sorted(profiles.items()):
        family.add_metric(list(labels), number)
    return family


class _LiveCollector:
    def __init__(self, broadcasts: Broadcasts) -> None:
        self._broadcasts = broadcasts

    def collect(self) -> Iterable[Metric]:
        """Yield everything that is known about live sessions."""
        reports = [broadcast.report for broadcast in self._broadcasts]
        counts = self._broadcasts.counts

        info = GaugeMetricFamily("mien_info", "The running version.", labels=["version"])
        info.add_metric([version("mien")], 1)
        yield info
        states = Counter(report.state for report in reports)
        by_state = GaugeMetricFamily("mien_broadcasts", "Broadcasts by what their viewers see.", labels=["state"])
        for state in BroadcastState:
            if state is not BroadcastState.ENDED:
                by_state.add_metric([state.value], states[state])
        yield by_state
        viewers = sum(report.stats.viewers for report in reports)
        yield GaugeMetricFamily("mien_viewers", "Connected viewers.", value=viewers)
        faces: Counter[str] = Counter()
        for report in reports:
            faces.update(report.stats.faces)
        by_treatment = GaugeMetricFamily("mien_faces", "Faces in view now, by treatment.", labels=["treatment"])
        for treatment, number in sorted(faces.items()):
            by_treatment.add_metric([treatment], number)
        yield by_treatment
        yield _by_profile(reports)
        yield CounterMetricFamily("mien_live_restarts", "Live sessions that broke.", value=self._broadcasts.lost)
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"mien_{name}", text, value=getattr(counts, name))
        bounds = [*map(str, DELAY_BOUNDS_S), "+Inf"]
        yield HistogramMetricFamily(
            "mien_server_delay_seconds",
            "From a frame's arrival to its being encoded.",
            buckets=list(zip(bounds, accumulate(counts.delays), strict=True)),
            sum_value=counts.delay_sum_s,
        )
