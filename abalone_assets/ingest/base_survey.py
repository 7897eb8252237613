"""Fetch the base survey from wherever its URI says, verified by checksum where one is known.

What answers there need not be a survey: a sign-in page comes with status 200, too. So a new base
survey is judged before it takes the place of the one in force.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import zipfile
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.sample_data import base_survey
from abalone_assets.settings.public_uri import public_uri
from abalone_assets.storage.object_store import locate
from abalone_assets.storage.records import record_of
from abalone_assets.survey import MAX_FILE_BYTES, ParsedSurvey, parse_survey

if TYPE_CHECKING:
    from abalone_assets.lake.manifest import IngestedRaw
    from abalone_assets.storage.object_store import ObjectStore

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 60
ZIP_MAGIC: Final = b"PK\x03\x04"

LEAST_SHARE: Final = 0.5
"""Of its records that a base survey must keep, and of the rows that the one in force has."""

REFUSAL_KEY: Final = "raw_abalone/_refused.json"
"""In the lake: why the last base survey that was fetched was not taken."""

_PAGE: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_TITLE: Final = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_KINDS: Final = tuple(
    (re.compile(magic, re.IGNORECASE), name)
    for magic, name in (
        (rb"\s*\Z", "an empty file"),
        (rb"\s*<[?!a-z]", "an XML document"),
        (rb"\s*[{\[]", "a JSON document"),
        (rb"%PDF", "a PDF document"),
        (rb"\x1f\x8b", "a gzip archive"),
        (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture"),
        (rb"PAR1", "a Parquet file"),
        (rb"version https://git-lfs", "a Git LFS pointer instead of the file"),
    )
)


class NetworkRefusedError(StorageError):
    """The base survey's server could not be reached or refused the request."""


class BaseSurveyRefusedError(SurveyError):
    """What was fetched may not take the place of the base survey in force."""


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
        verified: Whether it is the file whose SHA-256 somebody set: its size is as intended.
    """

    data: bytes
    name: str
    uri: str
    sha256: str
    simulated: bool = False
    note: str = ""
    verified: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why a base survey was not taken.

    Attributes:
        uri: Where it was asked for.
        reason: What was found there.
        at: ISO time, UTC.
    """

    uri: str
    reason: str
    at: str


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
        found = _describe(data, otherwise="another file")
        raise StorageError(
            f"{public_uri(uri)}: its SHA-256 is {digest}, not the {sha256.lower()} that was "
            f"expected; it is {found}, or was damaged on the way"
        )
    return BaseSurvey(data, name, public_uri(uri), digest, verified=bool(sha256))


def accept_base_survey(source: BaseSurvey, in_force: IngestedRaw | None) -> ParsedSurvey:
    """Parse what was fetched, if it may take the place of the base survey in force.

    It may not when none of its records obey the survey contract, or fewer than half; when it has
    fewer than half the rows of the one in force; when it is off as a whole beside UCI's, since all
    surveys are judged by it; or when the bundled survey would take the place of a real one. Fewer
    rows and other animals are accepted when somebody set their file's SHA-256.

    Args:
        source: What was fetched.
        in_force: What the lake's rows are made of now, or None.

    Raises:
        BaseSurveyRefusedError: It may not; says what was found and what to do.
    """
    found = _describe(source.data)
    place = f"{source.uri}: {'answered with' if '://' in source.uri else 'is'} {found}"
    keeps = _what_stays(in_force)
    confirm = f"; if it is what you want, set ABALONE_RAW_SHA256={source.sha256}"
    real = in_force if in_force and in_force.rows and not in_force.simulated else None
    if source.simulated and real and real.uri == source.uri:
        raise BaseSurveyRefusedError(f"{source.note.partition(';')[0]}{keeps}; run this again")
    try:
        survey = parse_survey(source.data, source.name)
    except SurveyError as error:
        raise BaseSurveyRefusedError(f"{place}, not a survey ({error}){keeps}") from error
    rows, records = survey.row_count, survey.record_count
    if not rows:
        raise BaseSurveyRefusedError(
            f"{place}, not a survey: none of its {records} records obeys the survey contract"
            f"{_first_fault(survey)}{keeps}; set ABALONE_RAW_URI to a survey"
        )
    if source.verified:
        return survey
    if rows < LEAST_SHARE * records:
        raise BaseSurveyRefusedError(
            f"{place}: only {rows} of its {records} records obey the survey contract"
            f"{_first_fault(survey)}{keeps}{confirm}"
        )
    if real and rows < LEAST_SHARE * real.rows:
        raise BaseSurveyRefusedError(
            f"{place} of {rows} rows, far fewer than the {real.rows} rows of the base survey in "
            f"force{keeps}{confirm}"
        )
    known = source.simulated or (in_force is not None and in_force.digest == source.sha256)
    off = None if known else _judged(survey, source.data)
    if off:
        raise BaseSurveyRefusedError(
            f"{place} whose animals are not like UCI's as a whole: {off}{keeps}; correct it, or "
            f"write its units in a header{confirm}"
        )
    return survey


