"""A URI as it may be shown: what a setting names often has a password or a signature in it."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def public_uri(uri: str) -> str:
    """The URI without user, password, query and fragment, fit for logs and metadata."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"}:
        return uri
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
