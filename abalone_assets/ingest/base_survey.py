"""Fetch the base survey from wherever its URI says, verified by checksum where one is known."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.sample_data import base_survey
from abalone_assets.storage.object_store import locate
from abalone_assets.survey import MAX_FILE_BYTES

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 60
ZIP_MAGIC: Final = b"PK\x03\x04"


class NetworkRefusedError(StorageError):
    """The base survey's server could not be reached or refused the request."""


@dataclass(frozen=True)
class BaseSurvey:
    """The base survey's bytes.

    Attributes:
        data: Headerless CSV in the survey contract's columns.
        name: File name that its rows carry as their source.
        uri: The URI that was asked for, without user, password and query: they may be secrets.
        sha256: Digest of ``data``.
        simulated: Whether it is the bundled survey, because the network refused.
        note: What the user should know of its origin, or an empty string.
    """

    data: bytes
    name: str
    uri: str
    sha256: str
    simulated: bool = False
    note: str = ""


def fetch_base_survey(uri: str, *, sha256: str = "", fallback: bool = False) -> BaseSurvey:
    """Read the base survey; a ZIP archive must hold it as its one data file.

    Args:
        uri: A path, ``file://``, ``s3://``, ``http://`` or ``https://`` URI.
        sha256: Hex digest that the survey's bytes must have; empty when none is known.
        fallback: Use the bundled simulated survey when the network refuses.

    Raises:
        StorageError: It cannot be read, or is another file than the checksum says.
        SurveyError: A ZIP archive holds no survey, or more than one file that could be it.
    """
    try:
        data, name = _unzipped(_read(uri), uri)
    except NetworkRefusedError as error:
        if not fallback:
            raise
        bundled = base_survey()
        data = bundled.read_bytes()
        note = f"{error}; used the bundled simulated base survey instead"
        digest = hashlib.sha256(data).hexdigest()
        return BaseSurvey(data, bundled.name, public_uri(uri), digest, simulated=True, note=note)
    digest = hashlib.sha256(data).hexdigest()
    if sha256 and digest != sha256.lower():
        raise StorageError(
            f"{public_uri(uri)}: its SHA-256 is {digest}, not the {sha256.lower()} that was "
            "expected; it is another file, or was damaged on the way"
        )
    return BaseSurvey(data, name, public_uri(uri), digest)


def public_uri(uri: str) -> str:
    """The URI without user, password, query and fragment, fit for logs and metadata."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"}:
        return uri
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _read(uri: str) -> bytes:
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return _download(uri)
    if parts.scheme == "s3":
        store, key = locate(uri)
        return store.read(key)
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"{path}: cannot read the base survey: {error.strerror}; set ABALONE_RAW_URI"
        ) from error


def _download(uri: str) -> bytes:
    import requests
    from urllib3.exceptions import HTTPError

    try:
        with requests.get(uri, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True) as answer:
            answer.raise_for_status()
            data = answer.raw.read(MAX_FILE_BYTES + 1, decode_content=True)
    except (requests.RequestException, HTTPError, OSError) as error:
        cause = type(error).__name__
        raise NetworkRefusedError(f"{public_uri(uri)}: the network refused ({cause})") from error
    if len(data) > MAX_FILE_BYTES:
        raise StorageError(
            f"{public_uri(uri)}: more than the {MAX_FILE_BYTES} bytes that a survey may have"
        )
    return bytes(data)


def _unzipped(data: bytes, uri: str) -> tuple[bytes, str]:
    parts = urlsplit(uri)
    name = PurePosixPath(unquote(parts.path) if parts.scheme else uri).name
    if not data.startswith(ZIP_MAGIC):
        return data, name
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith((".data", ".csv"))]
            if len(members) != 1:
                names = ", ".join(archive.namelist())
                raise SurveyError(
                    f"{public_uri(uri)}: expected one .data or .csv file in it, found: {names}"
                )
            if members[0].file_size > MAX_FILE_BYTES:
                raise SurveyError(
                    f"{public_uri(uri)}: {members[0].filename} is too large for a survey"
                )
            return archive.read(members[0]), members[0].filename
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise SurveyError(f"{public_uri(uri)}: a damaged ZIP archive: {error}") from error
