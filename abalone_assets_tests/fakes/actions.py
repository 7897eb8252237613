"""How the stand-in adds actions to moto, and changes those that moto has.

moto dispatches each request to the method of the service's Response class that is named after the
action, looked up on the class for every request.
"""

from __future__ import annotations

import inspect
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from moto.core.responses import ActionResult

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from abalone_assets_tests.fakes.standin import AwsStandIn

    Handler = TypeVar("Handler", bound=Callable[..., Any])


def action(handler: Handler) -> Handler:
    """Mark a method of a `Service` as the handler of the action of its name."""
    handler.is_action = True  # type: ignore[attr-defined]  # a mark on the function
    return handler


class Request:
    """One request for an action."""

    def __init__(self, response: Any, original: Callable[[Any], Any] | None) -> None:
        self.response = response
        self._original = original

    @cached_property
    def params(self) -> dict[str, Any]:
        """The request's parameters, of a service that speaks JSON."""
        parsed = getattr(self.response, "params", None)
        return dict(parsed or json.loads(self.response.body or "{}"))

    def moto(self) -> Any:
        """What moto itself makes of the request."""
        assert self._original is not None, "moto has no such action"
        return self._original(self.response)


class Service:
    """A service some of whose actions are the stand-in's own."""

    response_class: ClassVar[type]

    def __init__(self, aws: AwsStandIn) -> None:
        self._aws = aws

    def install(self, patches: pytest.MonkeyPatch) -> None:
        for name, handler in inspect.getmembers(self, lambda each: hasattr(each, "is_action")):
            original = getattr(self.response_class, name, None)
            patches.setattr(self.response_class, name, _entry(handler, original), raising=False)


def _entry(handler: Callable[[Request], Any], original: Callable[[Any], Any] | None) -> Any:
    # A plain function: moto finds actions by `inspect.isfunction`.
    def entry(response: Any) -> Any:
        answer = handler(Request(response, original))
        return ActionResult(answer) if isinstance(answer, dict) else answer

    return entry
