"""The page that lists the rules: ``python -m abalone_assets_tests.fakes.service_rules.page``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from abalone_assets_tests.fakes.service_rules.attachments import ATTACHMENTS, BUCKET_KEY
from abalone_assets_tests.fakes.service_rules.table import RULES

PAGE: Final = Path(__file__).parents[3] / "docs" / "service-rules.md"
_TESTS: Final = "../abalone_assets_tests/fakes/service_rules"
_BUCKET: Final = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html"
_IAM_TESTS: Final = "../abalone_assets_tests/deploy/test_attachments.py"


def rendered() -> str:
    """The page as it should be."""
    rules = "\n".join(
        f"| [`{rule.name}`]({_TESTS}/{rule.test_module}.py) | "
        f"{', '.join(f'`{action}`' for action in rule.actions)} | {rule.says} | "
        f"{_links(rule.source)} |"
        for rule in RULES
    )
    attached = "\n".join(
        f"| `{each.kind}` | {each.says} | `{each.role}` | {_links(each.source)} |"
        for each in ATTACHMENTS
    )
    bucket = ", ".join(f"for `{done}`, `{needed}`" for done, needed in BUCKET_KEY.items())
    return f"""# What AWS refuses

The models of AWS's APIs allow more than the services do. The stand-in that the tests run against
refuses what is listed here, before it answers a request. Each rule leads to the file of its test,
`test_<rule>`. The page is made of the table itself:
`python -m abalone_assets_tests.fakes.service_rules.page`.

| rule | requests | refused | source |
|---|---|---|---|
{rules}

## What an attached thing needs of a role

The service acts as the resource's role and looks at what is attached. [The stacks'
templates]({_IAM_TESTS}) and the stand-in's requests are judged by the same table.

| resource | attached | role | source |
|---|---|---|---|
{attached}

A bucket's default key takes of every role that may do this to its objects
({_links(_BUCKET)}): {bucket}.
"""


def _links(source: str) -> str:
    """Its addresses as links that are named by their last part."""
    return re.sub(
        r"https://\S+?(?=[;,]|\s|$)",
        lambda found: f"[{_name(found[0])}]({found[0]})",
        source,
    )


def _name(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2].removesuffix(".html") or address


if __name__ == "__main__":
    PAGE.write_text(rendered())
