"""Whatever an archive holds, it is a model that answers, or one clear error says why not."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.archive import read_archived
from abalone_assets_tests.modeling.support import packed, quick_blend, quick_network
from abalone_assets_tests.support.strategies import Shown

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = int(os.environ.get("ABALONE_TEST_EXAMPLES", "40"))
many = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

DEEP = Shown(b"[" * 50_000)


def members_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = [member for member in tar if member.isfile()]
        return {each.name: tar.extractfile(each).read() for each in files}  # type: ignore[union-attr]


def archive_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@st.composite
def damage(draw: st.DrawFn) -> tuple[int, int, bytes, bool]:
    """Which member, where, by what, and whether its rest is cut off."""
    junk = draw(st.one_of(st.binary(max_size=20), st.sampled_from([DEEP, b"{}", b"null"])))
    which, at = draw(st.integers(0, 99)), draw(st.integers(0, 10**6))
    return which, at, Shown(junk), draw(st.booleans())


def damaged(data: bytes, at: int, junk: bytes, *, cut: bool) -> bytes:
    at = at % (len(data) + 1)
    return data[:at] + junk + (b"" if cut else data[at + len(junk) :])


@pytest.fixture(scope="module", params=["blend", "network"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    model = quick_blend() if request.param == "blend" else quick_network()
    return packed(model, tmp_path_factory.mktemp("archive")).read_bytes()


def _read(folder: Path, archive: bytes) -> None:
    path = folder / "model.tar.gz"
    path.write_bytes(archive)
    with suppress(ModelArchiveError):
        read_archived(path)


@pytest.mark.timeout(0 if EXAMPLES > 1000 else 300)
def test_a_damaged_member_is_read_or_refused(archive: bytes, tmp_path: Path) -> None:
    members = members_of(archive)
    known = sorted(name for name in members if not name.startswith("code/"))

    @many
    @given(damage())
    def read(how: tuple[int, int, bytes, bool]) -> None:
        which, at, junk, cut = how
        name = known[which % len(known)]
        whole = junk if at % 3 == 0 else damaged(members[name], at, junk, cut=cut)
        _read(tmp_path, archive_of({**members, name: whole}))

    read()


@pytest.mark.timeout(0 if EXAMPLES > 1000 else 300)
def test_a_damaged_archive_is_read_or_refused(archive: bytes, tmp_path: Path) -> None:
    inner = gzip.decompress(archive)

    @many
    @given(damage())
    def read(how: tuple[int, int, bytes, bool]) -> None:
        which, at, junk, cut = how
        if which % 2:
            _read(tmp_path, gzip.compress(damaged(inner, at, junk, cut=cut), 1))
        else:
            _read(tmp_path, damaged(archive, at, junk, cut=cut))

    read()
