"""The model of an extracted archive, whatever trained it.

This module travels inside every model archive: it needs NumPy only, and what the model does.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.modeling.features import FEATURE_NAMES
from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import HYPERPARAMETERS
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.models.model import CARD_FILE, OUT_OF_FOLD_FILE
from abalone_assets.modeling.models.out_of_fold import OutOfFold

if TYPE_CHECKING:
    import os

    from abalone_assets.modeling.framework import ModelFramework
    from abalone_assets.modeling.models.model import Model


def load_model(folder: str | os.PathLike[str]) -> Model:
    """Load the model of an extracted archive.

    Raises:
        ModelArchiveError: The folder holds no model, one that is not the model its card describes,
            or one that needs a framework or features which this version does not know.
        StorageError: The disk does not give its files at present.
    """
    card = _read_card(Path(folder))
    framework = _framework_of(card)
    path = Path(folder) / framework.file
    model = framework.read(_undamaged(path, card), path)
    unknown = sorted(set(model.features) - set(FEATURE_NAMES))
    if unknown:
        raise ModelArchiveError(
            f"{path}: needs features this version cannot compute: {', '.join(unknown)}"
        )
    return model


def load_intervals(folder: str | os.PathLike[str]) -> Intervals | None:
    """The prediction intervals of an extracted archive; None when its model has none.

    Raises:
        ModelArchiveError: The folder holds no model card, or one with damaged intervals.
        StorageError: The disk does not give it at present.
    """
    document = _read_card(Path(folder)).get("intervals")
    return None if document is None else Intervals.from_document(document)


def load_out_of_fold(folder: str | os.PathLike[str]) -> OutOfFold | None:
    """The out-of-fold predictions of an extracted archive; None when it holds none.

    Raises:
        ModelArchiveError: They are damaged.
        StorageError: The disk does not give them at present.
    """
    data = find_member(Path(folder) / OUT_OF_FOLD_FILE)
    return None if data is None else OutOfFold.from_bytes(data)


def find_member(path: Path) -> bytes | None:
    """The content of a file of an extracted archive; None when the archive has no such file.

    Raises:
        StorageError: The disk does not give it at present.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:  # nothing that the archive is to blame for
        raise StorageError(
            f"{path}: cannot be read at present: {error}; look after the disk, and try again"
        ) from error


def _read_card(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads(_member(folder / CARD_FILE))
    except (ValueError, RecursionError) as error:
        raise ModelArchiveError(f"{folder}: {CARD_FILE} is no model card: {error}") from error
    if not isinstance(card, dict):
        raise ModelArchiveError(f"{folder}: {CARD_FILE} is no model card")
    return card


def _member(path: Path) -> bytes:
    data = find_member(path)
    if data is None:
        raise ModelArchiveError(
            f"{path.parent}: not an extracted model archive with {path.name}: there is no such file"
        )
    return data


def _framework_of(card: dict[str, Any]) -> ModelFramework:
    name = card.get("framework")
    if not isinstance(name, str) or name not in HYPERPARAMETERS:
        raise ModelArchiveError(
            f"{CARD_FILE} names the framework {name!r}; this version of abalone_assets knows "
            f"{', '.join(HYPERPARAMETERS)}: use the version that trained the model"
        )
    return framework_named(name)


def _undamaged(path: Path, card: dict[str, Any]) -> bytes:
    """The model's bytes, if its card vouches for them.

    XGBoost must not see damaged ones: a flipped bit of a UBJSON model often loads and predicts
    nonsense, or ends the process with a segmentation fault.
    """
    data = _member(path)
    if hashlib.sha256(data).hexdigest() != card.get("model_sha256"):
        raise ModelArchiveError(f"{path}: damaged, it is not the model that {CARD_FILE} describes")
    return data
