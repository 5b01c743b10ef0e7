"""Descriptions of settings: each field's annotation carries its line of the manual and its bounds."""

from typing import Any

from msgspec import Meta


def doc(text: str, **bounds: Any) -> Meta:
    """Return the annotation of a setting.

    Args:
        text: The description, one line.
        bounds: The bounds of the value, as `msgspec.Meta` takes them.
    """
    return Meta(description=text, **bounds)


def secret(text: str) -> Meta:
    """Return the annotation of a setting whose value is never shown.

    Args:
        text: The description, one line.
    """
    return Meta(description=text, extra={"secret": True})
