"""When an age is not to be trusted: what is odd about each of many animals, for a model.

What the Age Calculator says of one animal, as a word for a table: ``outside:length`` where the
model learnt from no such length, ``unknown_sex``, ``old``, ``too_small:height``, and the name of
each soft rule of the survey contract that is broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.known_animals import KnownAnimals
from abalone_assets.pages.calculator.doubts import OLD_ERROR
from abalone_assets.survey import COLUMNS, MEASUREMENTS, SEXES, SOFT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abalone_assets.modeling.card import ModelCard

SEPARATOR: Final = "; "
OLD: Final = "old"
UNKNOWN_SEX: Final = "unknown_sex"


@dataclass(frozen=True)
class Doubter:
    """Knows when a model's word is to be doubted.

    Attributes:
        known: What the model knows of animals; None where its card does not tell.
        usual_error: Its recipe's out-of-fold RMSE in rings, if that is known.
    """

    known: KnownAnimals | None = None
    usual_error: float | None = None

    @classmethod
    def of(cls, card: ModelCard) -> Doubter:
        """What a model's card says; cards of older releases say less."""
        usual_error = (card.out_of_fold or {}).get("rmse")
        if card.known_animals is None:
            return cls(None, usual_error)
        try:
            return cls(KnownAnimals.from_document(card.known_animals), usual_error)
        except ModelArchiveError:
            return cls(None, usual_error)

    @cached_property
    def doubts(self) -> pl.Expr:
        """The doubts of each row of sex, measurements and predicted rings; null for none."""
        words = dict(self._words())
        bits = [wrong.cast(pl.UInt32) * (1 << at) for at, wrong in enumerate(words.values())]
        # Few combinations occur: each is spelled once, not in each row.
        spelled = pl.sum_horizontal(bits).map_batches(
            lambda found: _spelled(found, list(words)), return_dtype=pl.String
        )
        return spelled.alias("doubts")

    def _words(self) -> Iterator[tuple[str, pl.Expr]]:
        for rule in SOFT_RULES:
            columns = {name: pl.col(name) for name in rule.columns}
            violated: object = rule.is_violated(columns)
            assert isinstance(violated, pl.Expr)  # noqa: S101 - of columns it gives a column
            yield rule.name, violated
        for column in COLUMNS:
            if column.minimum is not None and column.name in MEASUREMENTS:
                yield f"too_small:{column.name}", pl.col(column.name) < column.minimum
        if self.known is not None:
            yield from self._unlike(self.known)

    def _unlike(self, known: KnownAnimals) -> Iterator[tuple[str, pl.Expr]]:
        """Animals unlike those that the model learnt from, and ages that it is bad at."""
        sexes = {sex: pl.col("sex") == sex for sex in SEXES}
        strange = [own for sex, own in sexes.items() if sex not in known.ranges]
        if strange:
            yield UNKNOWN_SEX, pl.any_horizontal(strange)
        for name in MEASUREMENTS:
            outside = [
                sexes[sex] & ~pl.col(name).is_between(*ranges[name])
                for sex, ranges in known.ranges.items()
            ]
            if outside:
                yield f"outside:{name}", pl.any_horizontal(outside)
        old = [
            (pl.col("rings") >= band.low) & (pl.col("rings") < band.high)
            for band in known.errors
            if self.usual_error is not None and band.rmse > OLD_ERROR * self.usual_error
        ]
        if old:
            yield OLD, pl.any_horizontal(old)


def _spelled(bits: pl.Series, words: Sequence[str]) -> pl.Series:
    """The words of the bits that are set; null where none is."""
    combinations = bits.unique().to_list()
    told = [
        SEPARATOR.join(word for at, word in enumerate(words) if each >> at & 1) or None
        for each in combinations
    ]
    return bits.replace_strict(combinations, told, return_dtype=pl.String)
