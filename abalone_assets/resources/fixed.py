"""Resources as the settings say them: a launchpad offers nothing of them to edit.

Dagster makes each value that a resource is built with a default in every run's config. But a lake
that is edited there is another one for the assets than for their IO managers, and for the sensors.
"""

import copy
from typing import Any

import dagster as dg
from dagster._core.definitions.definition_config_schema import (
    convert_user_facing_definition_config_schema,
)

from abalone_assets.settings.public_uri import public_uri

Resource = dg.ConfigurableResource[Any] | dg.ConfigurableIOManager


def fixed(resource: Resource) -> dg.ResourceDefinition:
    """The resource without config; its page says in the description what it is set to."""
    made = resource.get_resource_definition()
    closed = copy.copy(made)  # ``configured`` would forget its class and the resources in it
    closed._config_schema = convert_user_facing_definition_config_schema({})  # noqa: SLF001
    closed._description = f"{made.description or ''}\n\n{_values(resource)}".strip()  # noqa: SLF001
    return closed


def _values(resource: Resource) -> str:
    """Its values as a list in Markdown."""
    values = {name: _shown(getattr(resource, name)) for name in type(resource).model_fields}
    return "\n".join(
        f"- {name}: `{value}`"
        for name, value in values.items()
        if value not in ("", None) and not isinstance(value, dg.ConfigurableResource)
    )


def _shown(value: Any) -> Any:  # noqa: ANN401 - whatever a resource is set to
    """A value without the password and the signature that a URI may have."""
    return public_uri(value) if isinstance(value, str) else value
