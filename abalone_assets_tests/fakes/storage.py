"""Objects between the stand-in's S3 and the folders of its jobs."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

from abalone_assets_tests.fakes.places import split_uri

if TYPE_CHECKING:
    from pathlib import Path


class NoSuchDataError(Exception):
    """There is no object where a job's input should be."""


class Storage:
    """S3 as SageMaker's and Glue's own agents use it."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, uri: str) -> bytes:
        bucket, key = split_uri(uri)
        return bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def write(self, uri: str, data: bytes) -> None:
        bucket, key = split_uri(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=data)

    def download(self, uri: str, folder: Path) -> int:
        """Download one object, or those below a prefix, and say how many there were."""
        bucket, prefix = split_uri(uri)
        folder.mkdir(parents=True, exist_ok=True)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        for key in keys:
            relative = key.removeprefix(prefix).lstrip("/") or key.rpartition("/")[2]
            if relative:
                target = folder / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.read(f"s3://{bucket}/{key}"))
        return len(keys)

    def require(self, uri: str, folder: Path) -> None:
        """Download, as SageMaker does for a job's input.

        Raises:
            NoSuchDataError: There is nothing to download.
        """
        try:
            found = self.download(uri, folder)
        except self._s3.exceptions.NoSuchBucket as error:
            raise NoSuchDataError(nothing_below(uri)) from error
        if not found:
            raise NoSuchDataError(nothing_below(uri))

    def upload(self, folder: Path, uri: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                relative = path.relative_to(folder).as_posix()
                self.write(f"{uri.rstrip('/')}/{relative}", path.read_bytes())

    def extract(self, uri: str, folder: Path) -> None:
        with tarfile.open(fileobj=io.BytesIO(self.read(uri))) as archive:
            archive.extractall(folder, filter="data")

    def pack(self, folder: Path, uri: str) -> None:
        """Upload a folder's content as one ``tar.gz``."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, arcname=path.name)
        self.write(uri, packed.getvalue())


def nothing_below(uri: str) -> str:
    """SageMaker's words for an input that does not exist."""
    return (
        f"ClientError: Data download failed: No S3 objects found under S3 URL {uri!r} given in "
        "input data source. Please ensure that the bucket exists in the selected region, that "
        "objects exist under that S3 prefix, and that the role has s3:ListBucket permissions."
    )
