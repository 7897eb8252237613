import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.inference import (
    InvalidRequestError,
    Predictions,
    Predictor,
    UnsupportedContentTypeError,
    input_fn,
    model_fn,
    negotiate,
    output_fn,
    predict_fn,
)
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.models.model import CARD_FILE, MODEL_FILES, predict_rings
from abalone_assets_tests.modeling.support import (
    CSV_ROW,
    loaded,
    one_animal,
    quick_blend,
    quick_model,
    quick_network,
    save_bare,
    ubj,
)

MODEL_FILE = MODEL_FILES["xgboost"]

ANIMAL = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15)
NAMED = {name: column[0].item() for name, column in one_animal().items() if name != "rings"}


@pytest.fixture(
    scope="module",
    params=[quick_blend, quick_model, quick_network],
    ids=["blend", "booster", "network"],
)
def predictor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Predictor:
    folder = tmp_path_factory.mktemp("model")
    loaded(request.param(), folder)
    return model_fn(folder)


class TestInput:
    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (CSV_ROW.encode(), "text/csv"),
            (CSV_ROW, "text/csv"),
            (bytearray(CSV_ROW, "utf-8"), "Text/CSV; charset=utf-8"),
            (b"\xef\xbb\xbf" + CSV_ROW.encode() + b"\r\n\r\n", "text/csv"),
            (json.dumps({"instances": [list(ANIMAL)]}), "application/json"),
            (json.dumps({"instances": [NAMED]}), "application/json"),
            (json.dumps({"instances": [dict(reversed(NAMED.items()))]}), "application/json"),
            (json.dumps({"instances": [CSV_ROW.split(",")]}), "application/json"),
        ],
    )
    def test_reads_one_animal(self, body: bytes | str, content_type: str) -> None:
        assert input_fn(body, content_type) == [ANIMAL]

    def test_reads_several_lines(self) -> None:
        assert input_fn(f"{CSV_ROW}\n{CSV_ROW}\n", "text/csv") == [ANIMAL, ANIMAL]

    @pytest.mark.parametrize(
        ("body", "row", "column"),
        [
            ("", None, None),
            (b"\xff", None, None),
            (f"{CSV_ROW}\nX{CSV_ROW[1:]}", 2, "sex"),
            (CSV_ROW.replace("0.095", "tall"), 1, "height"),
            (CSV_ROW.replace("0.095", "-1"), 1, "height"),
            (CSV_ROW.replace("0.095", "inf"), 1, "height"),
            (f"{CSV_ROW},15", 1, None),
            ("sex,length,diameter,height,whole,shucked,viscera,shell", 1, "sex"),
            ('"M,0.1', None, None),
        ],
    )
    def test_names_the_place_of_a_csv_fault(
        self, body: bytes | str, row: int | None, column: str | None
    ) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            input_fn(body, "text/csv")
        assert (caught.value.row, caught.value.column) == (row, column)

    @pytest.mark.parametrize(
        ("body", "row", "column"),
        [
            ("{", None, None),
            ("[" * 100_000, None, None),
            ("[]", None, None),
            ('{"instances": {}}', None, None),
            ('{"instances": []}', None, None),
            ('{"instances": [7]}', 1, None),
            (json.dumps({"instances": [list(ANIMAL[:7])]}), 1, None),
            (json.dumps({"instances": [ANIMAL, NAMED | {"length": None}]}), 2, "length"),
            (json.dumps({"instances": [NAMED | {"length": True}]}), 1, "length"),
            (json.dumps({"instances": [NAMED | {"sex": ["M"]}]}), 1, "sex"),
            (json.dumps({"instances": [NAMED | {"length": float("nan")}]}), 1, "length"),
            ('{"instances": [["M", ' + "9" * 5000 + ", 1, 1, 1, 1, 1, 1]]}", 1, "length"),
            (json.dumps({"instances": [{"sex": "M"}]}), 1, "length"),
            (json.dumps({"instances": [NAMED | {"colour": "red"}]}), 1, None),
        ],
    )
    def test_names_the_place_of_a_json_fault(
        self, body: str, row: int | None, column: str | None
    ) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            input_fn(body, "application/json")
        assert (caught.value.row, caught.value.column) == (row, column)

    def test_says_where_and_what(self) -> None:
        with pytest.raises(InvalidRequestError, match=r"row 2, column sex: sex is 'X'; it must be"):
            input_fn(f"{CSV_ROW}\nX{CSV_ROW[1:]}", "text/csv")

    @settings(max_examples=100, deadline=None)
    @given(
        body=st.binary() | st.text() | st.from_regex(r'\{"instances": ?\[.*\]\}'),
        content_type=st.sampled_from(["text/csv", "application/json"]),
    )
    def test_answers_any_body_with_rows_or_one_clear_error(
        self, body: bytes | str, content_type: str
    ) -> None:
        with contextlib.suppress(InvalidRequestError):
            assert all(len(row) == 8 for row in input_fn(body, content_type))

    @pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-npy"])
    def test_refuses_other_content_types(self, content_type: str) -> None:
        with pytest.raises(UnsupportedContentTypeError, match="send text/csv or application/json"):
            input_fn(CSV_ROW, content_type)


