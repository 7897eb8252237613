"""Model archives: ``model.tar.gz`` in SageMaker's layout, written repeatably and read warily.

An archive holds the model (``blend.npz``; ``model.ubj`` of XGBoost; ``network.npz`` of a network,
and ``model.keras`` for whoever goes on in Keras), ``features.json`` (what the model sees, in
order), ``model_card.json`` (where it comes from), ``out_of_fold.npz`` (what it would predict for
the rows of training and validation, had it not seen them), ``learnt_rows.npz`` (which rows these
are, by their keys) and ``code/`` (what SageMaker's container needs to answer requests with it).
Nothing in it is a pickle.
"""

from __future__ import annotations

import errno
import gzip
import io
import json
import shutil
import tarfile
import tempfile
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import abalone_assets
from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.modeling.card import ModelCard
from abalone_assets.modeling.features import features_named
from abalone_assets.modeling.loading import (
    find_member,
    load_intervals,
    load_model,
    load_out_of_fold,
)
from abalone_assets.modeling.models.model import CARD_FILE, OUT_OF_FOLD_FILE
from abalone_assets.modeling.models.npz import read_npz, to_npz
from abalone_assets.modeling.offline_project import OFFLINE_PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.card import FittedModel
    from abalone_assets.modeling.models.intervals import Intervals
    from abalone_assets.modeling.models.model import Model
    from abalone_assets.modeling.models.out_of_fold import OutOfFold

ARCHIVE_NAME: Final = "model.tar.gz"
FEATURES_FILE: Final = "features.json"
LEARNT_ROWS_FILE: Final = "learnt_rows.npz"

MAX_UNPACKED_BYTES: Final = 512 * 2**20
"""More than any model of ours by far; an archive that unpacks to more is a bomb."""

VENDORED: Final = (
    "__init__.py",
    "errors.py",
    "survey/*.py",
    "modeling/__init__.py",
    "modeling/features.py",
    "modeling/hyperparameters.py",
    "modeling/inference.py",
    "modeling/container.py",
    "modeling/framework.py",
    "modeling/frameworks/*.py",
    "modeling/loading.py",
    "modeling/rows.py",
    "modeling/models/*.py",
)
"""The modules, as patterns, that answer requests where this project is not installed."""

_ENTRY_POINT: Final = '''\
"""The functions SageMaker calls, from the package beside this file."""

from abalone_assets.modeling.container import transform_fn
from abalone_assets.modeling.inference import model_fn

__all__ = ["model_fn", "transform_fn"]
'''


def write_archive(model: FittedModel, folder: Path) -> None:
    """Lay out the archive's members in a folder, as SageMaker expects them in ``SM_MODEL_DIR``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in model.files.items():
        (folder / name).write_bytes(content)
    if model.out_of_fold is not None:
        (folder / OUT_OF_FOLD_FILE).write_bytes(model.out_of_fold.to_bytes())
    if model.learnt_rows is not None:
        (folder / LEARNT_ROWS_FILE).write_bytes(to_npz({"keys": model.learnt_rows}))
    _write_json(folder / CARD_FILE, asdict(model.card))
    described = [
        {"name": each.name, "unit": each.unit, "description": each.description}
        for each in features_named(model.features)
    ]
    _write_json(folder / FEATURES_FILE, {"features": described})
    _vendor(folder / "code")


def _vendor(code: Path) -> None:
    package = Path(abalone_assets.__file__).parent
    for pattern in VENDORED:
        for module in package.glob(pattern):
            copy = code / package.name / module.relative_to(package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(module.read_bytes())
    (code / "inference.py").write_text(_ENTRY_POINT, encoding="utf-8")
    for name, content in OFFLINE_PROJECT.items():
        (code / name).write_bytes(content)


def _write_json(path: Path, document: object) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def pack(folder: Path, target: Path) -> None:
    """Pack a folder as a ``tar.gz`` whose bytes depend on names and contents only.

    Compiled Python is left out. The target appears at once or not at all.

    Raises:
        ModelArchiveError: The folder is missing, or holds a link or a special file.
    """
    if not folder.is_dir():
        raise ModelArchiveError(f"{folder}: no such folder to pack")
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _files(folder):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(member, content)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(packed.getvalue())
    partial.replace(target)


def _files(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    for path in paths:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ModelArchiveError(f"{path}: only plain files belong into a model archive")
    return [path for path in paths if path.is_file()]


def extract(archive: Path | bytes, folder: Path, *, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Unpack an archive into a folder that is new or empty, wholly or not at all.

    Args:
        archive: A file, or its bytes.
        folder: Where its members go.
        max_bytes: What it may unpack to.

    Raises:
        ModelArchiveError: It is missing or damaged, unpacks to too much, holds a link, a device, an
            absolute or parent path or a member twice (the message names it), or the folder is in
            use.
        StorageError: The disk is full, or fails: the archive may be good, and to try again may do.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            partial.chmod(0o755)  # made for this user alone
            for name, content in _members(archive, max_bytes):
                _write_new(partial / name, content)
            _move(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"{folder}: the model archive cannot be unpacked here at present: {error}; make room, "
            "or look after the disk, and try again"
        ) from error


def _write_new(path: Path, content: bytes) -> None:
    """Write a member.

    Raises:
        ModelArchiveError: No disk would take it by that name, beside those that are there.
        OSError: This disk does not take it at present.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except (OSError, ValueError) as error:  # a name may have a NUL
        if isinstance(error, OSError) and error.errno not in _BY_NAME:
            raise
        raise ModelArchiveError(f"member {path.name!r} cannot be written: {error}") from error


