from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest import base_survey
from abalone_assets.ingest.base_survey import (
    BaseSurvey,
    BaseSurveyRefusedError,
    NetworkRefusedError,
    accept_base_survey,
    fetch_base_survey,
    last_refusal,
    record_refusal,
)
from abalone_assets.lake.manifest import IngestedRaw
from abalone_assets.sample_data import base_survey as bundled
from abalone_assets.settings.platform import UCI_SHA256
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from collections.abc import Iterator


DATA = b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"
SHA256 = hashlib.sha256(DATA).hexdigest()


def zipped(**members: bytes) -> bytes:
    """A ZIP archive; ``_`` stands for the dot in a member's name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


@dataclass(frozen=True)
class Site:
    """A web site on the loopback; a path that is not in ``pages`` is 404."""

    url: str
    pages: dict[str, bytes]
    missing: list[int]

    def serve(self, path: str, data: bytes, *, missing: int = 0) -> str:
        """Answer with these bytes, and break off so many too early."""
        self.pages[path] = data
        self.missing[:] = [missing]
        return self.url + path


@pytest.fixture
def site() -> Iterator[Site]:
    pages: dict[str, bytes] = {}
    missing = [0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Length", str(len(page or b"") + missing[0]))
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Site(f"http://127.0.0.1:{server.server_port}", pages, missing)
        server.shutdown()
        thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "abalone.data").write_bytes(DATA)
    return tmp_path / "abalone.data"


def test_reads_a_file_by_path_and_by_uri(file: Path) -> None:
    for uri in (str(file), f"file://{file}"):
        survey = fetch_base_survey(uri, sha256=SHA256)
        assert (survey.data, survey.name, survey.uri) == (DATA, "abalone.data", uri)
        assert (survey.sha256, survey.note) == (SHA256, "")


def test_reads_a_file_whose_name_holds_characters_that_uris_escape(tmp_path: Path) -> None:
    # The file:// URI of such a path was once opened with its escapes in it.
    file = tmp_path / "the abalone #1.data"
    file.write_bytes(DATA)
    assert fetch_base_survey(str(file)).name == "the abalone #1.data"
    assert fetch_base_survey(file.as_uri()).data == DATA


def test_the_real_survey_has_the_checksum_that_is_expected_of_it(uci_file: Path) -> None:
    assert fetch_base_survey(str(uci_file), sha256=UCI_SHA256).sha256 == UCI_SHA256


@pytest.mark.parametrize("fallback", [False, True])
def test_a_missing_file_is_never_replaced_and_names_the_variable_to_set(
    tmp_path: Path, *, fallback: bool
) -> None:
    with pytest.raises(StorageError, match=r"gone: .*No such file.*set ABALONE_RAW_URI"):
        fetch_base_survey(str(tmp_path / "gone"), fallback=fallback)


def test_reads_an_object_of_s3(s3: str) -> None:
    ObjectStore(s3).write("raw/abalone.data", DATA)
    survey = fetch_base_survey(f"{s3}/raw/abalone.data", sha256=SHA256)
    assert (survey.data, survey.name) == (DATA, "abalone.data")
    with pytest.raises(StorageError, match=f"{s3}/raw/gone: no such object"):
        fetch_base_survey(f"{s3}/raw/gone")


def test_reads_a_plain_survey_and_the_one_of_an_archive_on_the_web(site: Site) -> None:
    assert fetch_base_survey(site.serve("/abalone.csv", DATA)).name == "abalone.csv"
    archive = zipped(Index=b"index", abalone_names=b"names", abalone_data=DATA)
    uri = site.serve("/static/abalone.zip", archive)
    survey = fetch_base_survey(uri, sha256=SHA256.upper())
    assert (survey.data, survey.name, survey.uri) == (DATA, "abalone.data", uri)
    assert survey.sha256 == SHA256


@pytest.mark.parametrize("fallback", [False, True])
def test_another_file_than_the_checksum_says_is_refused(site: Site, *, fallback: bool) -> None:
    uri = site.serve("/abalone.data", DATA + b"\n")
    with pytest.raises(StorageError, match=f"its SHA-256 is .*, not the {SHA256} that was exp"):
        fetch_base_survey(uri, sha256=SHA256, fallback=fallback)


def test_a_page_instead_of_the_file_that_the_checksum_names_is_called_so(site: Site) -> None:
    uri = site.serve("/abalone.zip", b"<html><title>Sign in</title>")
    with pytest.raises(StorageError, match="expected; it is an HTML page, 'Sign in', or was dam"):
        fetch_base_survey(uri, sha256=SHA256)


def test_an_archive_without_or_with_several_surveys_is_refused_with_its_names(site: Site) -> None:
    for archive, names in (
        (zipped(readme_txt=b""), "readme.txt"),
        (zipped(a_data=DATA, b_csv=DATA), "a.data, b.csv"),
    ):
        with pytest.raises(SurveyError, match=rf"expected one \.data or \.csv file.*{names}"):
            fetch_base_survey(site.serve("/abalone.zip", archive))


@pytest.mark.parametrize("name", ["ABALONE.CSV", "Abalone.Data", "survey/abalone.data"])
def test_the_survey_of_an_archive_is_found_beside_what_file_managers_leave(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / "abalone.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for member in (name, f"__MACOSX/._{name}", "._x.csv", ".DS_Store", ".old/abalone.csv"):
            archive.writestr(member, DATA if member == name else b"\0")
        archive.mkdir("empty.data")
    survey = fetch_base_survey(str(file))
    assert (survey.data, survey.name) == (DATA, name)


@pytest.mark.parametrize("name", ["a%2Fb.data", "100%.data", "%zz.data", "ü.data", "[x]*?.data"])
def test_a_path_and_an_address_may_have_percent_signs(
    tmp_path: Path, site: Site, name: str
) -> None:
    (tmp_path / name).write_bytes(DATA)
    for uri in (str(tmp_path / name), (tmp_path / name).as_uri()):
        assert fetch_base_survey(uri).data == DATA
    address = site.serve("/a%2Fb/c%20d.data", DATA)
    assert fetch_base_survey(address).name == "c d.data"


def test_a_name_that_no_file_can_have_is_one_clear_error() -> None:
    with pytest.raises(StorageError, match="NUL character; correct ABALONE_RAW_URI"):
        fetch_base_survey("file:///data/a%00b.data")


WHOLE = zipped(abalone_data=DATA * 50)
START = WHOLE.index(b"abalone.data") + len(b"abalone.data")


def encrypted(archive: bytes) -> bytes:
    """Set the flag in the local header and in the central directory."""
    data = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 0x1
    return bytes(data)


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(WHOLE[: len(WHOLE) // 2], id="cut"),
        pytest.param(WHOLE[:4], id="nothing but magic"),
        pytest.param(WHOLE[:START] + b"\xff" * 8 + WHOLE[START + 8 :], id="garbled"),
        pytest.param(encrypted(WHOLE), id="encrypted"),
    ],
)
def test_a_damaged_archive_is_one_clear_error(tmp_path: Path, archive: bytes) -> None:
    (tmp_path / "abalone.zip").write_bytes(archive)
    with pytest.raises(SurveyError, match=r"abalone\.zip: a damaged ZIP archive"):
        fetch_base_survey(str(tmp_path / "abalone.zip"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"0" * 10_001, "more than the 10000 bytes"),
        (zipped(abalone_data=b"0" * 10_001), r"abalone\.data is too large for a survey"),
    ],
    ids=["an answer", "an archive"],
)
def test_what_is_too_large_is_neither_read_nor_unpacked(
    site: Site, monkeypatch: pytest.MonkeyPatch, data: bytes, message: str
) -> None:
    monkeypatch.setattr(base_survey, "MAX_FILE_BYTES", 10_000)
    with pytest.raises((StorageError, SurveyError), match=message):
        fetch_base_survey(site.serve("/abalone", data), fallback=True)


def test_only_with_a_fallback_the_bundled_survey_is_used_and_the_note_says_so(site: Site) -> None:
    with pytest.raises(NetworkRefusedError, match=r"/gone: the network refused \(HTTPError\)"):
        fetch_base_survey(f"{site.url}/gone")
    survey = fetch_base_survey(f"{site.url}/gone", sha256=SHA256, fallback=True)
    assert survey.data == bundled().read_bytes()
    assert (survey.uri, survey.simulated) == (f"{site.url}/gone", True)
    assert survey.sha256 == hashlib.sha256(survey.data).hexdigest()
    assert f"{site.url}/gone: the network refused" in survey.note
    assert "bundled simulated base survey" in survey.note


def test_a_server_that_is_not_there_is_a_refusal_of_the_network() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    assert fetch_base_survey(f"http://127.0.0.1:{port}/abalone.data", fallback=True).note


def test_an_answer_that_ends_too_early_is_refused(site: Site) -> None:
    # The HTTP library's own error for this once escaped, fallback or not.
    with pytest.raises(NetworkRefusedError, match="the network refused"):
        fetch_base_survey(site.serve("/abalone.data", DATA, missing=len(DATA)))


def test_secrets_in_a_uri_are_not_shown(site: Site) -> None:
    uri = site.serve("/abalone.data", DATA).replace("http://", "http://user:SECRET@")
    survey = fetch_base_survey(uri)
    assert (survey.name, survey.uri) == ("abalone.data", f"{site.url}/abalone.data")
    with pytest.raises(StorageError) as refused:
        fetch_base_survey(f"{site.url}/gone?X-Amz-Signature=SECRET")
    assert "SECRET" not in str(refused.value)


def fetched(data: bytes, *, uri: str = "https://site/abalone.data", **more: Any) -> BaseSurvey:
    return BaseSurvey(data, "abalone.data", uri, hashlib.sha256(data).hexdigest(), **more)


def in_force(rows: int = 100, **changed: Any) -> IngestedRaw:
    raw = IngestedRaw(
        "0" * 64, "https://site/abalone.data", simulated=False, rows=rows, quarantined=0
    )
    return replace(raw, **changed)


PAGE = b"<!-- x -->\n<!DOCTYPE html><html><head><title>Sign&nbsp;in\n here</title></head></html>\n"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (PAGE, r"answered with an HTML page, 'Sign in here', not a survey: none of its 3 records"),
        (
            b"\xef\xbb\xbf<html>" + b"<p>1,2</p>\n" * 9,
            "an HTML page, not a survey .*9 of 9",
        ),
        (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "an XML document, not a survey"),
        (b'{"message": "not found"}', "a JSON document, not a survey"),
        (b"", "an empty file, not a survey: none of its 0 records"),
        (b"\n \n", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"\x1f\x8b\x08\x00", "a gzip archive, not a survey .*binary"),
        (b"Not found\n", r"a file, not a survey: none of its 1 records .*line 1: found 1 field"),
    ],
)
@pytest.mark.parametrize("verified", [False, True])
def test_what_is_no_survey_is_refused_and_named(data: bytes, found: str, *, verified: bool) -> None:
    with pytest.raises(BaseSurveyRefusedError, match=found) as refused:
        accept_base_survey(fetched(data, verified=verified), in_force())
    assert "The base survey in force stays: 100 rows from https://site" in str(refused.value)
    with pytest.raises(BaseSurveyRefusedError, match=found):
        accept_base_survey(fetched(data), None)


def test_a_mostly_bad_base_survey_is_none_even_with_its_checksum_set() -> None:
    data = DATA * 60 + b"X,1\n" * 61
    for verified in (False, True):
        with pytest.raises(BaseSurveyRefusedError, match="61 of 121 records break a rule"):
            accept_base_survey(fetched(data, verified=verified), in_force())


def test_a_far_smaller_base_survey_or_one_of_few_good_rows_needs_its_checksum_set() -> None:
    few_good, small = DATA + b"X,1\n" * 2, DATA * 49
    for data, reason in (
        (few_good, "only 1 of its 3 records obey the survey contract .line 2: "),
        (small, "a file of 49 rows, far fewer than the 100 rows of the base survey in force"),
    ):
        digest = hashlib.sha256(data).hexdigest()
        with pytest.raises(BaseSurveyRefusedError, match=rf"{reason}.*RAW_SHA256={digest}"):
            accept_base_survey(fetched(data), in_force())
        assert accept_base_survey(fetched(data, verified=True), in_force()).row_count > 0
    assert accept_base_survey(fetched(DATA * 50), in_force()).row_count == 50
    assert accept_base_survey(fetched(small), None).row_count == 49
    for was in (in_force(simulated=True), in_force(rows=0)):
        assert accept_base_survey(fetched(small), was).row_count == 49


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("all measurements * 0.2", "as if all measurements were in metres and kilograms"),
        ("length and diameter swapped", "stood in each other's columns"),
    ],
)
def test_a_base_survey_that_is_off_as_a_whole_needs_its_checksum_set(
    uci_file: Path, error: str, words: str
) -> None:
    animals = Animals.of(uci_file)
    data = animals.with_error(ERRORS[error]).file()
    digest = hashlib.sha256(data).hexdigest()
    for was in (None, in_force()):
        with pytest.raises(BaseSurveyRefusedError, match=rf"{words}.*RAW_SHA256={digest}"):
            accept_base_survey(fetched(data), was)
        assert accept_base_survey(fetched(data, verified=True), was).row_count > 4000
    assert accept_base_survey(fetched(data), in_force(4175, digest=digest)).row_count > 4000
    assert accept_base_survey(fetched(animals.file()), None).row_count == 4175


def test_the_bundled_survey_takes_the_place_of_no_real_one() -> None:
    bundle = fetched(DATA, simulated=True)
    with pytest.raises(BaseSurveyRefusedError, match="in force stays: 100 rows"):
        accept_base_survey(bundle, in_force())
    assert accept_base_survey(bundle, in_force(simulated=True)).row_count == 1
    assert accept_base_survey(bundle, in_force(uri="elsewhere", rows=1)).row_count == 1


def test_why_a_base_survey_was_refused_is_kept_without_secrets(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    assert last_refusal(store) is None
    record_refusal(store, "https://user:SECRET@site/a.data", SurveyError("a page"))
    found = last_refusal(store)
    assert found is not None
    assert (found.uri, found.reason) == ("https://site/a.data", "a page")
