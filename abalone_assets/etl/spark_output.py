"""One object per output, though Spark writes folders: staged elsewhere, then put in its place."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART: Final = "part-"
_DELETED_AT_ONCE: Final = 1000


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
        s3 = boto3.client("s3")
        try:
            yield
            part = _only_part(_keys(s3, bucket, prefix), uri)
            s3.copy({"Bucket": bucket, "Key": part}, bucket, target)
        finally:
            _delete(s3, bucket, _keys(s3, bucket, prefix))
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise StorageError(f"{uri}: cannot be written: {error}") from error


def _only_part(keys: list[str], uri: str) -> str:
    parts = [key for key in keys if key.rpartition("/")[2].startswith(_PART)]
    if len(parts) != 1:
        raise StorageError(f"{uri}: Spark wrote {len(parts)} parts for it instead of one")
    return parts[0]


def _keys(s3: Any, bucket: str, prefix: str) -> list[str]:  # noqa: ANN401 - boto3 is untyped
    # Without a slash: Glue's S3 client also leaves a marker named <prefix>_$folder$.
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def _delete(s3: Any, bucket: str, keys: list[str]) -> None:  # noqa: ANN401 - boto3 is untyped
    for start in range(0, len(keys), _DELETED_AT_ONCE):
        some = [{"Key": key} for key in keys[start : start + _DELETED_AT_ONCE]]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
