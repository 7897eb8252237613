"""A client of an endpoint: describes it and asks it for predictions over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import requests
from pydantic import TypeAdapter

from abalone_assets.errors import EndpointError
from abalone_assets.serving.protocol import ERROR_HEADER, VERSION_HEADER

DEFAULT_TIMEOUT_SECONDS: Final = 10.0

_OBJECT: Final = TypeAdapter(dict[str, Any])
"""Reads the answer for many rows in less than half of the time that `json` takes."""


class EndpointUnreachableError(EndpointError):
    """No endpoint server answers at the URL."""


@dataclass(frozen=True)
class Prediction:
    """What an endpoint answered to one request.

    Attributes:
        rings: The predicted rings, one for each row.
        version: The model version that answered.
        intervals: Lower and upper end of each row's prediction interval, in rings; None of a model
            that has none.
    """

    rings: list[float]
    version: int
    intervals: list[tuple[float, float]] | None = None


class EndpointClient:
    """Talks to one endpoint.

    Args:
        url: Base URL of its server.
        timeout_seconds: How long to wait for an answer.
    """

    def __init__(
        self, url: str, name: str, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> None:
        self.url = url.rstrip("/")
        self.name = name
        self._timeout_seconds = timeout_seconds

    def describe(self) -> dict[str, Any]:
        """The endpoint's status, its versions and its counters.

        Raises:
            EndpointUnreachableError: Nothing answers there, or something else does.
            EndpointError: The server does not have this endpoint.
        """
        document = _document(self._request("GET", f"/endpoints/{self.name}"))
        if document.get("endpoint") != self.name:
            raise self._stranger()
        return document

    def invoke(self, rows: str) -> Prediction:
        """The predictions for rows of CSV: the sex and the seven measurements in survey order.

        Raises:
            EndpointUnreachableError: Nothing answers at the URL.
            EndpointError: The endpoint refused the rows, has no model or answered no numbers.
        """
        response = self._request(
            "POST",
            f"/endpoints/{self.name}/invocations",
            data=rows.encode(),
            headers={"Content-Type": "text/csv", "Accept": "application/json"},
        )
        try:
            return _prediction(_document(response), int(response.headers[VERSION_HEADER]))
        except (KeyError, TypeError, ValueError) as error:
            raise EndpointError(f"{self.url} answered no predictions: {error!r}") from error

    def _request(self, method: str, path: str, **arguments: Any) -> requests.Response:  # noqa: ANN401 - as requests.request
        with requests.Session() as session:
            # A proxy set in the environment must not swallow calls to this machine.
            session.trust_env = False
            try:
                response = session.request(
                    method, self.url + path, timeout=self._timeout_seconds, **arguments
                )
            except requests.RequestException as error:
                raise EndpointUnreachableError(
                    f"no endpoint server answers at {self.url}: start one with `abalone serve`"
                ) from error
        if response.ok:
            return response
        if ERROR_HEADER not in response.headers:
            raise self._stranger()
        document = _document(response)
        # The model's own words, where it was the model that refused.
        message = document.get("OriginalMessage") or document.get("Message")
        raise EndpointError(f"endpoint {self.name}: {message}")

    def _stranger(self) -> EndpointUnreachableError:
        return EndpointUnreachableError(
            f"{self.url} answers, but not as an endpoint server: is it another program's port?"
        )


def _prediction(document: dict[str, Any], version: int) -> Prediction:
    answers = document["predictions"]
    rings = [float(answer["rings"]) for answer in answers]
    if not all("rings_low" in answer for answer in answers):
        return Prediction(rings, version)
    ends = [(float(answer["rings_low"]), float(answer["rings_high"])) for answer in answers]
    return Prediction(rings, version, ends)


def _document(response: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer; empty when it is none."""
    try:
        return _OBJECT.validate_json(response.content)
    except ValueError:
        return {}
