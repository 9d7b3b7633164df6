"""What was found in photos, as JSON."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, Field

from mien.app.photos.advice import ADVICE
from mien.errors import PhotoFinding
from mien.vision.photos.quality import PhotoIssue


class TextOut(BaseModel):
    """A text in both languages."""

    en: str = Field(description="English.")
    ko: str = Field(description="Korean.")


class FindingOut(BaseModel):
    """Something about a photo that could be better."""

    code: str = Field(description="Its stable name, such as `face_small`.")
    severity: Literal["refuse", "warn"] = Field(description="`refuse`: the photo cannot serve.")
    value: float = Field(description="What was measured.")
    limit: float = Field(description="The value that it passed.")
    advice: TextOut = Field(description="What to change.")


class PhotoOut(BaseModel):
    """What was found in one photo."""

    findings: list[FindingOut] = Field(description="The worst first; empty for a good photo.")


def photos_out(findings: Iterable[Iterable[PhotoFinding]]) -> list[PhotoOut]:
    """Return the findings of each photo with what to say of them."""
    return [PhotoOut(findings=[_finding_out(finding) for finding in photo]) for photo in findings]


def _finding_out(finding: PhotoFinding) -> FindingOut:
    advice = ADVICE[PhotoIssue(finding.code)]
    return FindingOut(
        code=finding.code,
        severity=finding.severity,
        value=round(finding.value, 3),
        limit=finding.limit,
        advice=TextOut(en=advice["en"], ko=advice["ko"]),
    )
