"""Pooled evidence: the mean embedding of several samples of one face, which noise disturbs less than each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from mien.vision.analysis.embedder import Match
from mien.vision.types import Embedding, FaceQuality

if TYPE_CHECKING:
    from mien.vision.analysis.clearance import ClearanceRules

MatchOf: TypeAlias = Callable[[Embedding], Match | None]
"""Tells whom an embedding resembles most."""


class Sample(NamedTuple):
    """One embedding of a face, how well its frame shows the face, and whom it resembles most."""

    embedding: Embedding
    quality: FaceQuality
    match: Match


@dataclass(slots=True)
class Pool:
    """Samples in a row that speak for one person.

    Attributes:
        identity: For whom they do, or None.
        count: How many they are.
    """

    identity: str | None = None
    count: int = 0
    _sum: Embedding | None = None
    _has_lopsided: bool = False

    def add(self, sample: Sample, rules: "ClearanceRules", enrolled: int, match_of: MatchOf) -> bool:
        """Add a sample, or forget all of them where it disagrees; tell whether they clear the person.

        The mean must be more alike than the samples' own mean would have to be: without its noise everybody is nearer
        to everybody. All samples since the last doubt are in it, so that patience buys no more chances.
        """
        match, wanted = sample.match, rules.wanted(enrolled)
        agrees = match.similarity >= wanted - rules.pooled_slack and match.margin >= rules.margin
        if not agrees or sample.quality is FaceQuality.POOR or self.identity not in {None, match.identity}:
            self.forget()
            return False
        self.identity, self.count = match.identity, self.count + 1
        self._sum = sample.embedding if self._sum is None else self._sum + sample.embedding
        self._has_lopsided |= sample.quality is FaceQuality.LOPSIDED
        if self.count < rules.samples:
            return False
        pooled = match_of((self._sum / np.linalg.norm(self._sum)).astype(np.float32))
        needed = wanted + rules.pooled + (rules.lopsided if self._has_lopsided else 0.0)
        return (
            pooled is not None
            and pooled.identity == self.identity
            and pooled.similarity >= needed
            and pooled.margin >= rules.margin
        )

    def forget(self) -> None:
        """Forget all samples."""
        self.identity, self.count, self._sum, self._has_lopsided = None, 0, None, False
