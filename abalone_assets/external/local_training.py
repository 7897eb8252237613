"""A training on this machine: the entry script's function in a folder laid out as a container's."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.modeling.hyperparameters import Framework


def train_here(
    framework: Framework,
    channels: Mapping[str, bytes],
    hyperparameters: Mapping[str, object],
    *,
    born: int | None = None,
) -> bytes:
    """Train, and pack the archive.

    Args:
        framework: What trains.
        channels: The Parquet object of each channel, by its name.
        hyperparameters: By name; those that are not given have their defaults.
        born: The model's time of birth, in seconds since 1970; now when None.

    Returns:
        The bytes of ``model.tar.gz``.

    Raises:
        AbaloneError: The data or a hyperparameter is refused; the message says which.
    """
    from abalone_assets.external import train
    from abalone_assets.modeling.archive import ARCHIVE_NAME, pack

    with TemporaryDirectory(prefix="training-") as folder:
        root = Path(folder)
        environ = {
            "SM_MODEL_DIR": str(_made(root / "model")),
            "SM_OUTPUT_DATA_DIR": str(_made(root / "output" / "data")),
        }
        if born is not None:
            environ["SOURCE_DATE_EPOCH"] = str(born)
        for channel, rows in channels.items():
            data = _made(root / "input" / "data" / channel)
            (data / "data.parquet").write_bytes(rows)
            environ[f"SM_CHANNEL_{channel.upper()}"] = str(data)
        train.main(arguments_of(training_arguments(framework, hyperparameters)), environ)
        archive = root / ARCHIVE_NAME
        pack(root / "model", archive)
        return archive.read_bytes()


def require_digest(data: bytes, sha256: str, place: str) -> bytes:
    """The data, if they are those of the digest; an empty one takes any.

    Raises:
        StorageError: They are others.
    """
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise StorageError(
            f"{place}: holds other rows than this release has prepared: launch the job `release`"
        )
    return data


def training_arguments(framework: Framework, values: Mapping[str, object]) -> dict[str, object]:
    """What the entry script is given, by name."""
    return {"framework": framework, **values}


def arguments_of(values: Mapping[str, object]) -> list[str]:
    """Values as a script's ``--name value``; None leaves one out."""
    given = {name: value for name, value in values.items() if value is not None}
    return [part for name, value in given.items() for part in (f"--{name}", str(value))]


def this_machine() -> dict[str, str]:
    """What of this machine may show in the last bit of a model: by name."""
    from threadpoolctl import threadpool_info

    blas: list[dict[str, Any]] = [
        each for each in threadpool_info() if each.get("user_api") == "blas"
    ]
    kernels = {f"{each['internal_api']} {each['version']} {each.get('architecture', '')}".strip()
               for each in blas}  # fmt: skip
    return {
        "architecture": platform.machine(),
        "system": platform.system(),
        "blas": ", ".join(sorted(kernels)),
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
