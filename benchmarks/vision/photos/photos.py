"""The photos by which the photo assessor is judged, what they are labelled, and all that looks at them."""

from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks.vision.films import SHARED
from benchmarks.vision.portraits import Portrait, cut_portrait, is_development
from benchmarks.vision.swap.measures import Judges
from mien.app.factory import VisionFactory
from mien.config import Settings
from mien.media.files.images import decode_image
from mien.registry.runtime import Runtime
from mien.registry.store import Store
from mien.vision.analysis.embedder import DlibEmbedder
from mien.vision.photos.quality import PhotoAssessor, PhotoIssue
from mien.vision.types import Image
from support.photos import astronaut, hopper

REAL: Final = SHARED / "faces_real_pd"
STILLS: Final = SHARED / "media" / "stills_synth"

Row: TypeAlias = dict[str, Any]

G, F, T, M, S = PhotoIssue.GLASSES, PhotoIssue.FRINGE, PhotoIssue.FACE_TURNED, PhotoIssue.MOUTH_OPEN, PhotoIssue.SMILE
LABELLED: Final[dict[str, tuple[PhotoIssue, ...]]] = {
    "adam-schiff": (), "alcee-hastings": (M,), "ann-wagner": (S,), "ben-cline": (), "bill-posey": (T,),
    "brad-sherman": (G,), "carolyn-maloney": (S,), "cathy-mcmorris-rodgers": (F,), "chip-roy": (S,),
    "chuck-fleischmann": (), "clay-higgins": (F, T), "daniel-meuser": (G,), "david-cicilline": (S,),
    "david-price": (G,), "donald-mceachin": (S,), "donald-payne": (G, T), "drew-ferguson": (S,), "filemon-vela": (),
    "frank-lucas": (G, S), "fred-upton": (), "guy-reschenthaler": (S,), "haley-stevens": (S,), "james-comer": (),
    "james-mcgovern": (G, PhotoIssue.LIGHT_UNEVEN), "jesus-garcia": (), "jim-langevin": (G, S), "jodey-arrington": (S,),
    "john-larson": (M,), "john-moolenaar": (), "john-rutherford": (G,), "john-yarmuth": (S,),
    "kaialii-kahele": (M, S), "katie-porter": (), "kelly-armstrong": (S, M), "matt-gaetz": (M,), "mike-doyle": (),
    "mikie-sherrill": (S, M), "peter-defazio": (G, S), "peter-welch": (G, S), "randy-feenstra": (G, S),
    "rick-allen": (S,), "robert-good": (), "sanford-bishop": (G,), "sean-patrick-maloney": (S,), "steve-chabot": (S,),
    "suzan-delbene": (F, S), "thomas-tiffany": (G, S), "tom-emmer": (), "tom-mcclintock": (), "tony-cardenas": (),
    "vicente-gonzalez": (S,), "william-keating": (), "zoe-lofgren": (F, T, M), "bernard-sanders": (G,),
    "charles-grassley": (G,), "jack-reed": (), "john-hickenlooper": (), "john-hoeven": (), "roger-wicker": (G, S),
    "ron-johnson": (),
}  # fmt: skip
"""Glasses; a fringe or hat over the forehead; clearly turned; lips well apart; a broad smile with teeth."""


class PhotoBench:
    """Everything that looks at photos here."""

    def __init__(
        self, *, composed: bool = False, photos: int = 24, kinds: int | None = None, steps: int | None = None
    ) -> None:
        """Open the networks.

        Args:
            composed: Takes two public-domain photos alone, as without ../shared.
            photos: So many are made worse by code.
            kinds: So many kinds of spoiling and of harm; all, if None.
            steps: So many of each kind of harm, the mildest first; all, if None.
        """
        self.composed, self.photos = composed or not REAL.is_dir(), photos
        self.kinds, self.steps = kinds, steps
        self.runtime = Runtime(Store(Settings().models_dir))
        self.maker = VisionFactory(self.runtime)
        self.assessor = PhotoAssessor(self.runtime.open("face-occlusion"))
        self.judges = Judges(self.maker, self.runtime)
        self.dlib = DlibEmbedder(self.runtime.open("dlib-face"))

    def codes(self, image: Image) -> set[PhotoIssue]:
        return {PhotoIssue(finding.code) for finding in self.maker.assessor.assess_photo(image)}

    def portrait(self, name: str, image: Image, *, face_px: float = 200) -> Portrait:
        return cut_portrait(name, image, self.maker.assessor.one_face(image, name=name).mesh, face_px=face_px)


def read(path: Path) -> Image:
    return decode_image(path.read_bytes(), name=path.name)


@cache
def real_portraits() -> dict[str, Path]:
    return {path.stem: path for path in sorted(REAL.glob("*/*.jpg"))}


def public_domain() -> list[tuple[str, Image]]:
    return [("astronaut", astronaut()), ("hopper", hopper())]


def held_out(bench: PhotoBench) -> list[Portrait]:
    """Return portraits of the held-out side of which the assessor and the labels have nothing to say."""
    if bench.composed:
        return [bench.portrait(name, image) for name, image in public_domain()][: bench.photos]
    found: list[Portrait] = []
    for name, path in real_portraits().items():
        if is_development(name, share=0.6) or name in LABELLED:
            continue
        image = read(path)
        if not bench.codes(image):
            found.append(bench.portrait(name, image))
        if len(found) == bench.photos:
            break
    return found