class TestPrediction:
    def test_answers_in_the_order_of_the_rows(self, predictor: Predictor) -> None:
        small = ("I", 0.2, 0.15, 0.05, 0.04, 0.017, 0.01, 0.012)
        both = predict_fn([ANIMAL, small], predictor).rings
        reverse = predict_fn([small, ANIMAL], predictor).rings
        assert both.tolist() == reverse.tolist()[::-1]
        assert both[0] > both[1] > 0

    def test_of_a_row_does_not_depend_on_its_neighbours(self, predictor: Predictor) -> None:
        alone = predict_fn([ANIMAL], predictor).rings
        assert np.array_equal(predict_fn([ANIMAL] * 3, predictor).rings, alone.repeat(3))

    def test_by_rows_and_by_columns_agree(self, predictor: Predictor) -> None:
        by_columns = predict_rings(predictor.model, one_animal())
        assert predict_fn([ANIMAL], predictor).rings == by_columns

    def test_has_the_intervals_of_the_rows_sexes(self, predictor: Predictor) -> None:
        ratios = {"M": (-0.25, 0.25), "F": (-0.5, 0.5), "I": (0.0, 0.0)}
        sure = Predictor(predictor.model, Intervals(0.9, ratios))
        male, female = ANIMAL, ("F", *ANIMAL[1:])
        answer = predict_fn([male, female], sure)
        assert answer.low is not None
        assert answer.high is not None
        assert np.log(answer.low / answer.rings) == pytest.approx([-0.25, -0.5])
        assert np.log(answer.high / answer.rings) == pytest.approx([0.25, 0.5])


class TestOutput:
    def test_csv_is_one_prediction_a_line(self) -> None:
        answer = Predictions(np.asarray([9.870049, 11.0]), np.zeros(2), np.ones(2))
        assert output_fn(answer, "text/csv") == ("9.87\n11.0\n", "text/csv")

    def test_json_gives_rings_and_years(self) -> None:
        body, content_type = output_fn(Predictions(np.asarray([9.87])), "application/json")
        assert content_type == "application/json"
        assert json.loads(body) == {"predictions": [{"rings": 9.87, "age_years": 11.37}]}

    def test_json_gives_the_interval_of_a_model_that_has_one(self) -> None:
        answer = Predictions(np.asarray([9.87]), np.asarray([7.60004]), np.asarray([13.1]))
        (told,) = json.loads(output_fn(answer, "application/json")[0])["predictions"]
        assert told == {"rings": 9.87, "age_years": 11.37, "rings_low": 7.6, "rings_high": 13.1}

    @pytest.mark.parametrize(
        ("accept", "content_type"),
        [
            (None, "text/csv"),
            ("", "text/csv"),
            ("*/*", "text/csv"),
            ("text/*", "text/csv"),
            ("Application/JSON", "application/json"),
            ("application/*; q=0.2", "application/json"),
            ("text/csv;q=0.5, application/json", "application/json"),
            ("text/csv;q=0, */*;q=0.1", "text/csv"),
            ("application/json;q=nonsense, text/csv;q=0.1", "text/csv"),
            ("image/png, */*;q=0.1", "text/csv"),
        ],
    )
    def test_negotiates(self, accept: str | None, content_type: str) -> None:
        assert negotiate(accept) == content_type

    @pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "application/x-npy"])
    def test_refuses_what_it_cannot_write(self, accept: str) -> None:
        with pytest.raises(UnsupportedContentTypeError, match="accept text/csv or"):
            output_fn(Predictions(np.ones(1)), accept)


