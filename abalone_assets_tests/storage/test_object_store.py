from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.storage import object_store as storage
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.support.out_of_reach import WHY, out_of_reach

if TYPE_CHECKING:
    from collections.abc import Callable

BACKINGS = ["folder", "s3"]
ODD_KEYS = ["day=2025-03-03/data.parquet", "ü #x%20 ?+&", "a.b-c_d~e", "deep/er/and/deeper"]
LARGE = 24 * 2**20
DEADLINE_SECONDS = 20.0


@pytest.fixture(params=BACKINGS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty store in a folder and one on S3."""
    if request.param == "s3":
        return ObjectStore(request.getfixturevalue("s3"))
    return ObjectStore(tmp_path / "store")


def keys(store: ObjectStore, prefix: str = "", after: str | None = None) -> list[str]:
    return sorted(found.key for found in store.list(prefix, after=after))


@pytest.mark.parametrize("key", ODD_KEYS)
def test_reads_back_what_it_wrote_under_any_key(store: ObjectStore, key: str) -> None:
    for data in (b"first", b"", b"\x00last\xff"):
        store.write(key, data)
        assert store.read(key) == data
    assert [(found.key, found.size) for found in store.list()] == [(key, 6)]


def test_digests_what_it_holds_and_names_what_it_has_not(store: ObjectStore) -> None:
    for data in (b"", os.urandom(LARGE)):
        store.write("key", data)
        assert store.sha256("key") == hashlib.sha256(data).hexdigest()
    with pytest.raises(StorageError, match="/other: "):
        store.sha256("other")
    with pytest.raises(StorageError, match="/key: "):
        ObjectStore(f"{store.uri}/nothing here").sha256("key")


def test_uri_of_is_what_other_tools_open(tmp_path: Path, s3: str) -> None:
    for place in (tmp_path, (tmp_path / "a b").as_uri()):
        folder = ObjectStore(place)
        folder.write("a/b", b"x")
        assert Path(folder.uri_of("a/b")).read_bytes() == b"x"
    assert (tmp_path / "a b" / "a" / "b").exists()
    assert ObjectStore(f"{s3}/").uri_of("a/b") == f"{s3}/a/b"


def test_stores_with_different_prefixes_do_not_see_each_other(s3: str) -> None:
    ObjectStore(f"{s3}/one").write("key", b"1")
    ObjectStore(f"{s3}/one-more").write("key", b"2")
    assert keys(ObjectStore(f"{s3}/one")) == ["key"]
    assert ObjectStore(f"{s3}/one").read("key") == b"1"


def test_reading_a_missing_object_names_it(store: ObjectStore) -> None:
    with pytest.raises(StorageError, match=r"/some/key: no such object$"):
        store.read("some/key")


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.read("key"),
        lambda store: store.read_json("key"),
        lambda store: store.find("key"),
        lambda store: next(store.list(), None),
        lambda store: next(store.lines("key"), None),
        lambda store: store.sha256("key"),
        lambda store: store.delete("key"),
    ],
)
def test_a_folder_that_nobody_can_look_into_is_not_taken_for_an_empty_one(
    tmp_path: Path, read: Callable[[ObjectStore], object]
) -> None:
    with pytest.raises(StorageError, match=f"cannot look into this folder: {WHY}; make sure"):
        read(ObjectStore(out_of_reach(tmp_path)))


def test_create_only_refuses_to_overwrite_and_keeps_the_object(store: ObjectStore) -> None:
    store.write("key", b"first", create_only=True)
    with pytest.raises(StorageError, match=r"/key: exists already$"):
        store.write("key", b"second", create_only=True)
    with pytest.raises(StorageError, match=r"/key: exists already$"):
        store.write_json("key", "second", create_only=True)
    assert store.read("key") == b"first"


def test_of_many_creators_at_once_exactly_one_wins(store: ObjectStore) -> None:
    def create(number: int) -> bool:
        try:
            store.write("key", f"{number}".encode(), create_only=True)
        except StorageError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(create, range(8)))
    assert sum(won) == 1
    assert store.read("key") == f"{won.index(True)}".encode()


def test_find_tells_size_and_time_or_none(store: ObjectStore) -> None:
    assert store.find("key") is None
    store.write("key", b"12345")
    found = store.find("key")
    assert found is not None
    assert (found.key, found.size) == ("key", 5)
    assert abs(datetime.now(UTC) - found.last_modified) < timedelta(minutes=1)


def test_other_bytes_have_another_e_tag_in_find_and_list_alike(store: ObjectStore) -> None:
    tags = []
    for data in (b"one", b"two"):
        store.write("key", data)
        found = store.find("key")
        assert found is not None
        assert list(store.list()) == [found]
        tags.append(found.e_tag)
    assert "" not in tags
    assert len(set(tags)) == 2


def test_lists_below_a_folder_and_past_a_key(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "a/b/3", "ab/4", "c"):
        store.write(key, b"")
    assert keys(store) == ["a/1", "a/2", "a/b/3", "ab/4", "c"]
    assert keys(store, "a") == keys(store, "a/") == ["a/1", "a/2", "a/b/3"]
    assert keys(store, after="a/2") == ["a/b/3", "ab/4", "c"]
    assert keys(store, "nothing") == []


def test_lists_more_objects_than_one_page_holds(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    expected = [f"{number:02}" for number in range(70)]
    for key in expected:
        store.write(key, b"")
    assert keys(store) == expected


def test_deletes_the_object_and_no_other_and_is_silent_about_a_missing_one(
    store: ObjectStore,
) -> None:
    store.write("a", b"")
    store.write("a/b" if store.root is None else "ab", b"")
    store.delete("a")
    store.delete("a")
    assert len(keys(store)) == 1
    assert store.find("a") is None


def test_json_keeps_order_and_characters(store: ObjectStore) -> None:
    document = {"z": [1, 2.5, None, True], "a": {"ü": "é\n"}}
    store.write_json("document.json", document)
    found = store.read_json("document.json")
    assert found == document
    assert list(found) == ["z", "a"]
    assert "ü" in store.read("document.json").decode()


def test_a_missing_document_is_none_but_null_can_be_told_apart(store: ObjectStore) -> None:
    assert store.read_json("document.json") is None
    store.write_json("document.json", None)
    assert store.find("document.json") is not None


@pytest.mark.parametrize("damaged", [b"{", b"\xff", b""])
def test_a_damaged_document_is_named(store: ObjectStore, damaged: bytes) -> None:
    store.write("document.json", damaged)
    with pytest.raises(StorageError, match=r"document\.json: not a JSON document"):
        store.read_json("document.json")
    with pytest.raises(StorageError, match=r"document\.json: not a JSON document"):
        store.update_json("document.json", lambda _: 1)
    assert store.read("document.json") == damaged


def test_a_folder_that_cannot_be_made_refuses_an_update_as_it_does_a_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = ObjectStore(tmp_path / "file" / "lake")
    with pytest.raises(StorageError, match=r"document\.json"):
        store.update_json("document.json", lambda _: 1)


def test_no_document_holds_a_number_that_is_not_json(store: ObjectStore) -> None:
    store.write_json("document.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json("document.json", float("nan"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.update_json("document.json", lambda _: float("inf"))
    assert store.read_json("document.json") == 1


def test_update_starts_from_none_and_then_from_the_document(store: ObjectStore) -> None:
    seen = []

    def change(document: Any) -> object:
        seen.append(document)
        return {"é": len(seen)}

    store.update_json("deep/document.json", change)
    store.update_json("deep/document.json", change)
    assert seen == [None, {"é": 1}]
    assert (
        store.read("deep/document.json")
        == json.dumps({"é": 2}, indent=1, ensure_ascii=False).encode()
    )


def test_an_update_whose_change_fails_changes_nothing_and_blocks_nobody(
    store: ObjectStore,
) -> None:
    store.write_json("document.json", 1)
    with pytest.raises(ZeroDivisionError):
        store.update_json("document.json", lambda document: 1 / 0)
    store.update_json("document.json", lambda count: (count or 0) + 1)
    assert store.read_json("document.json") == 2


def test_updates_by_eight_threads_lose_no_increment(store: ObjectStore) -> None:
    def increment(_: int) -> None:
        own = ObjectStore(store.uri)
        for _ in range(5):
            own.update_json("count.json", lambda count: (count or 0) + 1)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(increment, range(8)))
    assert store.read_json("count.json") == 40


def test_a_listing_shows_no_lock(store: ObjectStore) -> None:
    # The lock file of a folder's update was listed among its objects once.
    store.update_json("some/document.json", lambda _: 1)
    assert keys(store) == ["some/document.json"]


def test_an_update_that_never_wins_gives_up_and_says_so(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MAX_SWAP_ATTEMPTS", 3)
    store, rival = ObjectStore(s3), ObjectStore(s3)
    rivals: list[int] = []

    def lose_the_race(_: object) -> object:
        rivals.append(len(rivals))
        rival.write_json("document.json", f"rival {len(rivals)}")
        return "mine"

    with pytest.raises(StorageError, match=r"document\.json: lost 3 races to write it"):
        store.update_json("document.json", lose_the_race)
    assert store.read_json("document.json") == "rival 3"


def test_a_reader_sees_the_old_or_the_new_object_never_a_part(store: ObjectStore) -> None:
    versions = [bytes([number]) * 2**20 for number in range(2)]
    store.write("key", versions[0])
    done = threading.Event()

    def overwrite() -> None:
        for number in range(1, 21):
            store.write("key", versions[number % 2])
        done.set()

    writer = threading.Thread(target=overwrite)
    writer.start()
    reads = 0
    while not done.is_set() or not reads:
        assert store.read("key") in versions
        found = store.find("key")
        assert found is not None
        assert found.size == 2**20
        reads += 1
    writer.join()


WRITER = """
import sys
from abalone_assets.storage.object_store import ObjectStore
store = ObjectStore(sys.argv[1])
while True:
    store.write("key", b"n" * int(sys.argv[2]))
"""


@pytest.mark.service
def test_a_killed_writer_leaves_the_old_or_the_new_object_and_nothing_else(
    store: ObjectStore,
) -> None:
    old = b"o" * LARGE
    store.write("key", old)
    arguments = [sys.executable, "-c", WRITER, store.uri, str(LARGE)]
    with subprocess.Popen(arguments) as writer:
        try:
            if (folder := store.root) is None:
                _wait_until(lambda: _socket_is_open(writer.pid))
            else:
                _wait_until(lambda: len(list(folder.iterdir())) > 1)  # a write is under way
        finally:
            writer.send_signal(signal.SIGKILL)
    assert store.read("key") in (old, b"n" * LARGE)
    assert keys(store) == ["key"]
    store.write("key", b"after")
    assert store.read("key") == b"after"


def _socket_is_open(pid: int) -> bool:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if link.readlink().name.startswith("socket:"):
                return True
        except FileNotFoundError:
            continue
    return False


def _wait_until(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the writer did not begin in time"


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        *((f"{scheme}://bucket/x", "not a folder, file://") for scheme in ("https", "gs", "ftp")),
        ("s3://", "names no bucket"),
    ],
)
def test_refuses_other_uris(uri: str, told: str) -> None:
    with pytest.raises(StorageError, match=f"^{uri}: {told}"):
        ObjectStore(uri)


def test_names_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/store: cannot make this folder"):
        ObjectStore(tmp_path / "file" / "store").write("key", b"")


def test_opening_a_missing_folder_makes_nothing(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "store")
    assert (list(store.list()), store.find("key"), store.read_json("key")) == ([], None, None)
    assert not (tmp_path / "store").exists()
    store.update_json("key", lambda _: 1)
    assert store.read_json("key") == 1


def test_a_key_below_a_file_is_one_clear_error(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    store.write("file", b"")
    for ask in (
        lambda: store.read("file/key"),
        lambda: store.write("file/key", b""),
        lambda: store.find("file/key"),
        lambda: store.delete("file/key"),
        lambda: store.read_json("file/key"),
    ):
        with pytest.raises(StorageError, match="file/key: "):
            ask()


@pytest.mark.parametrize("key", ["../key", "a/../../key"])
def test_no_key_leads_out_of_the_store(store: ObjectStore, key: str) -> None:
    with pytest.raises(StorageError, match="illegal"):
        store.write(key, b"")
    with pytest.raises(StorageError, match="illegal"):
        store.read(key)
