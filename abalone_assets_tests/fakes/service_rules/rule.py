"""A rule of a service, and a request that it judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.sagemaker.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets_tests.fakes.calls import Call
    from abalone_assets_tests.fakes.standin import AwsStandIn


@dataclass(frozen=True)
class Asked:
    """A request, before it is answered.

    Attributes:
        response: moto's response object, with the service's backend.
    """

    aws: AwsStandIn
    call: Call
    response: Any

    @property
    def params(self) -> Mapping[str, Any]:
        """The request's parameters."""
        return self.call.params

    @property
    def sagemaker(self) -> Any:
        """The state of SageMaker."""
        return self.response.sagemaker_backend


@dataclass(frozen=True)
class Rule:
    """One refusal.

    Attributes:
        name: A slug; its test is named after it, in the module that is named after `check`'s.
        actions: IAM actions of the requests that it judges, such as ``glue:CreateCrawler``; one
            that ends with ``:`` stands for a whole service.
        says: What is refused, in a line.
        source: Where AWS, or somebody whom it refused, says so.
        check: Raises moto's error, or `RefusedRequestError`, for a request that is refused.
    """

    name: str
    actions: tuple[str, ...]
    says: str
    source: str
    check: Callable[[Asked], None]

    @property
    def test_module(self) -> str:
        """Name of the module, beside this one, that has its test."""
        return f"test_{self.check.__module__.rpartition('.')[2]}"

    def judges(self, call: Call) -> bool:
        return call.action in self.actions or f"{call.service}:" in self.actions


def invalid(message: str) -> ValidationError:
    """SageMaker's ``ValidationException``."""
    return ValidationError(message=message)
