"""The Age Calculator as a person uses it, who knows its labels and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from abalone_assets_tests.modeling.support import survey_frame
from abalone_assets_tests.serving.support import ENDPOINT, RunningServer

if TYPE_CHECKING:
    import re

    from playwright.sync_api import Page, Route

MEASURED = {
    "Length": "112",
    "Diameter": "88",
    "Height": "30",
    "Whole weight": "210",
    "Shucked weight": "90",
    "Viscera weight": "45",
    "Shell weight": "60",
}
SURVEYED = [float(value) / 200 for value in MEASURED.values()]
OLD = dict(zip(MEASURED, ("140", "110", "55", "330", "110", "70", "170"), strict=True))
TELL, TELL_ALL = "Tell its age", "Tell their ages"
LINES = "Animals, one a line"


def fill_in(page: Page, measured: dict[str, str], sex: str = "Female") -> None:
    page.get_by_label(sex, exact=True).check()
    for label, value in measured.items():
        page.get_by_label(label).fill(value)


def tell(page: Page, measured: dict[str, str], sex: str = "Female") -> str:
    """Ask for an animal's age; what is said."""
    fill_in(page, measured, sex)
    page.get_by_role("button", name=TELL).click()
    said = page.get_by_role("status").filter(has_text="years old")
    said.wait_for()
    return said.inner_text()


def asked_by_program(live: RunningServer, line: str) -> dict[str, Any]:
    answer = requests.post(
        f"{live.url}/endpoints/{ENDPOINT}/invocations",
        data=line,
        headers={"Content-Type": "text/csv", "Accept": "application/json"},
        timeout=10,
    )
    (prediction,) = answer.json()["predictions"]
    return dict(prediction)


def pasted(count: int) -> list[str]:
    """Surveyed animals, in mm and g."""
    rows = survey_frame()[:count].drop(columns="rings").to_numpy().tolist()
    return [",".join([sex, *(f"{200 * each:.6g}" for each in values)]) for sex, *values in rows]


def held_requests(page: Page, url: str | re.Pattern[str]) -> list[Route]:
    """The requests from now on, which go on when they are told to."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(url, hold)
    return held
