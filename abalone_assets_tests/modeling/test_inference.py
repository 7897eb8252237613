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
from abalone_assets.modeling.models.booster import BOOSTER_FILE
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.models.model import CARD_FILE, predict_rings
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

MODEL_FILE = BOOSTER_FILE

MEASURED = "M,91,73,19,102.8,44.9,20.2,30"
"""The same animal in millimetres and grams."""

ANIMAL = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15)
NAMED = {name: column[0].item() for name, column in one_animal().items() if name != "rings"}


def instances(*animals: object) -> str:
    return json.dumps({"instances": animals})


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
            (instances(ANIMAL), "application/json"),
            (instances(NAMED), "application/json"),
            (instances(dict(reversed(NAMED.items()))), "application/json"),
            (instances(CSV_ROW.split(",")), "application/json"),
        ],
    )
    def test_reads_one_animal(self, body: bytes | str, content_type: str) -> None:
        assert list(input_fn(body, content_type)) == [ANIMAL]

    @pytest.mark.parametrize("animal", [("m", *ANIMAL[1:]), {**NAMED, "sex": "m"}])
    def test_reads_a_sex_in_lower_case_as_ingestion_does(self, animal: object) -> None:
        assert input_fn(instances(animal), "application/json")[0][0] == "M"

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (MEASURED, "text/csv; units=mm-g"),
            (MEASURED, 'text/csv; Units = "mm-g"'),
            (MEASURED, 'text/csv;charset=utf-8;Units="MM-G"'),
            ("M,9.1,7.3,1.9,0.1028,0.0449,0.0202,0.03", "text/csv; units=cm-kg"),
            (CSV_ROW, "text/csv; units=survey"),
            (CSV_ROW, "text/csv; units=scaled-scaled; units=survey"),
            (instances(MEASURED.split(",")), "application/json; units=mm-g"),
            (instances(["M", *map(float, MEASURED.split(",")[1:])]), "application/json;units=mm-g"),
        ],
    )
    def test_reads_an_animal_in_the_units_that_the_content_type_tells(
        self, body: str, content_type: str
    ) -> None:
        assert list(input_fn(body, content_type)) == [ANIMAL]

    @pytest.mark.parametrize(
        ("body", "content_type", "said"),
        [
            (MEASURED, "text/csv", "row 2.* look like millimetres and grams: divide all of them"),
            (MEASURED, "text/csv; units=survey", "say units=mm-g in the content type, as in text"),
            (CSV_ROW, "text/csv; units=mm-g", "leave units=mm-g out of the content type, or"),
            ("M,0.01,0.008,0.002,2e-5,1e-5,1e-6,1e-6", "text/csv; units=mm-g", "it must be above"),
        ],
    )
    def test_refuses_an_animal_in_other_units_than_told(
        self, body: str, content_type: str, said: str
    ) -> None:
        good = MEASURED if "mm-g" in content_type else CSV_ROW
        with pytest.raises(InvalidRequestError, match=said) as seen:
            input_fn(f"{good}\n{body}", content_type)
        assert seen.value.row == 2

    @pytest.mark.parametrize(
        "units", ["units=ells", "units=", "units=mm-g; units=survey", "units = ells"]
    )
    def test_refuses_units_that_it_does_not_know_or_that_differ(self, units: str) -> None:
        with pytest.raises(UnsupportedContentTypeError, match=r"say one of|tells several units"):
            input_fn(MEASURED, f"text/csv; {units}")

    def test_reads_several_lines(self) -> None:
        assert list(input_fn(f"{CSV_ROW}\n{CSV_ROW}\n", "text/csv")) == [ANIMAL, ANIMAL]

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
            ("{", None, None),
            ("[" * 100_000, None, None),
            ("[]", None, None),
            ('{"instances": {}}', None, None),
            ('{"instances": []}', None, None),
            ('{"instances": [7]}', 1, None),
            (instances(ANIMAL[:7]), 1, None),
            (instances(ANIMAL, NAMED | {"length": None}), 2, "length"),
            (instances(NAMED | {"length": True}), 1, "length"),
            (instances(NAMED | {"sex": ["M"]}), 1, "sex"),
            (instances(NAMED | {"length": float("nan")}), 1, "length"),
            ('{"instances": [["M", ' + "9" * 5000 + ", 1, 1, 1, 1, 1, 1]]}", 1, "length"),
            (instances({"sex": "M"}), 1, "length"),
            (instances(NAMED | {"colour": "red"}), 1, None),
        ],
    )
    def test_names_the_place_of_a_fault(
        self, body: bytes | str, row: int | None, column: str | None
    ) -> None:
        kind = "application/json" if str(body).startswith(("{", "[")) else "text/csv"
        with pytest.raises(InvalidRequestError) as caught:
            input_fn(body, kind)
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

    def test_json_gives_rings_years_and_the_interval_where_there_is_one(self) -> None:
        rings, low, high = (np.asarray([each]) for each in (9.87, 7.60004, 13.1))
        plain, sure = {"rings": 9.87, "age_years": 11.37}, {"rings_low": 7.6, "rings_high": 13.1}
        for answer, told in ((Predictions(rings), {}), (Predictions(rings, low, high), sure)):
            body, content_type = output_fn(answer, "application/json")
            assert content_type == "application/json"
            assert json.loads(body) == {"predictions": [plain | told]}

    @pytest.mark.parametrize("odd", [None, 0.5, 0.00001, -3.0, 98.99996, 99.0, 1e6])
    def test_many_numbers_are_written_as_few_are(self, odd: float | None) -> None:
        every = np.linspace(1, 2, 10_001)
        random = np.random.default_rng(0).uniform(1, 98.9, 10_000)
        rings = np.concatenate([every, every * 7, random, [] if odd is None else [odd]])
        rounded = np.round(rings, 4)
        body, _ = output_fn(Predictions(rings, rings, rings), "text/csv")
        assert body == "".join(f"{each}\n" for each in rounded.tolist())
        body, _ = output_fn(Predictions(rings, rings, rings), "application/json")
        years = np.round(rounded + 1.5, 4).tolist()
        told = [
            {"rings": ring, "age_years": age, "rings_low": ring, "rings_high": ring}
            for ring, age in zip(rounded.tolist(), years, strict=True)
        ]
        assert (body == json.dumps({"predictions": told})) is True

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
            ("text/csv;q=0, */*;q=0.1", "application/json"),
            ("text/csv;q=0, */*", "application/json"),
            ("*/*, text/csv;q=0", "application/json"),
            ("text/*;q=0, */*;q=0.1", "application/json"),
            ("application/*;q=0, application/json;q=0.1", "application/json"),
            ("text/*, text/csv;q=0, application/json;q=0.1", "application/json"),
            ("text/csv;q=0.2, */*;q=0.5", "application/json"),
            ("*/*;q=0.1, text/csv;q=0.2", "text/csv"),
            ("application/json;q=0.3, text/*;q=0.3", "application/json"),
            ("text/csv;q=0, text/csv;q=0.5", "text/csv"),
            ("application/json;q=nan, text/csv;q=0.1", "text/csv"),
            ("application/json;q=nonsense, text/csv;q=0.1", "text/csv"),
            ("image/png, */*;q=0.1", "text/csv"),
        ],
    )
    def test_negotiates(self, accept: str | None, content_type: str) -> None:
        assert negotiate(accept) == content_type

    @pytest.mark.parametrize(
        ("accept", "content_type"),
        [
            *((accept, "application/json") for accept in (None, "", "*/*", "image/png, */*;q=0.1")),
            ("text/*", "text/csv"),
            ("text/csv", "text/csv"),
            ("application/json;q=0, */*", "text/csv"),
            ("*/*, text/csv", "application/json"),
        ],
    )
    def test_follows_the_request_where_all_is_welcome(
        self, predictor: Predictor, accept: str | None, content_type: str
    ) -> None:
        rows = input_fn(json.dumps({"instances": [ANIMAL]}), "application/json; charset=utf-8")
        assert output_fn(predict_fn(rows, predictor), accept)[1] == content_type

    @pytest.mark.parametrize(
        "accept",
        [
            *("image/png", "text/csv;q=0", "application/x-npy", "*/*;q=0"),
            *("text/csv;q=0, application/json;q=0, */*", "text/*;q=0, application/*;q=0, */*"),
        ],
    )
    def test_refuses_what_it_cannot_write(self, accept: str) -> None:
        with pytest.raises(UnsupportedContentTypeError, match="accept text/csv or"):
            output_fn(Predictions(np.ones(1)), accept)


