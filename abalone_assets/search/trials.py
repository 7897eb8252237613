"""What a study tried: a record a trial, and the table that keeps them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal

from abalone_assets.errors import StorageError
from abalone_assets.search.spaces import SPACES, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

State = Literal["complete", "pruned"]


@dataclass(frozen=True)
class Trial:
    """One set of hyperparameters and how it scored.

    Attributes:
        part: The part of the model that they are for.
        number: From 0, in the order that this part's trials ran; trial 0 is what releases train
            with.
        state: ``pruned`` when it was given up before its last fold.
        rmse: In rings, over the surveyed rows of the folds that it saw; of all when complete.
        fold_rmse: The same after its first fold, after its second, and so on.
        seconds: Wall time.
        hyperparameters: What was tried, by name.
    """

    part: Part
    number: int
    state: State
    rmse: float
    fold_rmse: tuple[float, ...]
    seconds: float
    hyperparameters: Mapping[str, float | int]

    def describe(self, of: int, best: float) -> str:
        """One line for a log.

        Args:
            of: Trials of this part in all.
            best: Least RMSE of a complete trial of this part so far.
        """
        scored = f"RMSE {self.rmse:.4f}, best {best:.4f}"
        if self.state == "pruned":
            scored = f"given up after {len(self.fold_rmse)} folds, best {best:.4f}"
        return f"{self.part} {self.number + 1} of {of}: {scored}, {self.seconds:.1f} s"


def trials_frame(trials: Sequence[Trial], study: str) -> pl.DataFrame:
    """A row a trial, a column for each hyperparameter of any part, null where it has none.

    Args:
        trials: In the order that they ran.
        study: The key of their study; see `study.study_key`.
    """
    import polars as pl

    schema = {
        "study": pl.String(),
        "part": pl.String(),
        "number": pl.Int64(),
        "state": pl.String(),
        "rmse": pl.Float64(),
        "fold_rmse": pl.List(pl.Float64()),
        "seconds": pl.Float64(),
        **{
            dimension.name: pl.Int64() if dimension.is_integer else pl.Float64()
            for space in SPACES.values()
            for dimension in space
        },
    }
    return pl.DataFrame([_row(trial, study, list(schema)) for trial in trials], schema=schema)


def _row(trial: Trial, study: str, columns: Sequence[str]) -> dict[str, Any]:
    values = {name: getattr(trial, name) for name in _FIELDS if name != "hyperparameters"}
    values["fold_rmse"] = list(trial.fold_rmse)
    found = {"study": study, **values, **trial.hyperparameters}
    return {name: found.get(name) for name in columns}


_FIELDS: Final = tuple(each.name for each in fields(Trial))


def trials_of(frame: pl.DataFrame, study: str) -> list[Trial]:
    """The trials of one study in a table of `trials_frame`; those of another are left out.

    Raises:
        StorageError: It is no such table.
    """
    try:
        return [_trial(row) for row in frame.to_dicts() if row["study"] == study]
    except (KeyError, TypeError) as error:
        raise StorageError(
            f"hyperparameter_study holds no table of trials ({error!r}): delete it to search anew"
        ) from error


def _trial(row: Mapping[str, Any]) -> Trial:
    chosen = {dimension.name: row[dimension.name] for dimension in SPACES[row["part"]]}
    values = {name: row[name] for name in _FIELDS if name != "hyperparameters"}
    return Trial(**{**values, "fold_rmse": tuple(row["fold_rmse"])}, hyperparameters=chosen)
