"""Reading several photos of one face: decoded one after the other, and refused where they cannot serve."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from mien.app.photos.advice import ADVICE
from mien.app.photos.assessor import refused
from mien.errors import DifferentPeopleError, FacePhotoError, ManyFacesError, NoFaceError, PhotoFinding
from mien.media.files.image_header import PHOTO_FORMATS
from mien.media.files.images import READABLE_FORMATS, decode_image
from mien.vision.photos.quality import PhotoIssue
from mien.vision.types import Embedding, Image

SAME_PERSON: Final = 0.92
"""Photos of one face are at least so alike; `python -m benchmarks.vision.photos` counts who is."""
_PHOTO_FORMATS: Final = tuple(form for form in READABLE_FORMATS if form in PHOTO_FORMATS)


def ordinals(count: int) -> list[str]:
    """Return what to call so many photos in a sentence."""
    return ["the photo"] if count == 1 else [f"photo {n}" for n in range(1, count + 1)]


def decoded(photos: Sequence[bytes], names: Sequence[str], *, max_pixels: int) -> Iterator[Image]:
    """Yield the pictures of photo files, each decoded when it is asked for.

    Raises:
        MediaError: One is not a picture that can be used.
    """
    for photo, name in zip(photos, names, strict=True):
        yield decode_image(photo, name=name, max_pixels=max_pixels, formats=_PHOTO_FORMATS)


def refuse_unfit(findings: Sequence[tuple[PhotoFinding, ...]], names: Sequence[str]) -> None:
    """Raise for the first photo that cannot serve, with the findings of all.

    Raises:
        FacePhotoError: One cannot.
    """
    for name, found in zip(names, findings, strict=True):
        for code in refused(found):
            kind = {PhotoIssue.NO_FACE: NoFaceError, PhotoIssue.SEVERAL_FACES: ManyFacesError}.get(
                PhotoIssue(code), FacePhotoError
            )
            raise kind(f"{name}: {ADVICE[PhotoIssue(code)]['en']}", findings=tuple(findings))


def refuse_strangers(
    embeddings: Sequence[Embedding], findings: Sequence[tuple[PhotoFinding, ...]], names: Sequence[str]
) -> None:
    """Raise where photos do not show one person, and mark the one that is least like the others.

    Raises:
        DifferentPeopleError: They do not.
    """
    alike = np.array(embeddings) @ np.array(embeddings).T
    if alike.min() >= SAME_PERSON:
        return
    odd = len(names) - 1 - int(np.argmin(alike.sum(axis=1).round(4)[::-1]))  # of two equally odd ones the later
    lowest = float(alike[odd].min())
    marked = list(findings)
    marked[odd] = (PhotoFinding(PhotoIssue.OTHER_PERSON.value, "refuse", lowest, SAME_PERSON), *findings[odd])
    raise DifferentPeopleError(
        f"{names[odd]} seems to show somebody else: {lowest:.2f} alike, {SAME_PERSON} are needed",
        findings=tuple(marked),
    )
