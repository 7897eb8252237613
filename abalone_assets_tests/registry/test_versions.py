"""Which version should be live, by whose word, and which one stands for a model already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

from abalone_assets.registry.overrides import Override
from abalone_assets.registry.versions import (
    ModelVersion,
    champion_of,
    desired_of,
    person_behind,
    reference_of,
    version_that_stands,
    why_desired,
)

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.gate_rules import Rule


def at(hour: int) -> str:
    return f"2025-03-01T{hour:02}:00:00+00:00"


def yes(hour: int, by: str = "ana") -> Override:
    return Override(approved=True, because="the crew asked", by=by, at=at(hour))


def no(hour: int, by: str = "ben") -> Override:
    return Override(approved=False, because="bad scale.", by=by, at=at(hour))


def version(
    number: int, hour: int, *overrides: Override, gate: bool = True, model: str = ""
) -> ModelVersion:
    return ModelVersion(
        version=number,
        archive_sha256="",
        created_at=at(hour),
        evaluation={"model_sha256": model or f"model {number}"},
        decision={"approved": gate, "reason": "as measured"},
        release_digest="",
        model_key="",
        overrides=overrides,
    )


@pytest.mark.parametrize(
    ("versions", "desired"),
    [
        ([], None),
        ([version(1, 9)], 1),
        ([version(1, 9), version(2, 10)], 2),
        ([version(1, 9), version(2, 10, gate=False)], 1),
        ([version(1, 9, gate=False)], None),
        ([version(1, 9), version(2, 10, no(11))], 1),
        ([version(1, 9, yes(11)), version(2, 10)], 1),
        ([version(1, 9, yes(11)), version(2, 10), version(3, 12)], 3),
        ([version(1, 9), version(2, 10, yes(12), gate=False), version(3, 11)], 2),
        ([version(1, 9, yes(11), no(12)), version(2, 10)], 2),
        ([version(1, 9, no(11), yes(12)), version(2, 10)], 1),
        ([version(1, 9, yes(11)), version(2, 10, yes(11))], 2),
        ([version(1, 9, no(10)), version(2, 9, no(10))], None),
    ],
)
def test_the_approved_version_with_the_newest_approval_is_desired(
    versions: list[ModelVersion], desired: int | None
) -> None:
    for order in (versions, versions[::-1]):
        found = desired_of(order)
        assert (found and found.version) == desired


@pytest.mark.parametrize(
    ("versions", "behind"),
    [
        ([], None),
        ([version(1, 9)], None),
        ([version(1, 9, gate=False)], None),
        ([version(1, 9, yes(11)), version(2, 10)], yes(11)),
        ([version(1, 9), version(2, 10, no(11))], no(11)),
        ([version(2, 10, no(11))], no(11)),
        ([version(1, 9, yes(11)), version(3, 12)], None),
        # The rejection of what would not be desired anyway makes nothing desired.
        ([version(1, 9, no(12)), version(2, 10)], None),
        ([version(1, 9), version(2, 10, no(11), gate=False)], None),
        ([version(1, 9, yes(11), no(12)), version(2, 10)], no(12)),
        ([version(1, 8), version(2, 9, no(12)), version(3, 10, no(11))], no(12)),
        # An old approval is not why a version came back.
        ([version(1, 8, yes(9)), version(2, 10, no(12)), version(3, 11, no(13))], no(13)),
    ],
)
def test_a_person_is_behind_the_choice_whose_word_made_it(
    versions: list[ModelVersion], behind: Override | None
) -> None:
    assert person_behind(versions) == behind


@pytest.mark.parametrize(
    ("live", "versions", "champion"),
    [
        (None, [], None),
        (1, [version(1, 9)], 1),
        (1, [version(2, 10)], 1),  # the deployment of 2 failed
        (2, [version(1, 9, yes(11)), version(2, 10)], 1),
        (2, [version(1, 9), version(2, 10, no(11))], 1),
        (2, [version(2, 10, no(11))], None),
        (None, [version(1, 9, yes(10), gate=False)], 1),
        # 2 could not be deployed, and what is live in its place is rejected.
        (1, [version(1, 9, no(11)), version(2, 10)], 2),
    ],
)
def test_the_champion_is_what_is_live_unless_a_person_objects(
    live: int | None, versions: list[ModelVersion], champion: int | None
) -> None:
    assert champion_of(live, versions) == champion


def test_the_gates_word_is_as_old_as_its_evidence() -> None:
    registered = version(2, 12)
    compared = replace(registered, evaluation={"compared_at": at(10)})
    persons = version(1, 8, yes(11))
    assert desired_of([persons, registered]) is registered
    assert desired_of([persons, compared]) is persons
    assert compared.judged_at == at(10)


def test_why_a_version_should_be_live_names_the_decision_that_made_it_so() -> None:
    assert why_desired([]) == ""
    assert why_desired([version(1, 9)]) == "as measured"
    assert why_desired([version(1, 9, yes(11)), version(2, 10)]) == str(yes(11))
    assert why_desired([version(1, 9), version(2, 10, no(12))]) == (
        "In place of version 2: Rejected by ben on 2025-03-01: bad scale."
    )


def test_the_last_word_is_told_with_who_had_it() -> None:
    known = version(3, 9)
    assert (known.approved, known.status, known.reason) == (
        True,
        "approved by the gate",
        "as measured",
    )
    overruled = version(3, 9, yes(10), no(11))
    assert (overruled.approved, overruled.status) == (False, "rejected by ben")
    assert overruled.reason == "Rejected by ben on 2025-03-01: bad scale."


@pytest.mark.parametrize("decision", [{}, {"approved": None}, {"approved": "yes"}])
def test_only_a_clear_yes_of_the_gate_approves(decision: dict[str, Any]) -> None:
    assert not ModelVersion(1, "", at(9), {}, decision, "", "").approved


@pytest.mark.parametrize(
    ("versions", "gate", "stands"),
    [
        ([version(1, 9, model="x")], True, 1),
        ([version(1, 9, model="x")], False, None),  # the limits have changed since
        ([version(1, 9, model="x", gate=False)], False, 1),
        ([version(1, 9, model="x"), version(2, 10)], True, None),
        ([version(1, 9, model="x"), version(2, 10, gate=False)], True, 1),  # it is still desired
        ([version(1, 9, no(11), model="x"), version(2, 10)], True, 1),
        ([version(1, 9, yes(11), model="x", gate=False)], False, 1),
        ([version(1, 9, yes(11), model="x")], False, 1),
        ([version(1, 9, yes(11), model="x", gate=False), version(2, 10)], False, 1),
        ([version(1, 9, yes(10), model="x", gate=False), version(2, 11)], False, None),
    ],
)
def test_a_model_keeps_its_version_while_nothing_has_changed_for_it(
    versions: list[ModelVersion],
    gate: bool,  # noqa: FBT001 - a parameter of pytest's
    stands: int | None,
) -> None:
    found = version_that_stands({"model_sha256": "x"}, {"approved": gate}, versions[-1], versions)
    assert (found and found.version) == stands


def judged(
    number: int, rule: Rule | Literal[""], *overrides: Override, **against: int
) -> ModelVersion:
    """A version that the gate approved by a rule, held against other versions."""
    others = {role: {"version": str(other)} for role, other in against.items()}
    made = version(number, number, *overrides)
    decision = {"approved": True, "rule": rule}
    return replace(made, decision=decision, evaluation={"champion": None, **others})


FIRST = judged(1, "first_model")
BETTER = judged(2, "better_than_champion", champion=1)
HOLDS: Final = "holds_against_champion"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([FIRST], 1),
        ([FIRST, BETTER], 2),
        ([FIRST, judged(2, HOLDS, champion=1)], 1),
        ([FIRST, judged(2, "unchanged", champion=1)], 1),
        ([FIRST, judged(2, "holds_against_reference", champion=1)], 1),
        ([FIRST, BETTER, judged(5, HOLDS, champion=2)], 2),
        # Told to be better, but a person took it back: what was before it is the mark again.
        ([FIRST, judged(2, "better_than_champion", no(11), champion=1)], 1),
        ([FIRST, judged(2, "better_than_champion", no(3), champion=1),
          judged(3, HOLDS, champion=2)], 1),
        ([FIRST, BETTER, judged(3, HOLDS, yes(4), champion=2)], 3),
        ([FIRST, BETTER, judged(3, HOLDS, yes(4), no(5), champion=2)], 2),
        # A person went back to the first, so the one between binds nobody any more.
        ([judged(1, "first_model", yes(3)), BETTER, judged(3, HOLDS, champion=1)], 1),
        ([judged(1, ""), judged(2, HOLDS, champion=1)], None),
        ([judged(2, HOLDS)], None),
        ([judged(2, HOLDS, champion=7)], None),
    ],
)  # fmt: skip
def test_the_reference_is_the_last_version_on_the_line_that_was_more_than_just_as_good(
    line: list[ModelVersion], expected: int | None
) -> None:
    known = {each.version: each for each in line}
    found = reference_of(line[-1], known.__getitem__)
    assert (found and found.version) == expected


def test_the_reference_is_found_past_all_that_merely_held_against_it() -> None:
    held = [judged(number, HOLDS, champion=number - 1, reference=1) for number in range(3, 9)]
    asked: list[int] = []

    def get(number: int) -> ModelVersion:
        asked.append(number)
        return FIRST

    assert reference_of(held[-1], get) == FIRST
    assert asked == [1]


def test_a_version_that_the_gate_rejected_sets_no_mark_whatever_its_rule() -> None:
    refused = replace(FIRST, decision={"approved": False, "rule": "first_model"})
    assert not refused.may_be_reference


def test_a_version_whose_rule_is_no_more_can_be_read_and_sets_no_mark() -> None:
    decision = {"approved": True, "reason": "as good", "rule": "non_inferior"}
    old = replace(FIRST, decision=decision)
    assert (old.may_be_reference, old.in_short, old.status) == (
        False,
        "as good",
        "approved by the gate",
    )


def test_a_model_without_a_digest_never_has_a_version() -> None:
    nameless = ModelVersion(1, "", at(9), {}, {"approved": True}, "", "")
    assert version_that_stands({}, {"approved": True}, nameless, [nameless]) is None
