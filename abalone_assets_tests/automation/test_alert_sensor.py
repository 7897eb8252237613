"""The sensor that tells people: what is a matter, and that each is told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.alerts import matters, surveys
from abalone_assets.alerts.recipients import AlertError
from abalone_assets.alerts.surveys import FILES_OF_A_DAY
from abalone_assets.automation.runs import AGE_JOB
from abalone_assets.lake.lake import Release
from abalone_assets.lake.manifest import StoredDays
from abalone_assets.lake.names import DRIFT_REPORT
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.sample_data import base_survey
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import block, ingest, launch, name_of, requests, today
from abalone_assets_tests.support.inbox import Webhook, webhook
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.lake.manifest import IngestedDay
    from abalone_assets_tests.support.platform import Platform

ALERTS = "alert_sensor"
DAY = today()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """Who is told, without the rest between two messages."""
    monkeypatch.setattr(matters, "QUIET", timedelta())
    with webhook() as hook:
        monkeypatch.setenv("ABALONE_NOTIFY", hook.url)
        yield hook


def tick(platform: Platform) -> str:
    assert requests(platform, ALERTS) == []
    return str(platform.reasons[ALERTS])


def observe(platform: Platform) -> None:
    """A tick of `survey_sensor` with its observations, which the daemon stores."""
    for event in platform.tick("survey_sensor").asset_events:
        platform.instance.report_runless_asset_event(event)


def titles(hook: Webhook) -> list[str]:
    return [str(each["title"]).removeprefix("abalone: ") for each in hook.posted]


def finish(platform: Platform, outcome: str, version: int) -> None:
    reason = "Rejected: too far off."
    release = Release("digest", "rejected", reason, version, "a run", "2025-03-03")
    platform.lake.record_release(replace(release, outcome=outcome))  # type: ignore[arg-type]


def test_nobody_is_told_while_nobody_is_named(platform: Platform) -> None:
    finish(platform, "rejected", 3)
    assert tick(platform) == "ABALONE_NOTIFY names nobody to tell"
    assert platform.lake.store.find(matters.TOLD_KEY) is None


def test_a_rejected_model_is_told_once_and_when_a_better_one_is_deployed(
    platform: Platform, hook: Webhook
) -> None:
    assert tick(platform) == "nothing is new"
    finish(platform, "rejected", 3)
    assert tick(platform) == "told json://…: abalone: model version 3 was rejected"
    assert "Rejected: too far off. `abalone approve 3` overrules" in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"
    finish(platform, "rejected", 4)
    tick(platform)
    finish(platform, "deployed", 5)
    tick(platform)
    assert titles(hook) == [
        "model version 3 was rejected",
        "model version 4 was rejected",
        "over: model version 4 was rejected",
    ]


def test_a_release_without_a_model_is_told_as_that(platform: Platform, hook: Webhook) -> None:
    for digest in ("one", "two"):
        release = Release(digest, "rejected", "Too few rows.", None, "a run", "2025-03-03")
        platform.lake.record_release(release)
        tick(platform)
    assert titles(hook) == ["the last release made no model"] * 2
    assert "None" not in str(hook.posted)


def test_a_rejection_that_a_person_overruled_is_over(platform: Platform, hook: Webhook) -> None:
    registry = FolderRegistry(ObjectStore(platform.home / "registry"))
    version = registry.register(
        b"an archive",
        evaluation={"model_sha256": "a"},
        decision={"approved": False, "reason": "too far off", "rule": "max_rmse"},
        release_digest="digest",
    )
    finish(platform, "rejected", version.version)
    tick(platform)
    registry.approve(version.version, because="it is right", by="ana")
    tick(platform)
    assert titles(hook)[1:] == ["over: model version 1 was rejected"]


def test_a_failed_job_is_told_with_its_error_and_not_while_it_is_tried_again(
    platform: Platform, hook: Webhook
) -> None:
    in_the_way = block(platform, "new_surveys")
    platform.land(name_of(DAY), survey_rows(3))
    (request,) = requests(platform)
    assert not platform.run("ingest_surveys", request, raise_on_error=False).success
    again = launch(platform, request)
    assert tick(platform) == "nothing is new"
    platform.instance.delete_run(again.run_id)
    tick(platform)
    (told,) = hook.posted
    assert told["title"] == "abalone: the job ingest_surveys failed"
    assert "failed once, last at " in told["message"]
    assert "new_surveys" in told["message"].partition("in run ")[2]
    in_the_way.unlink()
    assert platform.run("ingest_surveys", request).success
    tick(platform)
    assert titles(hook)[1:] == ["over: the job ingest_surveys failed"]


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (survey_rows(6) + b"M,a,b,c,d,e,f,g,h\n", "lost 1 of 7 rows"),
        (b"PK\x03\x04" + bytes(60), "is no survey"),
    ],
    ids=["bad rows", "no survey"],
)
def test_a_file_that_needs_somebody_is_told_until_it_is_mended(
    platform: Platform, hook: Webhook, data: bytes, title: str
) -> None:
    platform.land(name_of(DAY), data)
    ingest(platform)
    tick(platform)
    assert titles(hook) == [f"{name_of(DAY)} {title}"]
    platform.land(name_of(DAY), survey_rows(18))
    ingest(platform)
    tick(platform)
    assert titles(hook)[1:] == [f"over: {name_of(DAY)} {title}"]


def test_few_bad_rows_and_those_of_years_ago_are_nobodys_matter(
    platform: Platform, hook: Webhook
) -> None:
    platform.land(name_of(DAY), survey_rows(30) + b"M,a,b,c,d,e,f,g,h\n")
    platform.land(name_of("2024-01-02"), b"M,a,b,c,d,e,f,g,h\n")
    ingest(platform)
    assert tick(platform) == "nothing is new"


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"PK\x03\x04" + bytes(60), "is no survey"),
        (Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file(), "is held"),
    ],
    ids=["no survey", "held"],
)
def test_a_file_of_years_ago_that_waits_for_somebody_is_told_until_it_is_mended(
    platform: Platform, hook: Webhook, data: bytes, title: str
) -> None:
    old = name_of("2024-01-02")
    platform.land(old, data)
    ingest(platform)
    tick(platform)
    assert titles(hook) == [f"{old} {title}"]
    assert tick(platform) == "nothing is new"
    platform.land(old, survey_rows(18))
    ingest(platform)
    tick(platform)
    assert titles(hook)[1:] == [f"over: {old} {title}"]


def test_bad_rows_that_were_told_are_not_over_because_they_grew_old(
    platform: Platform, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name_of("2025-06-02")
    platform.land(name, survey_rows(6) + b"M,a,b,c,d,e,f,g,h\n")
    ingest(platform)
    monkeypatch.setattr(surveys, "RECENT", timedelta(days=36_600))
    tick(platform)
    assert titles(hook) == [f"{name} lost 1 of 7 rows"]
    monkeypatch.setattr(surveys, "RECENT", timedelta())
    assert tick(platform) == "nothing is new"
    platform.land(name, survey_rows(18))
    ingest(platform)
    tick(platform)
    assert titles(hook)[1:] == [f"over: {name} lost 1 of 7 rows"]


def test_the_files_of_old_days_are_read_once(
    platform: Platform, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.land(name_of("2024-01-02"), b"PK\x03\x04" + bytes(60))
    ingest(platform)
    tick(platform)
    read: list[str] = []
    found = StoredDays.__getitem__

    def reading(days: StoredDays, day: str) -> IngestedDay:
        read.append(day)
        return found(days, day)

    monkeypatch.setattr(StoredDays, "__getitem__", reading)
    assert tick(platform) == "nothing is new"
    assert read == []


def test_a_landing_zone_that_went_away_is_told_at_the_second_look_and_when_it_is_back(
    platform: Platform, hook: Webhook
) -> None:
    zone = platform.home / "landing_zone"
    away = zone.rename(platform.home / "unmounted")
    assert tick(platform) == "nothing is new"
    tick(platform)
    assert titles(hook) == ["the landing zone cannot be read"]
    assert str(zone) in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"
    away.rename(zone)
    tick(platform)
    assert titles(hook)[1:] == ["over: the landing zone cannot be read"]
    zone.rename(away)
    assert tick(platform) == "nothing is new"  # two looks in a row, anew
    away.rename(zone)
    assert tick(platform) == "nothing is new"
    assert len(hook.posted) == 2


def test_a_landing_zone_that_is_suddenly_empty_is_told_once_and_when_its_files_are_back(
    platform: Platform, hook: Webhook
) -> None:
    days = [f"2025-06-{day:02d}" for day in range(1, 10)]
    for number, day in enumerate(days):
        platform.land(name_of(day), survey_rows(3, seed=number))
    ingest(platform)
    zone = platform.home / "landing_zone"
    full = zone.rename(platform.home / "unmounted")
    zone.mkdir()
    requests(platform)
    for _ in range(2):
        tick(platform)
    assert titles(hook) == ["survey files are gone from the landing zone"]
    assert "9 survey days, 2025-06-01 to 2025-06-09, are gone" in hook.posted[0]["message"]
    zone.rmdir()
    full.rename(zone)
    requests(platform)
    tick(platform)
    assert titles(hook)[1:] == ["over: survey files are gone from the landing zone"]


def test_stray_files_are_told_until_they_are_gone(platform: Platform, hook: Webhook) -> None:
    platform.land("notes.txt", b"from the crew\n")
    observe(platform)
    tick(platform)
    assert titles(hook) == ["1 file in the landing zone is no survey"]
    assert "no survey: notes.txt: " in hook.posted[0]["message"]
    platform.land("more.txt", b"from the crew\n")
    observe(platform)
    tick(platform)
    assert titles(hook)[1:] == ["2 files in the landing zone are no survey"]
    (platform.home / "landing_zone" / "more.txt").unlink()
    (platform.home / "landing_zone" / "notes.txt").unlink()
    observe(platform)
    tick(platform)
    assert titles(hook)[2:] == ["over: 2 files in the landing zone are no survey"]


@pytest.mark.parametrize("about", [{}, {"files": 3}, {"stray_files": 2}], ids=str)
def test_what_others_observe_of_the_landing_zone_says_nothing_of_strays(
    platform: Platform, hook: Webhook, about: dict[str, int]
) -> None:
    platform.land("notes.txt", b"from the crew\n")
    observe(platform)
    tick(platform)
    platform.instance.report_runless_asset_event(
        dg.AssetObservation("landing_zone", metadata=about)
    )
    assert tick(platform) == "nothing is new"
    assert len(hook.posted) == 1


def test_a_new_instance_knows_of_no_run_and_so_of_nothing_that_is_over(
    platform: Platform, hook: Webhook
) -> None:
    matter = {"title": "the job release failed", "instance": "", "since": "2025-03-03T00:00"}
    told = {"format": 1, "matters": {"job:release": matter, "strays": matter}, "sent_at": ""}
    platform.lake.store.write_json(matters.TOLD_KEY, told)
    assert tick(platform) == "nothing is new"
    assert hook.posted == []


def test_a_run_that_somebody_stopped_is_no_failure(platform: Platform, hook: Webhook) -> None:
    run = launch(platform, dg.RunRequest())
    platform.instance.report_run_canceled(run)
    assert tick(platform) == "nothing is new"
    assert hook.posted == []


def test_drift_is_told(platform: Platform, hook: Webhook) -> None:
    features = [
        {"feature": "shell_weight", "psi": 0.4, "drifted": True},
        {"feature": "sex", "psi": 0.0, "drifted": False},
    ]
    key = platform.lake.key(DRIFT_REPORT, suffix="json")
    platform.lake.store.write_json(key, {"last": DAY, "animals": 500, "features": features})
    tick(platform)
    assert titles(hook) == ["requests have drifted: shell weight"]
    assert "All of it: http://127.0.0.1:8080/drift" in hook.posted[0]["message"]


def test_a_silent_endpoint_is_told_at_the_second_look(platform: Platform, hook: Webhook) -> None:
    publish_pointer(ObjectStore(platform.home / "registry"), "abalone", 1)
    assert tick(platform) == "nothing is new"
    tick(platform)
    (told,) = titles(hook)
    assert told.startswith("endpoint abalone does not answer, and should serve version 1: is ")


def test_an_endpoint_without_a_model_is_told_once_there_should_be_one(
    platform: Platform, hook: Webhook
) -> None:
    for _ in range(2):
        assert tick(platform) == "nothing is new"  # nothing was ever released
    finish(platform, "deployed", 1)
    assert tick(platform) == "nothing is new"
    tick(platform)
    (told,) = titles(hook)
    assert told.startswith("endpoint abalone has no model, though one was released: `abalone")
    assert tick(platform) == "nothing is new"


def test_a_rejection_says_whether_anything_answers(platform: Platform, hook: Webhook) -> None:
    finish(platform, "rejected", 3)
    tick(platform)
    assert "was rejected, and the endpoint has no model yet." in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"  # which is no second matter
    publish_pointer(ObjectStore(platform.home / "registry"), "abalone", 1)
    finish(platform, "rejected", 4)
    tick(platform)
    assert "was rejected, and the endpoint keeps what it serves." in hook.posted[1]["message"]


def test_when_nobody_can_be_told_the_next_tick_tries_again(
    platform: Platform, hook: Webhook
) -> None:
    hook.broken = True
    finish(platform, "rejected", 3)
    with pytest.raises(AlertError, match="did not take the message"):
        tick(platform)
    hook.broken = False
    assert tick(platform).startswith("told json://…")


def test_ten_minutes_lie_between_two_messages(
    platform: Platform, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(platform, "rejected", 3)
    tick(platform)
    monkeypatch.setattr(matters, "QUIET", timedelta(minutes=10))
    finish(platform, "rejected", 4)
    assert "ten minutes after the last message" in tick(platform)
    assert len(hook.posted) == 1


def test_a_folder_of_spoilt_files_is_few_matters_and_a_small_record(
    platform: Platform, hook: Webhook
) -> None:
    """One matter a file had made a record of 17 MB of 100,000 of them."""
    for second in range(FILES_OF_A_DAY + 7):
        platform.land(name_of(DAY, f"0615{second:02}"), b"\0")
    ingest(platform)
    tick(platform)
    told = matters.read_told(platform.lake.store)
    files = [key for key in told.matters if key.startswith("file")]
    assert len(files) == FILES_OF_A_DAY + 1
    assert f"7 more files of {DAY} need somebody" in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"

    (platform.landing_zone.folder / name_of(DAY, f"0615{FILES_OF_A_DAY + 6:02}")).unlink()
    ingest(platform)
    tick(platform)
    assert titles(hook)[1:] == [f"6 more files of {DAY} need somebody"]


def test_many_refused_files_of_one_day_are_told_once_of_each_kind(
    platform: Platform, hook: Webhook
) -> None:
    """Surveys and animals without rings shared a key, so each look told of them anew."""
    for second in range(FILES_OF_A_DAY + 2):
        name = name_of(DAY, f"0615{second:02}")
        platform.land(name, b"\0")
        platform.land(name.replace("abalone.", "animals."), b"\0")
    ingest(platform)
    (request,) = requests(platform, "animals_sensor")
    assert platform.run(AGE_JOB, request).success
    tick(platform)
    assert f"2 more files of {DAY} need somebody" in hook.posted[0]["message"]
    assert f"2 more files of animals without rings of {DAY} need" in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"