def stump(names: list[str] | None) -> bytes:
    """A model of two features."""
    data = xgboost.DMatrix(np.eye(2), label=[5.0, 9.0], feature_names=names)
    booster = xgboost.train({"nthread": 1}, data, num_boost_round=1)
    return bytes(booster.save_raw("ubj"))


class TestLoading:
    @pytest.mark.parametrize(
        ("file", "content", "message"),
        [
            (MODEL_FILE, None, f"not an extracted model archive.*{MODEL_FILE}"),
            (CARD_FILE, None, f"not an extracted model archive.*{CARD_FILE}"),
            *((CARD_FILE, card, "model_card") for card in (b"", b"[]", b"{}")),
            (CARD_FILE, b'{"framework": "xgboost"}', "model_card"),
            *(
                (CARD_FILE, b'{"framework": %b}' % name, "knows blend, xgboost, tensorflow")
                for name in (b'"catboost"', b"null", b'["xgboost"]')
            ),
            # given such bytes, XGBoost would end the process or load nonsense
            *((MODEL_FILE, slice(end), "damaged") for end in (0, 1000, -1)),
        ],
    )
    def test_refuses_a_folder_without_a_model_that_its_card_vouches_for(
        self, tmp_path: Path, file: str, content: bytes | slice | None, message: str
    ) -> None:
        save_bare(ubj(quick_model()), tmp_path)
        if content is None:
            (tmp_path / file).unlink()
        else:
            cut = ubj(quick_model())[content] if isinstance(content, slice) else content
            (tmp_path / file).write_bytes(cut)
        with pytest.raises(ModelArchiveError, match=message):
            model_fn(tmp_path)

    def test_refuses_a_card_with_damaged_intervals(self, tmp_path: Path) -> None:
        save_bare(ubj(quick_model()), tmp_path, intervals={"coverage": 0.9})
        with pytest.raises(ModelArchiveError, match="intervals"):
            model_fn(tmp_path)

    @pytest.mark.parametrize(
        ("framework", "data", "message"),
        [
            ("blend", b"not a model", "not a blend"),
            ("xgboost", b"not a model", "not an XGBoost model"),
            ("tensorflow", b"not a model", "not a network"),
            ("xgboost", stump(["length", "colour"]), "colour"),
            ("xgboost", stump(None), "name its features"),
        ],
    )
    def test_refuses_what_is_no_model(
        self, tmp_path: Path, framework: str, data: bytes, message: str
    ) -> None:
        save_bare(data, tmp_path, framework)
        with pytest.raises(ModelArchiveError, match=message):
            model_fn(tmp_path)

    def test_serves_an_older_model_of_fewer_features(self, tmp_path: Path) -> None:
        save_bare(stump(["water_loss", "length"]), tmp_path)
        answer = predict_fn([ANIMAL], model_fn(tmp_path))
        assert answer.rings.shape == (1,)
        assert answer.low is None
