"""What moto and botocore work out anew for each request, which is a fifth of its cost, in less."""

from __future__ import annotations

import inspect
import string
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from botocore import useragent
from moto import backends
from moto.core import responses
from moto.core.utils import camelcase_to_underscores
from moto.moto_api._internal import mock_random
from moto.moto_server import werkzeug_app

if TYPE_CHECKING:
    import pytest

LETTERS: Final = string.ascii_letters + string.digits


class MethodNames:
    """The names of a class's methods: asked for one, it does not list and sort them all."""

    def __init__(self, owner: type) -> None:
        self._owner = owner

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and inspect.isfunction(getattr(self._owner, name, None))


def request_id(headers: dict[str, Any] | None = None) -> str:
    """As moto's: 52 letters and digits, but in one draw instead of one for each."""
    identifier = "".join(mock_random.choices(LETTERS, k=52))
    if headers is not None:
        headers["x-amzn-requestid"] = identifier
    return identifier


def answer_quickly(patches: pytest.MonkeyPatch) -> None:
    """Make requests cheap until the patches are undone; their answers stay what they are."""
    # moto lists its own folder for each request, and goes through the hosts of all services.
    modules = tuple(backends.list_of_moto_modules())
    patches.setattr(backends, "list_of_moto_modules", lambda: modules)
    dispatcher: Any = werkzeug_app.DomainDispatcherApplication
    hosts = lru_cache(dispatcher.get_backend_for_host)
    patches.setattr(dispatcher, "get_backend_for_host", hosts)
    patches.setattr(responses, "method_names_from_class", MethodNames)
    underscored = lru_cache(camelcase_to_underscores)
    patches.setattr(responses, "camelcase_to_underscores", underscored)
    patches.setattr(responses, "gen_amzn_requestid_long", request_id)
    # A client spells its User-Agent letter by letter for each request.
    sanitize = lru_cache(useragent.sanitize_user_agent_string_component)
    patches.setattr(useragent, "sanitize_user_agent_string_component", sanitize)
