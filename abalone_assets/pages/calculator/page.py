"""The Age Calculator's page and the routes behind it, which programs may ask as well.

* ``GET /`` is the page.
* ``GET /age/model`` tells which model answers, or why none does.
* ``POST /age/check`` judges an animal while it is being typed; no model is asked, so nothing is
  captured.
* ``POST /age`` ages one animal, ``POST /ages`` the lines of a CSV text.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from abalone_assets.errors import SurveyError
from abalone_assets.pages.bodies import read_body
from abalone_assets.pages.calculator.answers import aged_row, answer_of
from abalone_assets.pages.calculator.doubts import doubts
from abalone_assets.pages.calculator.facts import ModelFacts, facts_of, with_report
from abalone_assets.pages.calculator.measured import Animal, read_animal
from abalone_assets.pages.calculator.problems import UNITS, Problem
from abalone_assets.pages.calculator.questions import Question
from abalone_assets.pages.calculator.table import MAX_ANIMALS, Table, TableError, read_table
from abalone_assets.survey import AGE_OFFSET_YEARS, COLUMNS, FEATURES
from abalone_assets.survey.units import CONTRACT_UNITS, MM_G, PEOPLE_USE, Units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from abalone_assets.lake.reports import Reports
    from abalone_assets.pages.calculator.facts import LiveModel
    from abalone_assets.pages.site import Site
    from abalone_assets.registry.registry import ModelRegistry

MAX_QUESTION_BYTES: Final = 65_536
MAX_TABLE_BYTES: Final = 4 * 2**20
TEMPLATE: Final = "calculator/calculator.html.jinja"
_FEATURES: Final = COLUMNS[: len(FEATURES)]
_CSV: Final = "text/csv"
_JSON: Final = "application/json"


class Endpoint(Protocol):
    """What answers: an endpoint's server."""

    @property
    def live(self) -> LiveModel | None:
        """The model that answers now."""

    def waiting(self) -> str:
        """Why none does."""

    async def ask(
        self, model: LiveModel, body: bytes, content_type: str, accept: str
    ) -> tuple[bytes, str]:
        """A model's answer to a request, and its type; counted and captured like any other."""


