"""What whoever runs `abalone doctor --live` has to be allowed; docs/deployment.md has it as a table.

It is more than a run worker's role has: that may make no model package group and no endpoint but
the live one. What jobs and the endpoint do, they do with the roles of the stack, as in a release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMED: Final = "`abalone-doctor-*` of that kind"
ANY: Final = "`*`: it has no resource"
OBJECTS: Final = "the jobs' prefix, `doctor/*`; captured requests, `abalone-doctor-*`"

ACTIONS: Final[Mapping[str, str]] = {}
"""On what each action must be allowed."""
