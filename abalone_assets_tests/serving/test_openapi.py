"""The OpenAPI document is valid, leaves nothing out, and every operation keeps its word."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiopenapi3 import OpenAPI
from aiopenapi3.errors import HTTPClientError
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.testclient import TestClient

import abalone_assets
from abalone_assets.lake.reports import Reports
from abalone_assets.pages.report_list import ReportList
from abalone_assets.serving.app import build_app
from abalone_assets.serving.capture import DataCapture
from abalone_assets.serving.model_host import ModelHost
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import FEATURES
from abalone_assets_tests.serving.support import (
    BODY,
    ENDPOINT,
    new_registry,
    register,
    tiny_archive,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from abalone_assets.pages.site import Site

DIGEST = "0" * 64
BROWSER = {"Accept": "text/html"}
CSV = {"Content-Type": "text/csv"}
INVOKED = f"/endpoints/{ENDPOINT}/invocations"


@dataclass(frozen=True)
class Tides:
    """A page with a form."""

    title: str = "Tides"
    path: str = "/tides"

    def routes(self, site: Site) -> Sequence[Route]:
        def at(request: Request) -> Response:
            if request.method == "GET":
                raise HTTPException(404, f"there is no hour {request.path_params['hour']}")
            return site.render("problem.html.jinja", path=self.path, phrase="High", message="Tide")

        return [Route(self.path + "/{hour:int}", at, methods=["GET", "POST"])]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> ModelHost:
    """A host that has loaded nothing yet."""
    registry = new_registry(tmp_path_factory.mktemp("openapi"))
    register(registry, tiny_archive(1))
    return ModelHost(registry, ENDPOINT)


@pytest.fixture(scope="module")
def app(host: ModelHost, tmp_path_factory: pytest.TempPathFactory) -> Starlette:
    """A server with every page, and a report for each example of a digest."""
    folder = tmp_path_factory.mktemp("lake")
    reports = Reports(ObjectStore(folder))
    reports.keep(DIGEST, b"<!doctype html><title>Report</title>")
    capture = DataCapture(ObjectStore(folder / "captured"), ENDPOINT)
    return build_app(host, capture, [ReportList(reports, host.registry)])


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """Asks a server without pages of a lake, while no model answers."""
    folder = tmp_path_factory.mktemp("waiting")
    return TestClient(build_app(ModelHost(new_registry(folder), ENDPOINT), None))


@pytest.fixture(scope="module")
def client(app: Starlette, host: ModelHost) -> TestClient:
    publish_pointer(host.registry.store, ENDPOINT, 1)
    host.refresh()
    return TestClient(app)


@pytest.fixture(scope="module")
def document(app: Starlette) -> dict[str, Any]:
    found: dict[str, Any] = TestClient(app).get("/openapi.json").json()
    return found


def check(document: dict[str, Any], path: str, method: str, answer: httpx2.Response) -> None:
    """Make sure that an answer is one of those that the document promises."""
    promised = document["paths"][path][method]["responses"]
    told = promised.get(str(answer.status_code)) or promised.get("default")
    assert told is not None, (path, answer.status_code, answer.text[:200])
    content = told.get("content", {})
    if not content:
        assert answer.content == b""
        return
    media_type = answer.headers["Content-Type"]
    known = {each.partition(";")[0]: body for each, body in content.items()}
    schema = known[media_type.partition(";")[0]]["schema"]
    body = answer.json() if media_type == "application/json" else answer.text
    OAS31Validator({**schema, "components": document["components"]}).validate(body)


def ask(
    client: TestClient, path: str, method: str, operation: dict[str, Any]
) -> list[httpx2.Response]:
    """Ask for an operation with each of its examples."""
    parameters = {each["name"]: each for each in operation.get("parameters", ())}
    path = path.format(
        **{name: each["example"] for name, each in parameters.items() if each["in"] == "path"}
    )
    query = {name: each["example"] for name, each in parameters.items() if each["in"] == "query"}
    bodies = operation.get("requestBody", {}).get("content", {"": {"example": ""}})
    return [
        client.request(
            method,
            path,
            params=query,
            content=body if isinstance(body := each["example"], str) else json.dumps(body),
            headers={"Content-Type": media_type, "Accept": accept},
        )
        for media_type, each in bodies.items()
        for accept in ("*/*", "application/json", "text/csv")
    ]


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_the_document_is_valid_and_of_this_release(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.1"
    assert document["info"]["version"] == abalone_assets.__version__


def test_every_route_is_in_it_and_nothing_else(app: Starlette, document: dict[str, Any]) -> None:
    routes = {
        (route.path_format, method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert routes == {(path, method) for path, method, _ in operations(document)}


def test_without_a_model_every_operation_keeps_its_word(
    waiting: TestClient,
) -> None:
    document = waiting.get("/openapi.json").json()
    for path, method, operation in operations(document):
        for answer in ask(waiting, path, method, operation):
            check(document, path, method, answer)
    assert waiting.get("/ping").status_code == 503


def test_every_example_is_understood_and_answered_as_promised(
    client: TestClient, document: dict[str, Any]
) -> None:
    for path, method, operation in operations(document):
        for answer in ask(client, path, method, operation):
            assert answer.status_code == 200, (path, answer.text)
            assert "200" in operation["responses"]
            check(document, path, method, answer)


def test_a_client_that_is_made_from_it_asks_and_understands(
    app: Starlette, client: TestClient
) -> None:
    class Session(TestClient):
        def __init__(self, **_: object) -> None:
            super().__init__(app)

    api = OpenAPI.load_sync("http://testserver/openapi.json", session_factory=Session)
    animal = dict(zip(FEATURES, ["M", 91, 73, 19, "102,8", 44.9, 20.2, 30], strict=True))
    row = ["M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15]
    told = api._.age_of_animal(data=animal)
    answered = api._.invoke_endpoint(
        parameters={"name": ENDPOINT}, data={"instances": [row]}
    ).predictions[0]
    assert (told.rings, told.age_years) == (answered.rings, answered.age_years)
    assert told.model.version == 1
    with pytest.raises(HTTPClientError) as refused:
        api._.age_of_animal(data=animal | {"height": "tall"})
    assert [each.column for each in refused.value.data.errors] == ["height"]


def test_it_says_how_to_ask_in_mm_and_g(client: TestClient, document: dict[str, Any]) -> None:
    asked = document["paths"]["/invocations"]["post"]
    assert "parameter units, such as text/csv; units=mm-g" in asked["description"]
    examples = {
        media_type: each["example"] for media_type, each in asked["requestBody"]["content"].items()
    }
    answers = {
        client.post(
            "/invocations",
            content=example if isinstance(example, str) else json.dumps(example),
            headers={"Content-Type": media_type, "Accept": "text/csv"},
        ).text
        for media_type, example in examples.items()
    }
    assert len(examples) == 4
    assert len(answers) == 1


def test_a_page_with_a_form_is_told_without_words_of_its_own(host: ModelHost) -> None:
    client = TestClient(build_app(host, None, [Tides()]))
    document = client.get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    assert set(document["paths"]["/tides/{hour}"]) == {"get", "post"}
    assert document["paths"]["/tides/{hour}"]["post"]["tags"] == ["pages"]
    check(document, "/tides/{hour}", "post", client.post("/tides/7"))
    check(document, "/tides/{hour}", "get", client.get("/tides/7", headers=BROWSER))


def test_what_may_be_left_out_of_a_question_is_not_required(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        bodies = operation.get("requestBody", {}).get("content", {})
        for each in bodies.values():
            validator = OAS31Validator({**each["schema"], "components": document["components"]})
            validator.validate(each["example"])
            assert validator.is_valid({}) is (path in {"/age", "/age/check"})


def test_an_answer_without_intervals_is_as_promised(document: dict[str, Any]) -> None:
    answer = {"predictions": [{"rings": 9.0, "age_years": 10.5}]}
    schema = document["paths"]["/invocations"]["post"]["responses"]["200"]["content"]
    wanted = {**schema["application/json"]["schema"], "components": document["components"]}
    OAS31Validator(wanted).validate(answer)
    assert not OAS31Validator(wanted).is_valid({"predictions": [{"rings": 9.0}]})


@pytest.mark.parametrize(
    ("method", "path", "asked", "body", "headers", "status"),
    [
        ("post", "/invocations", "/invocations", "M,1\n", CSV, 400),
        ("post", "/invocations", "/invocations", BODY, {"Content-Type": "image/png"}, 415),
        ("post", "/invocations", "/invocations", BODY, CSV | {"Accept": "image/png"}, 406),
        ("post", "/endpoints/{name}/invocations", INVOKED, "M,1\n", CSV, 424),
        ("post", "/endpoints/{name}/invocations", "/endpoints/x/invocations", BODY, CSV, 400),
        ("get", "/endpoints/{name}", "/endpoints/x", "", {}, 400),
        ("get", "/reports/{model_sha256}", "/reports/none", "", {}, 404),
        ("post", "/age", "/age", '{"sex": "x"}', {}, 400),
        ("post", "/age", "/age", "[" * 70_000, {}, 413),
        ("post", "/age/check", "/age/check", "{", {}, 400),
        ("post", "/ages", "/ages?units=ells", BODY, {}, 400),
        ("post", "/ages", "/ages", "", {}, 400),
    ],
)
def test_refusals_are_as_promised(
    client: TestClient,
    document: dict[str, Any],
    method: str,
    path: str,
    asked: str,
    body: str,
    headers: dict[str, str],
    status: int,
) -> None:
    answer = client.request(method, asked, content=body, headers=headers)
    assert answer.status_code == status
    check(document, path, method, answer)
