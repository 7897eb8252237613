"""One object per output, though Spark writes folders: staged elsewhere, then put in its place."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART: Final = "part-"


@contextmanager
def replaced(uri: str, staging: str) -> Iterator[str]:
    """A new folder to write one part into, which then atomically takes the place of ``uri``.

    The folder is gone afterwards, whatever happened, unless the process was killed: what it leaves
    must lie where nobody reads.

    Args:
        uri: A local path or ``s3://`` URI.
        staging: Folder or prefix to make the new folder in, on the file system of ``uri``.

    Raises:
        StorageError: There is not exactly one part, or S3 refuses.
        OSError: The file system refuses.
    """
    staged = f"{staging}/{uuid4().hex}"
    if uri.startswith("s3://"):
        with _on_s3(uri, staged):
            yield staged
    else:
        with _in_folder(Path(uri), Path(staged)):
            yield f"file://{staged}"


@contextmanager
def _in_folder(target: Path, staged: Path) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
        part = _only_part([path.name for path in staged.iterdir()], str(target))
        (staged / part).replace(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        with suppress(OSError):  # another preparation is using it
            staged.parent.rmdir()


@contextmanager
def _on_s3(uri: str, staged: str) -> Iterator[None]:
    import boto3
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, target = uri.removeprefix("s3://").partition("/")
    prefix = staged.removeprefix(f"s3://{bucket}/")
    try:
        storage = boto3.resource("s3").Bucket(bucket)
        # Without a slash: Glue's S3 client also leaves a marker named <prefix>_$folder$.
        written = storage.objects.filter(Prefix=prefix)
        try:
            yield
            part = _only_part([item.key for item in written], uri)
            storage.copy({"Bucket": bucket, "Key": part}, target)
        finally:
            written.delete()
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise StorageError(f"{uri}: cannot be written: {error}") from error


def _only_part(keys: list[str], uri: str) -> str:
    parts = [key for key in keys if key.rpartition("/")[2].startswith(_PART)]
    if len(parts) != 1:
        raise StorageError(f"{uri}: Spark wrote {len(parts)} parts for it instead of one")
    return parts[0]
