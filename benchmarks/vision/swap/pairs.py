"""The pairs on which a swap is judged: stretches of film, and photos for the people in them.

No constant of the swap was chosen by the held-out pairs: their photos were drawn, without a look, from those that were
left. The tuning pairs are other photos on other stretches of film; the pairs seen were held out until they had judged
too often.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Live:
    """A stretch of film. `part_xywh` cuts a person out of it; `enlarge` makes a small one larger."""

    clip: str
    first: int = 0
    part_xywh: tuple[int, int, int, int] | None = None
    enlarge: int = 1


_GROUP = "video_multi/mp_intel_face-demographics-walking-and-pause_x2"
LIVES: Final = {
    # held out
    "street-late": Live("video_talking/th_humo_woman_street", 47),
    "cheer-late": Live("video_talking/th_humo_man_red_cheer", 47),
    "glasses-mid": Live("video_talking/th_egoblur_woman_glasses_walk", 200),
    "glasses-late": Live("video_talking/th_egoblur_woman_glasses_walk", 480),
    "dark-mid": Live("video_talking/th_tos_youngman_dark", 120),
    "dark-late": Live("video_talking/th_tos_youngman_dark", 250),
    "signer-5": Live("video_talking/th_intel_asl_20signs_hands", 500),
    "signer-9": Live("video_talking/th_intel_asl_20signs_hands", 800),
    "smile": Live("video_talking/th_intel_head-pose-face-detection-male_x3", 110),
    "tilt": Live("video_talking/th_tfjs_woman_glasses_tilt", 120),
    "group-left-late": Live(_GROUP, 32, (10, 0, 170, 270), 3),
    "group-right-late": Live(_GROUP, 32, (265, 0, 170, 270), 3),
    # once held out, since then seen too often
    "street": Live("video_talking/th_humo_woman_street"),
    "cheer": Live("video_talking/th_humo_man_red_cheer"),
    "glasses": Live("video_talking/th_egoblur_woman_glasses_walk", 300),
    "dark": Live("video_talking/th_tos_youngman_dark", 20),
    "turning": Live("video_talking/th_intel_head-pose-face-detection-female_x3"),
    "signer-2": Live("video_talking/th_intel_asl_20signs_hands", 205),
    "signer-3": Live("video_talking/th_intel_asl_20signs_hands", 290),
    "backlit": Live("video_talking/th_tfjs_woman_glasses_tilt", 220),
    "group-left": Live(_GROUP, 0, (10, 0, 170, 270), 3),
    "group-middle": Live(_GROUP, 0, (165, 0, 130, 270), 3),
    "group-right": Live(_GROUP, 0, (265, 0, 170, 270), 3),
    # for tuning
    "lab": Live("video_talking/th_humo_woman_lab"),
    "lab-turned": Live("video_talking/th_humo_woman_lab", 46),
    "backlit-early": Live("video_talking/th_tfjs_woman_glasses_tilt", 30),
    "glasses-early": Live("video_talking/th_egoblur_woman_glasses_walk", 70),
    "signer-1": Live("video_talking/th_intel_asl_20signs_hands", 50),
    "grin": Live("video_talking/th_intel_head-pose-face-detection-male_x3", 45),
}

HELD_OUT: Final = (
    ("street-late", "flux_man_0211"), ("street-late", "sfhq_068"),
    ("cheer-late", "sfhq_036"), ("cheer-late", "sfhq_048"),
    ("glasses-mid", "sfhq_049"), ("glasses-mid", "sfhq_060"),
    ("glasses-late", "sfhq_081"), ("glasses-late", "sfhq_045"),
    ("dark-mid", "sfhq_066"), ("dark-mid", "sfhq_024"),
    ("dark-late", "flux_man_0181"), ("dark-late", "flux_man_0003"),
    ("signer-5", "sfhq_023"), ("signer-5", "flux_man_0170"),
    ("signer-9", "sfhq_062"), ("signer-9", "sfhq_083"),
    ("smile", "sfhq_063"), ("smile", "sfhq_032"),
    ("tilt", "sfhq_058"), ("tilt", "sfhq_077"),
    ("group-left-late", "sfhq_043"), ("group-left-late", "sfhq_076"),
    ("group-right-late", "sfhq_059"), ("group-right-late", "sfhq_065"),
)  # fmt: skip
SEEN: Final = (
    ("street", "flux_man_0056"), ("street", "sfhq_004"), ("street", "sfhq_007"), ("street", "sfhq_026"),
    ("cheer", "sfhq_010"), ("cheer", "sfhq_021"), ("cheer", "flux_man_0154"),
    ("glasses", "sfhq_016"), ("glasses", "sfhq_078"), ("glasses", "sfhq_002"),
    ("dark", "sfhq_056"), ("dark", "flux_man_0017"),
    ("turning", "sfhq_052"), ("turning", "sfhq_022"),
    ("signer-2", "sfhq_031"), ("signer-2", "sfhq_017"),
    ("signer-3", "sfhq_028"), ("signer-3", "sfhq_084"),
    ("backlit", "flux_man_0177"), ("backlit", "sfhq_012"), ("backlit", "sfhq_069"),
    ("group-left", "sfhq_029"), ("group-middle", "sfhq_061"), ("group-right", "sfhq_001"),
)  # fmt: skip
TUNING: Final = (
    ("lab", "sfhq_003"), ("lab", "sfhq_057"), ("lab", "sfhq_014"), ("lab", "sfhq_015"),
    ("lab-turned", "sfhq_035"), ("lab-turned", "sfhq_005"),
    ("backlit-early", "flux_man_0001"), ("backlit-early", "sfhq_018"), ("backlit-early", "sfhq_041"),
    ("glasses-early", "sfhq_075"), ("glasses-early", "flux_man_0119"),
    ("signer-1", "sfhq_008"), ("signer-1", "sfhq_009"),
    ("grin", "sfhq_027"), ("grin", "sfhq_033"),
)  # fmt: skip
PAIRS: Final = {"held-out": HELD_OUT, "seen": SEEN, "tuning": TUNING}
ALONE: Final = ("street", "cheer", "glasses", "dark", "turning", "backlit", "group-left", "grin")
"""Films in which one person is seen throughout."""