@dataclass(frozen=True)
class Calculator:
    """The Age Calculator of an endpoint.

    Attributes:
        endpoint: It answers.
        registry: It knows what answers.
        reports: The reports that an answer may lead to; None where no page shows them.
    """

    endpoint: Endpoint
    registry: ModelRegistry
    reports: Reports | None = None
    title: ClassVar[str] = "Age Calculator"
    path: ClassVar[str] = "/"
    _known: dict[int, ModelFacts] = field(default_factory=dict)

    def routes(self, site: Site) -> Sequence[Route]:
        """The page and what its script asks."""

        def show(_request: Request) -> Response:
            return site.render(
                TEMPLATE,
                path=self.path,
                columns=_FEATURES,
                units={"people": MM_G, "survey": CONTRACT_UNITS},
                age_offset=AGE_OFFSET_YEARS,
                most=MAX_ANIMALS,
            )

        return [
            Route(self.path, show),
            Route("/age/model", self.tell),
            Route("/age/check", self.check, methods=["POST"]),
            Route("/age", self.age, methods=["POST"]),
            Route("/ages", self.ages, methods=["POST"]),
        ]

    async def tell(self, _request: Request) -> Response:
        """Which model answers, or why none does."""
        model = self.endpoint.live
        if model is None:
            return JSONResponse({"model": None, "waiting": self.endpoint.waiting()})
        facts = await self._facts(model)
        return JSONResponse({"model": facts.document(), "waiting": None})

    async def check(self, request: Request) -> Response:
        """What is wrong with an animal, and what is odd about it; it may be half typed."""
        question = await _question(request)
        units = _units(question.units)
        read = read_animal(question.model_dump(exclude={UNITS}), units)
        if not isinstance(read, Animal):
            return JSONResponse({"errors": _documents(read), "warnings": []})
        model = self.endpoint.live
        known = None if model is None else (await self._lasting_facts(model)).known
        return JSONResponse({"errors": [], "warnings": _documents(doubts(read, units, known))})

    async def age(self, request: Request) -> Response:
        """How old one animal is."""
        model = self._live()
        question = await _question(request)
        units = _units(question.units)
        animal = read_animal(question.model_dump(exclude={UNITS}), units)
        if not isinstance(animal, Animal):
            return refusal(animal)
        facts = await self._facts(model)
        (predicted,) = await self._predicted(model, animal.line)
        return JSONResponse(answer_of(predicted, animal, units, facts))

    async def ages(self, request: Request) -> Response:
        """How old the animals of a CSV text are, line by line."""
        model = self._live()
        units = _units(request.query_params.get(UNITS, MM_G.name))
        body = await read_body(request, MAX_TABLE_BYTES)
        try:
            table = await run_in_threadpool(read_table, body, units)
        except TableError as error:
            return refusal([Problem(None, "table", str(error))])
        facts = await self._facts(model)
        predicted = await self._predicted(model, table.lines) if table.rows else []
        return JSONResponse(await run_in_threadpool(_ages, table, predicted, facts))

    def _live(self) -> LiveModel:
        model = self.endpoint.live
        if model is None:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, self.endpoint.waiting())
        return model

    async def _facts(self, model: LiveModel) -> ModelFacts:
        """What is known of a model now."""
        facts = await self._lasting_facts(model)
        return await run_in_threadpool(with_report, facts, self.reports)

    async def _lasting_facts(self, model: LiveModel) -> ModelFacts:
        """What is known of a model and stays so, read once."""
        if model.version not in self._known:
            facts = await run_in_threadpool(facts_of, model, self.registry)
            if facts.rmse is None:  # the registry may tell more later
                return facts
            self._known[model.version] = facts
        return self._known[model.version]

    async def _predicted(self, model: LiveModel, lines: str) -> list[dict[str, float]]:
        answer, _ = await self.endpoint.ask(model, lines.encode(), _CSV, _JSON)
        predictions: list[dict[str, float]] = json.loads(answer)["predictions"]
        return predictions


def refusal(problems: Sequence[Problem]) -> Response:
    """The answer to a question that holds no animal: each problem, by its column."""
    document = {"Message": problems[0].message, "errors": _documents(problems)}
    return JSONResponse(document, HTTPStatus.BAD_REQUEST)


async def _question(request: Request) -> Question:
    body = await read_body(request, MAX_QUESTION_BYTES)
    try:
        return Question.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, _malformed(error)) from error


def _malformed(error: ValidationError) -> str:
    """What is wrong with a document that is no question at all."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if name in FEATURES and first["type"] != "extra_forbidden":
        return f"{name}: a number or a text is expected"
    return f"{name}: {first['msg']}" if name else str(first["msg"])


def _units(name: str) -> Units:
    """The units of a question.

    Raises:
        HTTPException: They are not among those that people and surveys use (400).
    """
    try:
        units = Units.named(name)
    except SurveyError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
    if units not in PEOPLE_USE:
        known = " or ".join(each.name for each in PEOPLE_USE)
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"units {name!r}: say {known}")
    return units


def _ages(table: Table, predicted: Sequence[dict[str, float]], facts: ModelFacts) -> dict[str, Any]:
    return {
        "units": table.units.name,
        "length_unit": table.units.length.symbol,
        "weight_unit": table.units.weight.symbol,
        "animals": [
            aged_row(each, row, table.units, facts)
            for each, row in zip(predicted, table.rows, strict=True)
        ],
        "bad_lines": [
            {"line": each.line, "text": each.text, "problems": _documents(each.problems)}
            for each in table.bad
        ],
        "model": facts.document(),
    }


def _documents(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [asdict(each) for each in problems]
