"""Where MLflow is, and how it is spoken to: nothing of its address that is secret is ever shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from abalone_assets.errors import AbaloneError
from abalone_assets.settings.environment import variable

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings

_CALL_SECONDS: Final = 10
"""How long a call may wait for an answer; it is tried twice."""

_FILE_SECONDS: Final = 60
"""The same for a file."""


class MlflowError(AbaloneError):
    """MLflow could not be told, or not of everything."""


@dataclass(frozen=True)
class MlflowServer:
    """An MLflow tracking server.

    Attributes:
        uri: Its address, or the ARN of a SageMaker MLflow App or tracking server; without user and
            password, so that whoever shows it shows no secret.
        username: Of HTTP basic authentication; empty for none.
        password: The same.
    """

    uri: str
    username: str = ""
    password: str = ""

    @classmethod
    def of(cls, settings: Settings) -> MlflowServer | None:
        """The server that the settings name; None when they name none."""
        uri = settings.mlflow_uri.get_secret_value()
        if not uri or uri.startswith("arn:"):
            return cls(uri) if uri else None
        parts = urlsplit(uri)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
        return cls(bare, unquote(parts.username or ""), unquote(parts.password or ""))

    @property
    def identity(self) -> str:
        """Tells servers apart and none of their secrets."""
        return sha256(self.uri.encode()).hexdigest()[:16]

    def environment(self) -> dict[str, str]:
        """The environment of a process that speaks to it: with short patience, and to nobody else.

        What the user has set of MLflow's own variables, such as a token, holds.
        """
        own = {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "GIT_PYTHON_REFRESH": "quiet",  # no git is no trouble
        }
        if self.username:
            own |= {
                "MLFLOW_TRACKING_USERNAME": self.username,
                "MLFLOW_TRACKING_PASSWORD": self.password,
            }
        patience = {
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_CALL_SECONDS),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": str(_FILE_SECONDS),
        }
        return {**patience, **os.environ, **own}

    def without_secrets(self, text: str) -> str:
        """A text in which neither password nor any other one in an address stands."""
        for secret in (self.password, quote(self.password, safe="")):
            text = text.replace(secret, "…") if secret else text
        return re.sub(r"//[^/\s@]*@", "//…@", text)

    def require_client(self) -> None:
        """Make sure that MLflow's client is installed.

        Raises:
            MlflowError: It is not.
        """
        is_sagemakers = self.uri.startswith("arn:")
        needed = ["mlflow", *(["sagemaker_mlflow"] if is_sagemakers else [])]
        missing = [name for name in needed if find_spec(name) is None]
        if missing:
            extra = "sagemaker-mlflow" if is_sagemakers else "mlflow"
            raise MlflowError(
                f"{variable('mlflow_uri')} is set, but {' and '.join(missing)} is not installed: "
                f"pip install 'abalone-assets[{extra}]'"
            )
