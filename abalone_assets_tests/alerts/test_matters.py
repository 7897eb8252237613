from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from abalone_assets.alerts.matters import (
    LISTED,
    QUIET,
    TOLD_KEY,
    Matter,
    Situation,
    Told,
    news_of,
    read_told,
    told_after,
)
from abalone_assets.alerts.surveys import file_situation
from abalone_assets.errors import StorageError
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest
from abalone_assets.storage.object_store import ObjectStore

JOB = Matter("job:release", "the job release failed", "The job release failed once.")
REJECTED = Matter("rejected", "model version 3 was rejected", "Version 3 …", "3")


def situation(*matters: Matter, undecided: str = "") -> Situation:
    return Situation(matters, frozenset({undecided} - {""}))


def told_of(*matters: Matter) -> Told:
    return told_after(Told(), situation(*matters))


def test_a_matter_is_news_once_and_again_when_it_is_over() -> None:
    assert news_of(Told(), situation(JOB)).new == (JOB,)
    told = told_of(JOB)
    assert not news_of(told, situation(JOB))
    news = news_of(told, situation())
    assert [each.title for each in news.over] == [JOB.title]
    assert told_after(told, situation()).matters == {}


def test_another_one_of_its_kind_is_news_and_does_not_end_the_first() -> None:
    fourth = Matter("rejected", "model version 4 was rejected", "Version 4 …", "4")
    news = news_of(told_of(REJECTED), situation(fourth))
    assert (news.new, news.over) == ((fourth,), ())


@pytest.mark.parametrize("rows", [0, 30])
def test_a_file_that_cannot_be_read_now_is_not_told_of_as_refused(rows: int) -> None:
    """Its rows were in use while the message called for another file in its place."""
    unread = replace(IngestedFile.out_of_reach("abalone.20250303120000", 9, "denied"), rows=rows)
    manifest = Manifest(None, {"2025-03-03": IngestedDay("d", (unread,))})
    (matter,) = file_situation(manifest, 0.1).matters
    assert matter.title == "abalone.20250303120000 cannot be read now"
    assert ("before counts" in matter.text) == bool(rows)
    assert "Mend its permissions" in matter.text
    assert "Land it again" not in matter.text


def test_what_nobody_can_tell_yet_stays_as_it_was_told() -> None:
    told = told_of(JOB, REJECTED)
    now = situation(REJECTED, undecided=JOB.key)
    assert not news_of(told, now)
    assert told_after(told, now).matters == told.matters
    assert not news_of(Told(), situation(undecided=JOB.key))


def test_a_matter_that_goes_on_keeps_the_time_at_which_it_was_told() -> None:
    before = Told(matters={JOB.key: told_of(JOB).matters[JOB.key]})
    old = Told(matters={JOB.key: type(before.matters[JOB.key])(JOB.title, "", "2025-01-01T00:00")})
    after = told_after(old, situation(JOB, REJECTED))
    assert after.matters[JOB.key].since == "2025-01-01T00:00"
    assert after.matters[REJECTED.key].since == after.sent_at


def test_one_matter_names_itself_in_the_subject_and_more_are_counted() -> None:
    assert news_of(Told(), situation(JOB)).title == "abalone: the job release failed"
    assert news_of(told_of(JOB), situation()).title == "abalone: over: the job release failed"
    mixed = news_of(told_of(JOB), situation(REJECTED))
    assert mixed.title == "abalone: 1 new, 1 over"
    assert mixed.text.startswith(
        "New:\n- Version 3 …\n\nOver:\n- the job release failed (told at 20"
    )


def test_a_thousand_matters_are_one_message_that_can_be_read() -> None:
    many = situation(*(Matter(f"file:{n}", f"file {n}", f"file {n}") for n in range(1000)))
    text = news_of(Told(), many).text
    assert len(text.splitlines()) == 1 + LISTED + 1
    assert text.endswith(f"- and {1000 - LISTED} more; `abalone status` has all")


def test_ten_minutes_lie_between_two_messages() -> None:
    told = told_of(JOB)
    sent = datetime.fromisoformat(told.sent_at)
    assert Told().quiet_until(sent) is None
    assert told.quiet_until(sent + QUIET / 2) == sent + QUIET
    assert told.quiet_until(sent + QUIET) is None
    assert told.quiet_until(sent - timedelta(days=1)) is None  # the clock was set back


def test_what_was_told_is_kept_in_the_lake(tmp_path: Path) -> None:
    from dataclasses import asdict

    store = ObjectStore(tmp_path)
    assert read_told(store) == Told()
    told = told_of(JOB, REJECTED)
    store.write_json(TOLD_KEY, asdict(told))
    assert read_told(store) == told
    assert datetime.fromisoformat(told.sent_at) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "damage", [{"matters": {"a": {"title": 7}}}, {"sent_at": "soon"}, {"sent_at": "2025-03-03"}]
)
def test_a_damaged_record_says_what_to_do(tmp_path: Path, damage: dict[str, Any]) -> None:
    store = ObjectStore(tmp_path)
    store.write_json(TOLD_KEY, {"format": 1, **damage})
    with pytest.raises(
        StorageError, match=r"alerts\.json: .*delete it, and what is so now is told"
    ):
        read_told(store)