class TestLoading:
    @pytest.mark.parametrize("missing", [MODEL_FILE, CARD_FILE])
    def test_names_a_missing_file(self, tmp_path: Path, missing: str) -> None:
        save_bare(ubj(quick_model()), tmp_path)
        (tmp_path / missing).unlink()
        with pytest.raises(ModelArchiveError, match=f"not an extracted model archive.*{missing}"):
            model_fn(tmp_path)

    @pytest.mark.parametrize("card", ["", "[]", "{}", '{"framework": "xgboost"}'])
    def test_refuses_a_card_that_does_not_vouch_for_the_model(
        self, tmp_path: Path, card: str
    ) -> None:
        save_bare(ubj(quick_model()), tmp_path)
        (tmp_path / CARD_FILE).write_text(card)
        with pytest.raises(ModelArchiveError, match="model_card"):
            model_fn(tmp_path)

    @pytest.mark.parametrize("keep", [0, 1000, -1])
    def test_refuses_a_damaged_model(self, tmp_path: Path, keep: int) -> None:
        """Given these bytes, XGBoost would end the process or load nonsense."""
        save_bare(ubj(quick_model()), tmp_path)
        (tmp_path / MODEL_FILE).write_bytes(ubj(quick_model())[:keep] + b"?" * (keep == -1))
        with pytest.raises(ModelArchiveError, match="damaged"):
            model_fn(tmp_path)

    @pytest.mark.parametrize(
        ("framework", "message"),
        [
            ("blend", "not a blend"),
            ("xgboost", "not an XGBoost model"),
            ("tensorflow", "not a network"),
        ],
    )
    def test_refuses_what_is_no_model(self, tmp_path: Path, framework: str, message: str) -> None:
        save_bare(b"not a model", tmp_path, framework)
        with pytest.raises(ModelArchiveError, match=message):
            model_fn(tmp_path)

    @pytest.mark.parametrize(
        "intervals",
        [7, {}, {"coverage": 0.9, "log_ratios": {"M": [0, 1], "F": [0, 1], "I": [1, 0]}}],
    )
    def test_refuses_a_card_with_damaged_intervals(self, tmp_path: Path, intervals: object) -> None:
        save_bare(ubj(quick_model()), tmp_path)
        card = json.loads((tmp_path / CARD_FILE).read_text())
        (tmp_path / CARD_FILE).write_text(json.dumps(card | {"intervals": intervals}))
        with pytest.raises(ModelArchiveError, match="intervals"):
            model_fn(tmp_path)

    @pytest.mark.parametrize("framework", ["catboost", None, ["xgboost"]])
    def test_names_a_framework_that_it_does_not_know(
        self, tmp_path: Path, framework: object
    ) -> None:
        (tmp_path / CARD_FILE).write_text(json.dumps({"framework": framework}))
        with pytest.raises(ModelArchiveError, match="knows blend, xgboost, tensorflow"):
            model_fn(tmp_path)

    @pytest.mark.parametrize(
        ("names", "message"), [(["length", "colour"], "colour"), (None, "name its features")]
    )
    def test_refuses_a_model_of_other_features(
        self, tmp_path: Path, names: list[str] | None, message: str
    ) -> None:
        save_bare(stump(names), tmp_path)
        with pytest.raises(ModelArchiveError, match=message):
            model_fn(tmp_path)

    def test_serves_an_older_model_of_fewer_features(self, tmp_path: Path) -> None:
        save_bare(stump(["water_loss", "length"]), tmp_path)
        answer = predict_fn([ANIMAL], model_fn(tmp_path))
        assert answer.rings.shape == (1,)
        assert answer.low is None


def stump(names: list[str] | None) -> bytes:
    """A model of two features."""
    data = xgboost.DMatrix(np.eye(2), label=[5.0, 9.0], feature_names=names)
    booster = xgboost.train({"nthread": 1}, data, num_boost_round=1)
    return bytes(booster.save_raw("ubj"))
