"""Addresses without the secrets in them: how one is shown, and which are refused since they would be written down."""

import re
from pathlib import Path
from typing import Any

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*")
_SECRET = re.compile(r"sig|signature|.*(token|secret|passw|pwd|credential|-signature|key|auth|session).*", re.I)


def shown(address: str | Path) -> str:
    """The address without its user and query, which may hold a secret; a path of this machine as it is."""
    scheme, found, rest = str(address).partition("://")
    if not found:
        return str(address)
    place, slash, path = rest.partition("/")
    place = place.rpartition("@")[2]
    if scheme.lower() in ("http", "https"):  # elsewhere a ? is part of a name
        place, path = (re.split(r"[?#]", part)[0] for part in (place, path))
    return f"{scheme}://{place}{slash}{path}"


def without_secrets(value: Any) -> Any:
    """The value of a field, with all that is in it, if no address in it holds a secret.

    Raises:
        ValueError: one does: the field would be written into logs, reports and run folders, and the secret with it.
    """
    if isinstance(value, str) and "://" in value:
        for found in _ADDRESS.findall(value):
            scheme, _, rest = found.partition("://")
            place, _, path = rest.partition("/")
            query = f"{place}/{path}".partition("?")[2]
            if "@" in place:
                told = f"{scheme}://…@{place.rpartition('@')[2]}"
                raise ValueError(f"{told} holds a name or a password, which belongs into the environment")
            keys = [each.partition("=")[0] for each in query.split("&")]
            if key := next((key for key in keys if _SECRET.fullmatch(key)), None):
                raise ValueError(
                    f"{shown(found)} goes on with a secret ({key}=…), which would be written down with it; fetch the "
                    "file first, or name its place in a bucket, whose credentials belong into the environment"
                )
    elif isinstance(value, dict):
        for key, each in value.items():
            without_secrets(key)
            without_secrets(each)
    elif isinstance(value, list | tuple):
        for each in value:
            without_secrets(each)
    return value