def _judged(survey: ParsedSurvey, data: bytes) -> str | None:
    from abalone_assets.ingest.held_files import Judge

    return Judge().verdict(survey, data)


def _what_stays(in_force: IngestedRaw | None) -> str:
    if in_force is None:
        return ""
    return f". The base survey in force stays: {in_force.rows} rows from {in_force.uri}"


def _first_fault(survey: ParsedSurvey) -> str:
    if not survey.quarantined:
        return ""
    fault = survey.quarantined[0]
    return f" (line {fault.line}: {fault.message})"


def _describe(data: bytes, *, otherwise: str = "a file") -> str:
    """What the bytes are, in words, as far as their beginning tells."""
    start = data.removeprefix(b"\xef\xbb\xbf")[:65536]
    if _PAGE.match(start):
        title = _TITLE.search(start)
        words = " ".join(html.unescape(title[1].decode(errors="replace")).split()) if title else ""
        return f"an HTML page, {words[:80]!r}" if words else "an HTML page"
    kinds = (name for magic, name in _KINDS if magic.match(start))
    return next(kinds, otherwise)


def record_refusal(store: ObjectStore, uri: str, error: Exception) -> None:
    """Keep in the lake why the base survey at this URI was not taken."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    store.write_json(REFUSAL_KEY, asdict(Refusal(public_uri(uri), str(error), at)))


def last_refusal(store: ObjectStore) -> Refusal | None:
    """Why the last base survey was not taken; None when it was.

    Raises:
        StorageError: The record is damaged.
    """
    document = store.read_json(REFUSAL_KEY)
    if document is None:
        return None
    return record_of(Refusal, document, store.uri_of(REFUSAL_KEY), remedy="delete it")


def _read(uri: str) -> bytes:
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return _download(uri)
    if parts.scheme == "s3":
        store, key = locate(uri)
        return store.read(key)
    path = local_path(uri)
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"{path}: cannot read the base survey: {error.strerror}; set ABALONE_RAW_URI"
        ) from error


def local_path(uri: str) -> Path:
    """The file that a path or a ``file://`` URI names.

    Raises:
        StorageError: No file can have such a name.
    """
    parts = urlsplit(uri)
    path = unquote(parts.path) if parts.scheme == "file" else uri
    if "\0" in path:
        raise StorageError(f"{uri}: no file's name has a NUL character; correct ABALONE_RAW_URI")
    return Path(path) if parts.scheme == "file" else Path(path).expanduser()


def _is_survey(member: zipfile.ZipInfo) -> bool:
    """Whether an archive's member is a survey, not what a file manager keeps beside one."""
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in {".data", ".csv"} and not hidden and not member.is_dir()


def _download(uri: str) -> bytes:
    import requests
    from urllib3.exceptions import HTTPError

    try:
        with requests.get(uri, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True) as answer:
            answer.raise_for_status()
            data = answer.raw.read(MAX_FILE_BYTES + 1, decode_content=True)
    except (requests.RequestException, HTTPError, OSError) as error:
        cause = type(error).__name__
        # Its own words have the whole URI in them, with password and signature, and Dagster keeps
        # what an error comes from.
        raise NetworkRefusedError(f"{public_uri(uri)}: the network refused ({cause})") from None
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
            members = [m for m in archive.infolist() if _is_survey(m)]
            if len(members) != 1:
                names = ", ".join(archive.namelist()) or "nothing"
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
