"""A small evaluator of IAM's identity policies.

It knows Allow and Deny, Action and Resource with wildcards, and the conditions StringEquals, Bool,
StringLike, ArnEquals and ArnLike. What it does not know it refuses loudly, so that a policy cannot
pass by being misread. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}
FREE = {"sts:GetCallerIdentity"}
"""What everybody may do."""


@dataclass(frozen=True)
class Need:
    """One permission that a call needs.

    Attributes:
        action: Such as ``s3:GetObject``.
        resource: ARN; one that ends with ``/?`` is any object of a bucket.
        context: Condition keys of the request.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Policy:
    """The statements of a role."""

    statements: tuple[dict[str, Any], ...] = field(default_factory=tuple)

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]]) -> Policy:
        """The policies of one role together.

        Raises:
            AssertionError: A statement has an element that the evaluator does not know.
        """
        statements = tuple(
            statement for document in documents for statement in _many(document["Statement"])
        )
        for statement in statements:
            assert set(statement) <= KNOWN, statement
        return cls(statements)

    def allows(self, need: Need) -> bool:
        """Whether some statement allows it and none denies it."""
        effects = {s["Effect"] for s in self.statements if _applies(s, need)}
        return need.action in FREE or effects == {"Allow"}

    def actions(self) -> set[str]:
        """Every action that is allowed on something."""
        return {
            action
            for statement in self.statements
            if statement["Effect"] == "Allow"
            for action in _many(statement["Action"])
        }


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _applies(statement: Mapping[str, Any], need: Need) -> bool:
    return (
        any(_like(action.lower(), need.action.lower()) for action in _many(statement["Action"]))
        and any(_covers(resource, need.resource) for resource in _many(statement["Resource"]))
        and _conditions_hold(statement.get("Condition", {}), dict(need.context))
    )


def _covers(pattern: str, resource: str) -> bool:
    if resource.endswith("/?"):
        return pattern == "*" or pattern.startswith(resource.removesuffix("?"))
    return _like(pattern, resource)


def _like(pattern: str, text: str) -> bool:
    translated = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(translated, text, re.DOTALL) is not None


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringLike": _like,
    "Bool": lambda wanted, found: wanted == found,
    "ArnEquals": _like,
    "ArnLike": _like,
}


def _conditions_hold(conditions: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    """Every operator and every key must hold; a key that the request lacks does not."""
    return all(
        key in context
        and any(OPERATORS[operator](wanted, context[key]) for wanted in _many(wanteds))
        for operator, keys in conditions.items()
        for key, wanteds in keys.items()
    )
