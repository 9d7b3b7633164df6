"""The small ports through which sessions reach the outside; adapters live in `storage`, `media` and `vision`.

`pipelines` is what is asked of vision, `sessions` is what carries a live session. They are protocols and plain values,
and may import `app.policy`, `app.states` and the plain parts of `media` and `vision`.
"""

from mien.app.ports.pipelines import (
    MAX_LIVE_DELAY_FRAMES,
    ChoosesPrimary,
    PersonaCard,
    Pipeline,
    PipelineFactory,
    ReferenceFace,
    Rehearses,
    SavesTime,
    StreamSpec,
    TakesOver,
    Withholds,
    WorksAhead,
)
from mien.app.ports.sessions import Connected, FrameSession, Live, Role, Runner, RunnerHealth, TreatedStill

__all__ = [
    "MAX_LIVE_DELAY_FRAMES",
    "ChoosesPrimary",
    "Connected",
    "FrameSession",
    "Live",
    "PersonaCard",
    "Pipeline",
    "PipelineFactory",
    "ReferenceFace",
    "Rehearses",
    "Role",
    "Runner",
    "RunnerHealth",
    "SavesTime",
    "StreamSpec",
    "TakesOver",
    "TreatedStill",
    "Withholds",
    "WorksAhead",
]
