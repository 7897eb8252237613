"""What a deployment may choose: the context values of the CDK app, typed and checked."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from abalone_assets import __version__
from abalone_assets.errors import AbaloneError
from abalone_assets.settings.aws import KMS_KEY_PATTERN, STACK_VALUES, ZONES, AwsSettings, ids
from abalone_assets.settings.environment import variable
from abalone_assets.settings.platform import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,18}[a-z0-9]")
"""Leaves room for account and region in a bucket's 63 characters."""

IMAGE_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
HOST: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")
EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
IMAGE_OUTPUT: Final = "Image"
IMAGE_TAG_OUTPUT: Final = "ImageTag"
"""Outputs of the platform stack: an image elsewhere, or the tag in our own repository."""

LAKE_PREFIX: Final = "lake"
TEMPLATES_PREFIX: Final = "templates"
"""In the data bucket: what the platform makes, and templates too large for a request."""

PRIVATE_RANGES: Final = tuple(
    IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
"""Of RFC 1918."""

VPC_PREFIXES: Final = range(16, 23)
"""AWS takes nothing larger; the subnets of `deploy.stacks.network` need 896 addresses."""

WIDEST_OF_PEOPLE: Final = 8
""""Everybody" is a slip: nobody comes to the load balancer but by a network of one's own."""

CDK_JSON: Final = Path(__file__).with_name("cdk.json")


class DeployError(AbaloneError):
    """A deployment was configured wrongly, refused or left unfinished."""


@dataclass(frozen=True)
class Oidc:
    """How the load balancer signs people in, and the certificate it answers with.

    Attributes:
        issuer: The provider's issuer URL.
        authorization_endpoint: URL people are sent to.
        token_endpoint: URL the load balancer redeems codes at.
        user_info_endpoint: URL it learns who somebody is from.
        client_id: The application's id at the provider.
        client_secret: Name of the Secrets Manager secret that holds the client secret.
        certificate_arn: ACM certificate of the listener.
        host: DNS name that the certificate covers, and that people use: a CNAME of the load
            balancer.
        client_secret_version: Id of the secret's version; `make deploy` takes the current one.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str
    client_id: str
    client_secret: str
    certificate_arn: str
    host: str
    client_secret_version: str = ""

    def __post_init__(self) -> None:
        for name in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint"):
            if not getattr(self, name).startswith("https://"):
                raise DeployError(f"oidc_{name}: expected an https:// URL")
        if not HOST.fullmatch(self.host):
            raise DeployError(
                f"oidc_host={self.host!r}: expected a DNS name, such as abalone.example.com"
            )


@dataclass(frozen=True)
class DeployConfig:
    """One deployment.

    Attributes:
        name: Prefix of every name, path of the SSM parameters and name of the endpoint; two
            deployments in one account differ in it.
        image: URI of the container image; empty takes `image_tag` of the stack's own repository.
        image_tag: Tag of that image; `make deploy` keeps the running one when it is given none.
        retain: Keep buckets, database and images when the stacks are deleted.
        nat_gateways: One is cheaper; two survive the loss of a zone.
        vpc_cidr: Private addresses of the network, as 10.40.0.0/20. Chosen once: with another
            range, all that is in the network would be made anew.
        people_cidrs: Ranges of the addresses from which people reach the UI, with commas.
        database_multi_az: Keep a standby of the database in the other zone.
        alarm_topic_arn: SNS topic told of alarms, and of all that ``alert_sensor`` tells; empty
            tells nobody.
        earlier_kms_key_arns: Keys, with commas, that the setting `kms_key_arn` named before: what
            they have encrypted can still be read.
        capture_days: How long what the endpoint was asked and answered is kept. A quarter, as long
            as the logs of jobs and runs: long enough to look into a complaint or a slow drift, and
            nothing reads it later.
        budget_usd: Monthly budget of the account, in US dollars; 0 for none.
        budget_email: Who is told when it is nearly spent, spent or expected to be.
        glue_availability_zone: Zone of the first of the settings' subnets, where there are any:
            Glue asks for it. `make deploy` looks it up.
        settings: Of the platform in every task, by name: ``gate_max_rmse`` sets
            ``ABALONE_GATE_MAX_RMSE``. Text or numbers; objects as `hyperparameters` takes them.
            Those of network, key and endpoint decide what the roles may do, too.
        oidc: How people sign in; without it the web server has no listener at all.
    """

    name: str = "abalone"
    image: str = ""
    image_tag: str = __version__
    retain: bool = True
    nat_gateways: int = 1
    vpc_cidr: str = "10.40.0.0/20"
    people_cidrs: str = ", ".join(map(str, PRIVATE_RANGES))
    database_multi_az: bool = False
    alarm_topic_arn: str = ""
    earlier_kms_key_arns: str = ""
    capture_days: int = 90
    budget_usd: int = 0
    budget_email: str = ""
    glue_availability_zone: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    oidc: Oidc | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DeployError(
                f"name={self.name!r}: expected 3 to 20 of a-z, 0-9 and -, beginning with a letter"
            )
        if not IMAGE_TAG.fullmatch(self.image_tag):
            raise DeployError(f"image_tag={self.image_tag!r}: no tag of a container image")
        if self.nat_gateways not in {1, 2}:
            raise DeployError(f"nat_gateways={self.nat_gateways}: expected 1 or 2")
        _check_vpc(self.vpc_cidr)
        _ranges_of_people(self.people_cidrs)
        for key in self.earlier_keys:
            if not re.fullmatch(KMS_KEY_PATTERN, key):
                raise DeployError(f"earlier_kms_key_arns={key!r}: expected the ARN of a KMS key")
        if self.capture_days < 1:
            raise DeployError(f"capture_days={self.capture_days}: expected a day or more")
        if bool(self.budget_usd) != bool(self.budget_email):
            raise DeployError("budget_usd and budget_email go together: an amount, and who is told")
        if self.budget_email and not EMAIL.fullmatch(self.budget_email):
            raise DeployError(f"budget_email={self.budget_email!r}: expected an e-mail address")
        _check_settings(self.settings)

    @property
    def aws(self) -> AwsSettings:
        """The settings of the profile aws, as every task reads them."""
        own = {k: _text(v) for k, v in self.settings.items() if k in AwsSettings.model_fields}
        return AwsSettings.model_validate(own)

    @property
    def environment(self) -> dict[str, str]:
        """The settings as the variables that a task reads."""
        return {variable(name): _text(value) for name, value in self.settings.items()}

    @property
    def people(self) -> tuple[str, ...]:
        """Each of the ranges of `people_cidrs`, once."""
        return _ranges_of_people(self.people_cidrs)

    @property
    def earlier_keys(self) -> tuple[str, ...]:
        """Each of the keys of `earlier_kms_key_arns`."""
        return ids(self.earlier_kms_key_arns)

    @property
    def ssm_prefix(self) -> str:
        """Path of the stack's SSM parameters."""
        return f"/{self.name}"

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> DeployConfig:
        """Check a CDK context; values may be text, as ``-c key=value`` gives them.

        Raises:
            DeployError: A value is malformed, or there is no such key.
        """
        plain = {field.name: field for field in fields(cls) if field.name != "oidc"}
        sign_in = {f"oidc_{name}": name for name in _OIDC_NAMES} | {
            "certificate_arn": "certificate_arn"
        }
        ours = {key: value for key, value in context.items() if not _is_the_cdks(key)}
        for key in ours:
            if key not in plain and key not in sign_in:
                raise DeployError(f"{key}: no such context value; {_hint(key, {*plain, *sign_in})}")
        given: dict[str, Any] = {
            key: _typed(key, value, plain[key].type) for key, value in ours.items() if key in plain
        }
        return cls(**given, oidc=_oidc({sign_in[k]: v for k, v in ours.items() if k in sign_in}))


_BY_THE_STACK: Final = frozenset(
    {"profile", "home", "ssm_prefix", "endpoint_name", *ZONES, *STACK_VALUES}
)
"""Settings that follow from what the stack makes."""


def _network(key: str, text: str, example: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise DeployError(
            f"{key}={text!r}: expected a range of IPv4 addresses, such as {example}: {error}"
        ) from error


def _check_vpc(text: str) -> None:
    network = _network("vpc_cidr", text, "10.41.0.0/20")
    if not any(network.subnet_of(private) for private in PRIVATE_RANGES):
        private = ", ".join(map(str, PRIVATE_RANGES))
        raise DeployError(f"vpc_cidr={text!r}: expected private addresses, of {private}")
    if network.prefixlen not in VPC_PREFIXES:
        largest, smallest = VPC_PREFIXES[0], VPC_PREFIXES[-1]
        raise DeployError(
            f"vpc_cidr={text!r}: expected /{largest} to /{smallest}: the subnets need that many"
            " addresses, and AWS gives no more"
        )


def _ranges_of_people(text: str) -> tuple[str, ...]:
    given = [each.strip() for each in text.split(",") if each.strip()]
    if not given:
        raise DeployError("people_cidrs: expected one range or more, such as 10.0.0.0/8")
    found = [_network("people_cidrs", each, "10.0.0.0/8, 192.168.0.0/16") for each in given]
    for network in found:
        if network.prefixlen < WIDEST_OF_PEOPLE:
            raise DeployError(
                f"people_cidrs={str(network)!r}: expected /{WIDEST_OF_PEOPLE} or narrower"
            )
    return tuple(dict.fromkeys(map(str, found)))


_SECRETS: Final = {
    "notify": "holds secrets, and a task's variables are read by many: give an SNS topic as "
    "alarm_topic_arn, and subscribe people to it",
    "upload_token": "is a secret of the endpoint server's pages, which no task has",
}
"""Settings that no task may be given, and why."""


def _check_settings(given: Mapping[str, Any]) -> None:
    known = {*Settings.model_fields, *AwsSettings.model_fields} - _BY_THE_STACK
    for name in given:
        if name in _SECRETS:
            raise DeployError(f"settings: {name}: {_SECRETS[name]}")
        if name == "mlflow_uri" and "@" in str(given[name]):
            raise DeployError(
                f"settings: {name}: holds a password, and a task's variables are read by many: "
                "give a SageMaker MLflow by its ARN, or a server that its network guards"
            )
        if name not in known:
            raise DeployError(f"settings: {name}: no setting to choose here; {_hint(name, known)}")
    for kind in (Settings, AwsSettings):
        own = {name: _text(value) for name, value in given.items() if name in kind.model_fields}
        try:
            kind.model_validate(own)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "settings"
            raise DeployError(f"settings: {name}: {first['msg']}") from error


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_OIDC_NAMES: Final = tuple(field.name for field in fields(Oidc) if field.name != "certificate_arn")
_OIDC_OPTIONAL: Final = {"client_secret_version"}


def read_context(arguments: Sequence[str], cdk_json: Path = CDK_JSON) -> dict[str, Any]:
    """The context of ``cdk.json``, with the command line's ``key=value`` pairs over it.

    The CDK CLI, when it is what runs the app, hands its own context over in a variable.

    Raises:
        DeployError: A pair has no ``=``.
    """
    context: dict[str, Any] = json.loads(cdk_json.read_text()).get("context", {})
    context |= json.loads(os.environ.get("CDK_CONTEXT_JSON", "{}"))
    for pair in arguments:
        key, separator, value = pair.partition("=")
        if not separator:
            raise DeployError(f"-c {pair}: expected key=value")
        context[key] = value
    return context


def _is_the_cdks(key: str) -> bool:
    """Whether the CDK put the value there: feature flags and look-ups."""
    return key.startswith(
        ("@aws-cdk/", "aws:cdk:", "aws-cdk:", "cdk-", "availability-zones:", "context-overflow")
    )


def _hint(key: str, known: set[str]) -> str:
    close = get_close_matches(key, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def _typed(key: str, value: object, kind: object) -> object:
    text = str(value).strip()
    if kind == "bool":
        if text.lower() not in {"true", "false"}:
            raise DeployError(f"{key}={value!r}: expected true or false")
        return text.lower() == "true"
    if kind == "int":
        if not text.isdecimal():
            raise DeployError(f"{key}={value!r}: expected a whole number")
        return int(text)
    return _object(key, value) if key == "settings" else text


def _object(key: str, value: object) -> dict[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise DeployError(f"{key}: expected a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise DeployError(f"{key}: expected a JSON object")
    return found


def _oidc(given: dict[str, Any]) -> Oidc | None:
    present = {name: str(value).strip() for name, value in given.items() if str(value).strip()}
    if not present:
        return None
    required = [field.name for field in fields(Oidc) if field.name not in _OIDC_OPTIONAL]
    missing = [name for name in required if name not in present]
    if missing:
        names = ", ".join(n if n == "certificate_arn" else f"oidc_{n}" for n in missing)
        raise DeployError(f"signing in by OIDC also needs the context values {names}")
    return Oidc(**present)