_BY_NAME: Final = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ}
"""What the system says of members whose names are taken, or are none."""

_IN_USE: Final = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EBUSY}
"""What it says where a folder cannot be replaced, however often one tries."""


def _move(partial: Path, folder: Path) -> None:
    try:
        partial.replace(folder)
    except OSError as error:
        if error.errno not in _IN_USE:
            raise
        raise ModelArchiveError(f"{folder}: cannot unpack here, is it empty? {error}") from error


@dataclass(frozen=True)
class ArchivedModel:
    """A model as its archive holds it: what answers, and what was recorded of it in training.

    Attributes:
        model: What answers.
        card: Where it comes from.
        intervals: Its prediction intervals, where it has any.
        out_of_fold: What models like it predicted for rows that they had not learnt from, where it
            has that table.
        learnt_rows: `dataset.row_keys` of the training and the validation split that it was made
            from; None in archives written before these were kept.
    """

    model: Model
    card: ModelCard
    intervals: Intervals | None = None
    out_of_fold: OutOfFold | None = None
    learnt_rows: NDArray[np.uint64] | None = None


def read_archived(archive: Path) -> ArchivedModel:
    """Read ``model.tar.gz``.

    Raises:
        ModelArchiveError: It is missing, damaged, or of a kind that this version does not know.
        StorageError: It cannot be read, or unpacked for reading, at present.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        extract(archive, folder)
        return ArchivedModel(
            load_model(folder),
            card_in(folder),
            load_intervals(folder),
            load_out_of_fold(folder),
            _learnt_rows(folder / LEARNT_ROWS_FILE),
        )


def _learnt_rows(path: Path) -> NDArray[np.uint64] | None:
    data = find_member(path)
    if data is None:
        return None
    with read_npz(data, "no keys of learnt rows") as arrays:
        keys: NDArray[np.uint64] = arrays["keys"]
        if str(keys.dtype) != "uint64" or keys.ndim != 1:
            raise ValueError(f"keys are {keys.dtype} of shape {keys.shape}, not a row of uint64")
        return keys


def card_in(folder: Path) -> ModelCard:
    """The model card of an extracted archive.

    Raises:
        ModelArchiveError: It is missing or broken.
        StorageError: The disk does not give it at present.
    """
    return _card(find_member(folder / CARD_FILE))


def read_card(archive: Path | bytes) -> ModelCard:
    """The model card of an archive.

    Raises:
        ModelArchiveError: The archive is unusable as for `extract`, or its card missing or broken.
        StorageError: The archive's file cannot be read at present.
    """
    members = _members(archive, MAX_UNPACKED_BYTES)
    return _card(
        next((content for name, content in members if name == PurePosixPath(CARD_FILE)), None)
    )


def _card(text: bytes | None) -> ModelCard:
    if text is None:
        raise ModelArchiveError(f"the archive has no {CARD_FILE}")
    try:
        document = json.loads(text)
        # What later versions added to the card is missing in older ones.
        known = {each.name for each in fields(ModelCard)} & set(document)
        return ModelCard(**{name: document[name] for name in known})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelArchiveError(f"{CARD_FILE} is no model card: {error!r}") from error


def _members(archive: Path | bytes, max_bytes: int) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The plain files of an archive, each checked before it is read."""
    place = "the model archive" if isinstance(archive, bytes) else archive
    try:
        with (
            io.BytesIO(archive) if isinstance(archive, bytes) else archive.open("rb") as file,
            gzip.GzipFile(fileobj=file) as unzipped,
            tarfile.open(fileobj=(bounded := _Bounded(unzipped, max_bytes)), mode="r|") as tar,
        ):
            for member in tar:
                name = _checked_name(member)
                content = tar.extractfile(member)
                if content is not None:
                    yield name, content.read()
            while bounded.read(2**20):  # only at its end does gzip compare the checksum
                pass
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno not in _BY_CONTENT:
            raise StorageError(
                f"{place} cannot be read at present: {error}; look after the disk, and try again"
            ) from error
        raise ModelArchiveError(f"{place} cannot be read: {error}") from error


_BY_CONTENT: Final = {None, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
"""The errors of reading an archive that is missing or damaged: gzip's own have no number."""


class _Bounded(io.BufferedIOBase):
    """A reader that stops a bomb, wherever in the archive it hides."""

    def __init__(self, stream: io.BufferedIOBase, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._left = limit

    def read(self, size: int | None = -1, /) -> bytes:
        most = self._left + 1
        data = self._stream.read(most if size is None or size < 0 else min(size, most))
        self._left -= len(data)
        if self._left < 0:
            raise ModelArchiveError(f"the model archive unpacks to more than {self._limit} bytes")
        return data


def _checked_name(member: tarfile.TarInfo) -> PurePosixPath:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise ModelArchiveError(f"member {member.name!r} points outside the archive")
    if member.issparse() or member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE}:
        raise ModelArchiveError(f"member {member.name!r} is neither a plain file nor a folder")
    return name
