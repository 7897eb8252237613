"""A fitted synthesizer: what it draws, and its file."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

import numpy as np

from abalone_assets.synthesis import Recipe, SynthesisError
from abalone_assets.synthesis.latents import Latents, latents_from
from abalone_assets.synthesis.representation import Representation

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT: Final = 1
"""Of the file; another one is refused."""

_ARRAYS: Final = tuple(field.name for field in fields(Representation) if field.name != "sexes")


@dataclass(frozen=True)
class Attempt:
    """One fit with one seed.

    Attributes:
        seed: Of the weights and of the order of rows.
        seconds: How long it took.
        score: How far its draws are from the rows it learnt from, see `quality.fit_score`; the
            lower the better. None when there was nothing to choose from.
    """

    seed: int
    seconds: float
    score: float | None

    @property
    def rank(self) -> float:
        """What attempts are compared by."""
        return 0.0 if self.score is None else self.score


@dataclass(frozen=True)
class FitFacts:
    """How a synthesizer came about.

    Attributes:
        recipe: The kind of generator.
        epochs: Passes over the rows in each attempt; 0 for a recipe that needs none.
        attempts: All of them, in order.
        seed: That of the attempt that was kept.
        rows: Rows learnt from.
        left_out: Rows left out for a height beyond 60 mm.
        rows_sha256: Digest of the real rows, those held out included.
    """

    recipe: Recipe
    epochs: int
    attempts: tuple[Attempt, ...]
    seed: int
    rows: int
    left_out: int
    rows_sha256: str

    @property
    def seconds(self) -> float:
        """Of all attempts."""
        return sum(attempt.seconds for attempt in self.attempts)


@dataclass(frozen=True)
class Synthesizer:
    """Draws animals.

    Attributes:
        representation: Whitened scores to survey columns.
        latents: Where whitened scores come from.
        facts: How it came about.
    """

    representation: Representation
    latents: Latents
    facts: FitFacts

    def sample(self, rows: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """The nine survey columns of ``rows`` animals, in the file's units, not on its grid.

        The same generator state gives the same numbers, also after a reload.
        """
        sexes, white = self.latents.draw(rows, self.representation.shares, rng)
        return self.representation.decode(sexes, white)

    def to_bytes(self) -> bytes:
        """Its file, NPZ: the same bytes for the same synthesizer."""
        facts = {"format": FORMAT, "sexes": self.representation.sexes, **asdict(self.facts)}
        arrays = {name: getattr(self.representation, name) for name in _ARRAYS}
        latents = {f"latents_{name}": array for name, array in self.latents.to_arrays().items()}
        text = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        file = io.BytesIO()
        np.savez(file, facts=text, **arrays, **latents)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, source: str) -> Synthesizer:
        """Read its file, whose place is for the error; nothing in it is executed.

        Raises:
            SynthesisError: It is no such file, or of another format.
        """
        try:
            return _read(data)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise SynthesisError(
                f"{source}: no synthesizer that this version can read; delete it to fit it again: "
                f"{error}"
            ) from error


def _read(data: bytes) -> Synthesizer:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = dict(file)
    facts = json.loads(arrays.pop("facts").tobytes())
    if facts.pop("format") != FORMAT:
        raise ValueError("another format")
    sexes = tuple(facts.pop("sexes"))
    attempts = tuple(Attempt(**attempt) for attempt in facts.pop("attempts"))
    latents = {
        name.removeprefix("latents_"): array
        for name, array in arrays.items()
        if name.startswith("latents_")
    }
    return Synthesizer(
        Representation(sexes, **{name: arrays[name] for name in _ARRAYS}),
        latents_from(facts["recipe"], latents),
        FitFacts(attempts=attempts, **facts),
    )
