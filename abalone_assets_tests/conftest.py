"""What tests share: the real survey, a home of their own, the platform on it, and a fake AWS."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster._core.storage.event_log import in_memory as events_in_memory
from dagster._core.storage.runs import in_memory as runs_in_memory
from xdist.scheduler import LoadGroupScheduling

from abalone_assets.local.instance import EVENT_BATCH_SIZE
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import Platform, small_base
from abalone_assets_tests.support.quick_python import quicken

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from xdist.remote import Producer

pytest_plugins = [
    "abalone_assets_tests.fakes.fixtures",
    "abalone_assets_tests.serving.sagemaker.account",
]

UCI_FILE = Path(
    os.environ.get("ABALONE_TEST_RAW", Path(__file__).parents[1] / "../shared/data/abalone.data")
)
TIERS = {"stories": "story", "services": "service"}
"""Markers of tests by the folder that they are in, the slowest first; the others are fast."""

SERVICES = {
    *("aws", "account", "s3", "sagemaker", "model packages"),
    *("assembly", "oidc_assembly", "company_assembly", "serverless_assembly"),
    *("cluster", "served_home"),
    *("home", "platform"),
    "spark",
}
"""Fixtures, and parameters, that start a service: what asks for one is no fast test.

The stand-in for AWS, the CDK, PostgreSQL, a Dagster instance on disk, a JVM.
"""


def pytest_configure(config: pytest.Config) -> None:
    """Have runs store their events as those of the platform do, and make instances in little time.

    An instance in memory would read ninety migrations, to note in itself that it needs none.
    A shell starts what is in the background with Ctrl-C ignored; tests press it all the same.
    """
    sys.dont_write_bytecode = False  # as `quicken` has it in the workers
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENT_BATCH_SIZE)
    if not hasattr(config, "workerinput"):  # workers of pytest-xdist inherit it
        quicken(os.environ)
    for module in (events_in_memory, runs_in_memory):
        vars(module)["stamp_alembic_rev"] = lambda *_: None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A worker more than there are cores: tests with services and processes often wait for one.

    The fast tier computes all the time, so pytest-xdist decides, as it does when it was told.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or _is_fast_tier(config):
        return None
    return (os.cpu_count() or 1) + 1


def _is_fast_tier(config: pytest.Config) -> bool:
    return all(f"not {marker}" in config.option.markexpr for marker in TIERS.values())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no test of a folder of which the fast tier takes none."""
    slow = collection_path.parent == Path(__file__).parent and collection_path.name in TIERS
    return True if slow and _is_fast_tier(config) else None


class ByModule(LoadGroupScheduling):  # type: ignore[misc]
    """Hands out a module at a time where a test names no group: its fixtures are made once."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return scope.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule | None:
    """Share what modules share, which pytest-xdist would make in each worker."""
    return ByModule(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: an archive holds its time, and workers must agree on names."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Mark tests by their tier, and let the slow ones begin, so that none of them is the last.

    Raises:
        pytest.UsageError: A group would be torn apart: each worker would make what it shares,
            minutes in all.
    """
    tests = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(tests).parts[0]
        if folder in TIERS:
            item.add_marker(TIERS[folder])
        elif _needs_service(item):
            item.add_marker("service")
    items.sort(key=_tier)
    yield
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: pytest-xdist does not group tests here")


def _needs_service(item: pytest.Item) -> bool:
    """Whether it asks for a service, or shares with a group what is dear to make."""
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec else ()
    asked = {*getattr(item, "fixturenames", ()), *(each for each in values if type(each) is str)}
    return bool(SERVICES & asked) or item.get_closest_marker("xdist_group") is not None


def _tier(item: pytest.Item) -> int:
    slow = [bool(item.get_closest_marker(marker)) for marker in TIERS.values()]
    return slow.index(True) if True in slow else len(slow)


@pytest.fixture(scope="session")
def uci_file() -> Path:
    """The UCI survey as published; never shipped with the project."""
    if not UCI_FILE.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{UCI_FILE} is missing; set ABALONE_TEST_RAW")
        pytest.skip(f"{UCI_FILE} is missing; set ABALONE_TEST_RAW")
    return UCI_FILE.resolve()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a Dagster instance of its own, and a small base survey."""
    for variable in list(os.environ):
        if variable.startswith("ABALONE_") and not variable.startswith("ABALONE_TEST_"):
            monkeypatch.delenv(variable)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    make_dagster_home(home / "dagster")
    (home / "landing_zone").mkdir()
    monkeypatch.setenv("ABALONE_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    for name, value in small_base(tmp_path).items():
        monkeypatch.setenv(f"ABALONE_{name}", value)
    return home


@pytest.fixture
def platform(home: Path) -> Iterator[Platform]:
    """The whole platform on a persistent instance, driven tick by tick."""
    with Platform.at(home) as platform:
        yield platform
