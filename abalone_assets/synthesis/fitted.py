"""Fitted synthesizers in the lake: what was fitted once is not fitted again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.dataset import COLUMN_NAMES, concat, is_surveyed, take
from abalone_assets.synthesis import networks
from abalone_assets.synthesis.real_rows import RealRows, Table
from abalone_assets.synthesis.recipes import FitOptions, fit_synthesizer
from abalone_assets.synthesis.synthesizer import FORMAT, Synthesizer

if TYPE_CHECKING:
    import polars as pl

    from abalone_assets.lake.lake import Lake
    from abalone_assets.storage.object_store import ObjectStore
    from abalone_assets.synthesis.recipes import Progress

FOLDER: Final = "survey_synthesizer"


@dataclass(frozen=True)
class Fitted:
    """A synthesizer and where it is kept.

    Attributes:
        synthesizer: Itself.
        key: Its object in the lake.
        digest: Of all that it follows from, see `fit_digest`.
        cached: Whether it was there already.
    """

    synthesizer: Synthesizer
    key: str
    digest: str
    cached: bool


def real_rows(frame: pl.DataFrame) -> RealRows:
    """The surveyed rows of ``raw_abalone``; simulated ones, if it has any, do not count.

    Raises:
        SynthesisError: There are too few.
    """
    return RealRows.of(_surveyed(frame))


def rows_to_avoid(lake: Lake, real: RealRows) -> Table:
    """The real rows that no simulation may repeat: the given ones and those of the last release.

    Surveys that landed after it are not read, one object a day as they are: a simulation could
    repeat one of their rows. The merge then keeps one row of the two.

    Args:
        lake: Whose ``merged_dataset`` is read, if there is one.
        real: What the synthesizer learnt from.

    Raises:
        StorageError: The lake cannot be read.
    """
    import polars as pl

    key = lake.key("merged_dataset")
    if lake.store.find(key) is None:
        return real.all
    return concat([real.all, _surveyed(pl.read_parquet(BytesIO(lake.store.read(key))))])


def fit_once(
    store: ObjectStore,
    real: RealRows,
    options: FitOptions,
    on_progress: Progress | None = None,
) -> Fitted:
    """The synthesizer of these rows and options: from the lake, or fitted now and kept there.

    Args:
        store: Of the lake.
        real: The rows.
        options: What to fit.
        on_progress: See `recipes.fit_synthesizer`; not called for one that is there.

    Raises:
        SynthesisError: As `recipes.fit_synthesizer`, or the object in the lake is damaged.
        StorageError: The lake cannot be read or written.
    """
    digest = fit_digest(real, options)
    key = f"{FOLDER}/_{digest}.npz"
    if store.find(key) is not None:
        return Fitted(load_fitted(store, key), key, digest, cached=True)
    synthesizer = fit_synthesizer(real, options, on_progress)
    store.write(key, synthesizer.to_bytes())
    return Fitted(synthesizer, key, digest, cached=False)


def load_fitted(store: ObjectStore, key: str) -> Synthesizer:
    """The synthesizer that an object of the lake holds.

    Raises:
        SynthesisError: It is damaged.
        StorageError: It is not there.
    """
    return Synthesizer.from_bytes(store.read(key), store.uri_of(key))


def fit_digest(real: RealRows, options: FitOptions) -> str:
    """What a synthesizer follows from: rows, options, and this version's way to fit."""
    chosen = options.settled
    settings: dict[str, Any] = {
        "copula": {},
        "ctgan": dict(networks.CTGAN_SETTINGS),
        "tvae": dict(networks.TVAE_SETTINGS),
    }
    made_of = [FORMAT, real.sha256, asdict(chosen), settings[chosen.recipe]]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def _surveyed(frame: pl.DataFrame) -> Table:
    """The nine survey columns of the rows that crews measured."""
    columns = {
        name: frame[name].to_numpy()
        for name in (*COLUMN_NAMES, *(["origin"] if "origin" in frame.columns else []))
    }
    rows = take(columns, is_surveyed(columns))
    return {name: rows[name] for name in COLUMN_NAMES}
