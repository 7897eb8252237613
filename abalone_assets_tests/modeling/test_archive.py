import ast
import gzip
import hashlib
import io
import json
import os
import site
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import abalone_assets
from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.modeling.archive import card_in, extract, pack, read_archived, read_card
from abalone_assets.modeling.card import FittedModel
from abalone_assets.modeling.features import BOOSTER_FEATURES
from abalone_assets.modeling.inference import model_fn, output_fn, predict_fn
from abalone_assets.modeling.loading import load_model, load_out_of_fold
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.training.train_network import FEATURES
from abalone_assets_tests.modeling.support import (
    CSV_ROW,
    packed,
    quick_blend,
    quick_model,
    quick_network,
)
from abalone_assets_tests.support.small_files import largest_file

ASK = f"""
import sys
sys.path[:0] = [sys.argv[2]]
sys.path.append(sys.argv[3])
sys.modules |= dict.fromkeys(sys.argv[4:])  # None: importing it fails
import abalone_assets
import inference
assert abalone_assets.__file__.startswith(sys.argv[2]), abalone_assets.__file__
model = inference.model_fn(sys.argv[1])
answer = inference.transform_fn(model, {CSV_ROW!r}, "text/csv", "text/csv")
print(answer.get_data(as_text=True), end="")
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(quick_model(), tmp_path_factory.mktemp("archive"))


def tarball(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, content in members:
            member.size = member.size or len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def described(folder: Path) -> list[dict[str, str]]:
    features: list[dict[str, str]] = json.loads((folder / "features.json").read_text())["features"]
    return features


ZEROS = b"0" * 5_000_000


class TestLayout:
    def test_holds_the_model_its_description_and_the_code_to_serve_it(self, archive: Path) -> None:
        with tarfile.open(archive) as tar:
            names = tar.getnames()
        package = "code/abalone_assets/"
        assert names == sorted(names)
        assert {"model.ubj", "features.json", "model_card.json", "code/inference.py"} < set(names)
        assert {package + "survey/rules.py", package + "modeling/features.py"} < set(names)
        assert not any("train" in name or "archive" in name for name in names)

    def test_survives_the_round_trip(self, archive: Path, tmp_path: Path) -> None:
        made = quick_model()
        sources: tuple[Path | bytes, ...] = (archive, archive.read_bytes())
        for number, source in enumerate(sources):
            extract(source, tmp_path / str(number))
            assert read_card(source) == made.card
        read = read_archived(archive)
        assert read.card == made.card
        assert read.intervals == Intervals.from_document(made.card.intervals)
        assert made.out_of_fold is not None
        assert read.out_of_fold is not None
        assert read.out_of_fold.to_bytes() == made.out_of_fold.to_bytes()
        assert made.learnt_rows is not None
        assert read.learnt_rows is not None
        assert read.learnt_rows.tolist() == made.learnt_rows.tolist()
        assert {*made.out_of_fold.keys} == {*made.learnt_rows}
        assert read.card.out_of_fold is not None
        assert read.card.headlines()["out_of_fold_rmse"] == read.card.out_of_fold["rmse"]
        assert read.card.synthetic == {"rows": 0, "weight_share": 0.0}
        assert [each["name"] for each in described(tmp_path / "0")] == list(BOOSTER_FEATURES)
        assert described(tmp_path / "0")[3]["unit"] == "mm / 200"

    def test_of_an_older_release_does_not_say_which_rows_were_learnt(self, tmp_path: Path) -> None:
        archive = packed(replace(quick_model(), learnt_rows=None), tmp_path)
        assert read_archived(archive).learnt_rows is None

    def test_with_keys_that_are_none_is_refused(self, tmp_path: Path) -> None:
        strange: Any = np.zeros((2, 2), dtype=np.int64)
        archive = packed(replace(quick_model(), learnt_rows=strange), tmp_path)
        with pytest.raises(ModelArchiveError, match="no keys of learnt rows: keys are int64"):
            read_archived(archive)

    def test_of_a_network_holds_it_for_serving_and_for_keras(self, tmp_path: Path) -> None:
        archive = packed(quick_network(), tmp_path)
        extract(archive, tmp_path / "model")
        read = read_archived(archive)
        served = (tmp_path / "model/network.npz").read_bytes()
        assert (tmp_path / "model/model.keras").exists()
        assert [each["name"] for each in described(tmp_path / "model")] == list(FEATURES)
        assert read.card == quick_network().card
        assert (read.card.framework, read.card.versions["keras"]) == ("tensorflow", "none")
        assert read.card.model_sha256 == hashlib.sha256(served).hexdigest()
        assert (read.intervals, read.out_of_fold) == (None, None)
        assert "out_of_fold_rmse" not in read.card.headlines()

    def test_same_model_and_card_give_the_same_bytes(self, archive: Path, tmp_path: Path) -> None:
        again = packed(quick_model(), tmp_path)
        os.utime(tmp_path / "members/model.ubj", (0, 0))
        (tmp_path / "members/model.ubj").chmod(0o600)
        (tmp_path / "members/code/__pycache__").mkdir()
        (tmp_path / "members/code/__pycache__/inference.pyc").write_bytes(b"compiled")
        pack(tmp_path / "members", tmp_path / "model.tar.gz")
        assert again.read_bytes() == archive.read_bytes()

        assert archive.read_bytes()[4:8] == bytes(4)  # gzip's own time stamp
        with tarfile.open(archive) as tar:
            assert {(each.mtime, each.uid, each.uname) for each in tar} == {(0, 0, "")}
        card = replace(quick_model().card, created_at="2025-03-02T00:00:00+00:00")
        other = packed(replace(quick_model(), card=card), tmp_path / "other")
        assert other.read_bytes() != archive.read_bytes()

    @pytest.mark.parametrize(
        ("model", "missing"),
        [
            (quick_blend, []),
            (quick_network, ["keras", "torch", "tensorflow", "xgboost"]),
        ],
        ids=["blend", "network"],
    )
    @pytest.mark.service
    def test_answers_with_nothing_of_this_project_installed(
        self, tmp_path: Path, model: Callable[[], FittedModel], missing: list[str]
    ) -> None:
        folder = tmp_path / "model"
        extract(packed(model(), tmp_path / "archive"), folder)
        # -S keeps the editable installation off the path, -P the working folder.
        answer = subprocess.run(
            [
                *(sys.executable, "-S", "-P", "-c", ASK, str(folder), str(folder / "code")),
                *site.getsitepackages(),
                *missing,
            ],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        row = [CSV_ROW.split(",")[0], *map(float, CSV_ROW.split(",")[1:])]
        expected = output_fn(predict_fn([row], model_fn(folder)), "text/csv")[0]
        assert (answer.stdout, answer.stderr) == (expected, "")

    def test_its_code_is_ours_unchanged_and_valid_python_3_10(
        self, archive: Path, tmp_path: Path
    ) -> None:
        extract(archive, folder := tmp_path / "model")
        package = Path(abalone_assets.__file__).parent
        modules = list((folder / "code/abalone_assets").rglob("*.py"))
        assert len(modules) > 8
        for module in modules:
            original = package / module.relative_to(folder / "code/abalone_assets")
            assert module.read_bytes() == original.read_bytes()
            ast.parse(module.read_text(), feature_version=(3, 10))
        ast.parse((folder / "code/inference.py").read_text(), feature_version=(3, 10))


class TestPacking:
    def test_refuses_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder/passwords").symlink_to("/etc/passwd")
        with pytest.raises(ModelArchiveError, match="passwords: only plain files"):
            pack(tmp_path / "folder", tmp_path / "model.tar.gz")
        assert not (tmp_path / "model.tar.gz").exists()

    def test_names_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ModelArchiveError, match="no such folder"):
            pack(tmp_path / "nowhere", tmp_path / "model.tar.gz")


class TestExtraction:
    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (member("/etc/cron.d/evil"), "/etc/cron.d/evil.*outside"),
            (member("../evil"), r"\.\./evil.*outside"),
            (member("code/../../evil"), "evil.*outside"),
            (member("link", tarfile.SYMTYPE, linkname="/etc/passwd"), "'link' is neither"),
            (member("hard", tarfile.LNKTYPE, linkname="model.ubj"), "'hard' is neither"),
            (member("device", tarfile.CHRTYPE), "'device' is neither"),
            (member("pipe", tarfile.FIFOTYPE), "'pipe' is neither"),
            (member("sparse", pax_headers={"GNU.sparse.map": "0,0"}), "'sparse' is neither"),
            (member("model.ubj"), "model.ubj.*cannot be written"),
            (member("model.ubj/inside"), "inside.*cannot be written"),
            (member("model.ubj/far/inside"), "inside.*cannot be written"),
            (member("."), "cannot be written"),
            (member("n" * 300), "cannot be written"),
            (member("nul", pax_headers={"path": "a\0b"}), "cannot be written"),
        ],
        ids=lambda value: value.name[:20] if isinstance(value, tarfile.TarInfo) else "",
    )
    def test_refuses_a_dangerous_member_and_leaves_nothing(
        self, tmp_path: Path, bad: tarfile.TarInfo, message: str
    ) -> None:
        data = tarball((member("model.ubj"), b"model"), (bad, b""))
        with pytest.raises(ModelArchiveError, match=message):
            extract(data, tmp_path / "inside/model")
        assert [path.name for path in tmp_path.rglob("*")] == ["inside"]

    @pytest.mark.parametrize(
        "bomb",
        [
            tarball((member("big"), ZEROS)),
            tarball((member("big", pax_headers={"comment": ZEROS.decode()}), b"")),
            tarball((member("small"), b"1")) + gzip.compress(ZEROS),
        ],
    )
    def test_stops_a_bomb_in_the_content_the_header_or_the_trailer(
        self, tmp_path: Path, bomb: bytes
    ) -> None:
        assert len(bomb) < 50_000
        with pytest.raises(ModelArchiveError, match="unpacks to more than 1000000 bytes"):
            extract(bomb, tmp_path / "model", max_bytes=1_000_000)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: b"",
            lambda data: b"not an archive",
            lambda data: data[: len(data) // 2],
            lambda data: data[:-1],
            lambda data: data[:-8] + bytes([data[-8] ^ 1]) + data[-7:],
            lambda data: gzip.compress(b"not a tar"),
        ],
        ids=["empty", "text", "half", "last byte", "checksum", "gzip of text"],
    )
    def test_refuses_a_damaged_archive(
        self, archive: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        with pytest.raises(ModelArchiveError, match="cannot be read"):
            extract(damage(archive.read_bytes()), tmp_path / "model")
        assert not list(tmp_path.iterdir())

    def test_reads_the_dotted_names_of_other_packers(self, tmp_path: Path) -> None:
        data = tarball((member(".", tarfile.DIRTYPE), b""), (member("./model.ubj"), b"model"))
        extract(data, tmp_path / "model")
        assert (tmp_path / "model/model.ubj").read_bytes() == b"model"

    def test_names_a_missing_archive_and_refuses_a_folder_in_use(
        self, archive: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ModelArchiveError, match=r"nowhere\.tar\.gz"):
            extract(tmp_path / "nowhere.tar.gz", tmp_path / "model")
        (tmp_path / "notes").write_text("mine")
        with pytest.raises(ModelArchiveError, match="is it empty"):
            extract(archive, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["notes"]


class TestDisk:
    """What the disk does to a good archive is not said of the archive."""

    def test_that_is_full_does_not_make_an_archive_a_damaged_one(
        self, archive: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "inside/model"
        with largest_file(1000), pytest.raises(StorageError, match="unpacked here at present"):
            extract(archive, folder)
        assert not list(folder.parent.iterdir())
        with largest_file(1000), pytest.raises(StorageError, match="at present"):
            read_archived(archive)
        extract(archive, folder)
        assert card_in(folder) == read_archived(archive).card

    def test_that_has_no_place_for_a_folder_is_told_of(self, archive: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="cannot be unpacked here at present"):
            extract(archive, tmp_path / "file/model")

    @pytest.mark.parametrize(
        ("name", "load"),
        [
            ("model_card.json", load_model),
            ("model.ubj", load_model),
            ("out_of_fold.npz", load_out_of_fold),
        ],
    )
    def test_that_fails_while_it_is_read_is_told_of(
        self, archive: Path, tmp_path: Path, name: str, load: Callable[[Path], object]
    ) -> None:
        extract(archive, folder := tmp_path / "model")
        (folder / name).unlink()
        (folder / name).symlink_to("/proc/self/mem")  # the system answers EIO, as a bad disk does
        with pytest.raises(StorageError, match=f"{name}: cannot be read at present"):
            load(folder)

    def test_that_does_not_give_the_archive_is_told_of(self, tmp_path: Path) -> None:
        (tmp_path / "model.tar.gz").symlink_to("/proc/self/mem")
        with pytest.raises(StorageError, match=r"model\.tar\.gz cannot be read at present"):
            extract(tmp_path / "model.tar.gz", tmp_path / "model")
        with pytest.raises(ModelArchiveError, match="cannot be read"):
            extract(tmp_path, tmp_path / "model")

    def test_a_folder_in_place_of_a_member_is_no_member(self, tmp_path: Path) -> None:
        for name in ("model_card.json", "out_of_fold.npz"):
            (tmp_path / name).mkdir()
        with pytest.raises(ModelArchiveError, match=r"has no model_card\.json"):
            card_in(tmp_path)
        assert load_out_of_fold(tmp_path) is None


class TestCard:
    @pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"framework": "xgboost"}'])
    def test_refuses_a_broken_or_a_missing_card(self, content: bytes) -> None:
        with pytest.raises(ModelArchiveError, match="no model card"):
            read_card(tarball((member("model_card.json"), content)))
        with pytest.raises(ModelArchiveError, match=r"has no model_card\.json"):
            read_card(tarball((member("model.ubj"), content)))

    def test_reads_a_card_from_before_intervals(self) -> None:
        card = asdict(quick_model().card)
        for later in ("intervals", "out_of_fold", "synthetic"):
            del card[later]
        read = read_card(tarball((member("model_card.json"), json.dumps(card).encode())))
        assert (read.intervals, read.out_of_fold, read.synthetic) == (None, None, None)
        assert read.model_sha256 == quick_model().card.model_sha256
