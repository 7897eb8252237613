"""What every endpoint does: the server of this machine, and one on SageMaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import EndpointError, StorageError
from abalone_assets.serving.endpoint import WrongAnswerError, check_answers
from abalone_assets_tests.serving.sagemaker.hosting import LINE, constant_archive
from abalone_assets_tests.serving.support import (
    LINES,
    endpoint_of,
    local_prediction,
    new_registry,
    register,
    running_server,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.serving.endpoint import Deployment, Endpoint
    from abalone_assets_tests.serving.sagemaker.hosting import Account

Probes = list[tuple[str, float]]
BROKEN = 3


@dataclass(frozen=True)
class Hosted:
    """An endpoint that serves nothing yet.

    Attributes:
        endpoint: The endpoint.
        probes: Of versions 1 and 2, as they answer them; version 3 cannot be loaded.
    """

    endpoint: Endpoint
    probes: dict[int, Probes]

    @property
    def live(self) -> int | None:
        return self.endpoint.live_version()

    def deploy(self, version: int) -> Deployment:
        return self.endpoint.deploy(version, self.probes[version])

    def deploy_wrongly(self, version: int) -> str:
        """Deploy with probes that are answered otherwise; what is said of it."""
        wrong = [(line, rings + 2e-4) for line, rings in self.probes[version]]
        with pytest.raises(EndpointError, match=r"predicts [\d.]+ rings for '[MFI],0\.") as seen:
            self.endpoint.deploy(version, wrong)
        return str(seen.value)


def local(folder: Path, archives: list[bytes]) -> Iterator[Hosted]:
    registry = new_registry(folder)
    for archive in (*archives[:2], b"no archive"):
        register(registry, archive)
    answers = [zip(LINES, local_prediction(archive), strict=True) for archive in archives[:2]]
    with running_server(registry):
        yield Hosted(endpoint_of(registry), dict(enumerate(map(list, answers), start=1)))


def on_sagemaker(account: Account) -> Iterator[Hosted]:
    account.register_constants(1.0, 2.0)
    account.register(constant_archive(3.0, "raise SystemExit('no such module')"))
    yield Hosted(account.endpoint(), {version: [(LINE, float(version))] for version in (1, 2)})


@pytest.fixture(params=["local", "sagemaker"])
def hosted(
    request: pytest.FixtureRequest, tmp_path: Path, archives: list[bytes]
) -> Iterator[Hosted]:
    """An endpoint of each backing."""
    if request.param == "local":
        yield from local(tmp_path, archives)
    else:
        yield from on_sagemaker(request.getfixturevalue("account"))


def test_an_endpoint_to_which_nothing_was_deployed_has_no_version(hosted: Hosted) -> None:
    assert hosted.live is None


def test_versions_follow_one_another_and_are_live_and_verified_on_return(hosted: Hosted) -> None:
    done = hosted.deploy(1)
    assert (done.version, done.previous, done.served) == (1, None, True)
    assert done.message == "version 1 is live"
    assert done.url is not None
    assert hosted.live == 1

    done = hosted.deploy(2)
    assert (done.version, done.previous, done.served) == (2, 1, True)
    assert hosted.live == 2


def test_the_live_version_deployed_again_is_verified_and_left_alone(hosted: Hosted) -> None:
    hosted.deploy(1)
    hosted.deploy(2)

    again = hosted.deploy(2)

    assert (again.version, again.previous) == (2, 1)
    assert again.message == "version 2 was live already"


def test_a_version_that_answers_wrongly_is_taken_back(hosted: Hosted) -> None:
    hosted.deploy(1)
    assert "; version 1 " in hosted.deploy_wrongly(2)
    assert hosted.live == 1
    assert hosted.deploy(1).message == "version 1 was live already"


def test_a_first_version_that_answers_wrongly_leaves_nothing(hosted: Hosted) -> None:
    assert "; nothing " in hosted.deploy_wrongly(1)
    assert hosted.live is None
    assert hosted.deploy(1).previous is None


def test_a_live_version_found_wrong_falls_back_to_the_one_before(hosted: Hosted) -> None:
    hosted.deploy(1)
    hosted.deploy(2)
    assert "; version 1 " in hosted.deploy_wrongly(2)
    assert hosted.live == 1


def test_a_live_version_found_wrong_stays_when_there_is_none_to_return_to(hosted: Hosted) -> None:
    hosted.deploy(1)
    said = hosted.deploy_wrongly(1)
    assert said.endswith("; version 1 was live before and is not taken back")
    assert hosted.live == 1


def test_a_version_that_cannot_be_loaded_is_taken_back_with_its_reason(hosted: Hosted) -> None:
    hosted.deploy(1)
    message = f"version {BROKEN} (cannot be served|was not taken): .*; version 1 "
    with pytest.raises(EndpointError, match=message):
        hosted.endpoint.deploy(BROKEN, hosted.probes[1])
    assert hosted.live == 1


def test_a_probe_that_the_model_refuses_takes_the_version_back_with_the_models_words(
    hosted: Hosted,
) -> None:
    hosted.deploy(1)
    with pytest.raises(EndpointError, match=r"row 1, column sex: .*; version 1 "):
        hosted.endpoint.deploy(2, [("Q,1,1,1,1,1,1,1", 9.0)])
    assert hosted.live == 1


def test_what_cannot_be_deployed_is_refused_before_anything_changes(hosted: Hosted) -> None:
    with pytest.raises(StorageError, match="no model version 9"):
        hosted.endpoint.deploy(9, hosted.probes[1])
    with pytest.raises(EndpointError, match="at least one probe"):
        hosted.endpoint.deploy(1, [])
    assert hosted.live is None


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([], "^version 2: 0 predictions for 1 probes$"),
        ([9.0, 9.0], "2 predictions for 1 probes"),
        ([float("nan")], "predicts nan rings"),
        ([9.0002], "^version 2 predicts 9.0002 rings for 'M,0.5' where 9.0 was expected$"),
    ],
)
def test_an_answer_that_proves_nothing_is_wrong(predictions: list[float], message: str) -> None:
    probes = [("M,0.5\n", 9.0)]
    check_answers("version 2", probes, [9.00005])
    with pytest.raises(WrongAnswerError, match=message):
        check_answers("version 2", probes, predictions)
