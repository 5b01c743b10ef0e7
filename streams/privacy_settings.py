"""The settings of privacy: pseudonyms of shoppers, and what of their behavior may be published."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from schemas.pseudonyms import Pseudonyms
from streams.setting_descriptions import doc, secret
from streams.wrapping_settings import WrappingSettings


class PrivacySettings(WrappingSettings, frozen=True, kw_only=True):
    """How shoppers are protected. `Settings` extends it."""

    pseudonym_keys: Annotated[
        str | None,
        secret(
            "Secret keys of the pseudonyms that replace ids of shoppers, each `id:secret`, the newest first,"
            " comma-separated. `clear` at the end finds rows from before pseudonyms. If unset, ids stay as"
            " they are. Never shown."
        ),
    ] = None
    pseudonym_keys_file: Annotated[
        Path | None,
        doc(
            "File with the keys, instead of pseudonym_keys, one a line. Read when a worker or command starts."
        ),
    ] = None
    publish_min_support: Annotated[
        int,
        doc(
            "Sessions that must support a published product that is related by behavior. 1 publishes all.",
            ge=1,
            le=1_000_000,
        ),
    ] = 1
    publish_epsilon: Annotated[
        Annotated[float, Meta(gt=0.0, le=1000.0)] | None,
        doc(
            "Differential privacy of affinity-updated: the loss ε of one session by what is published in a"
            " period. Needs pseudonym_keys. If unset, counts are exact."
        ),
    ] = None
    publish_period_days: Annotated[
        float, doc("With publish_epsilon: days of event time in which a product is published once.", gt=0)
    ] = 28.0
    publish_session_products: Annotated[
        int,
        doc("With publish_epsilon: products of a session that form pairs, the first ones.", ge=2, le=100),
    ] = 5


def privacy_contradictions(settings: PrivacySettings) -> list[str]:
    """Return a message for each rule between these settings that is broken."""
    problems = []
    if settings.pseudonym_keys is not None:
        if settings.pseudonym_keys_file is not None:
            problems.append("pseudonym_keys and pseudonym_keys_file exclude each other: set one of them")
        try:
            Pseudonyms.parse(settings.pseudonym_keys)
        except ValueError as error:
            problems.append(f"pseudonym_keys: {error}")
    if settings.publish_epsilon is not None:
        if settings.pseudonym_keys is None and settings.pseudonym_keys_file is None:
            problems.append("publish_epsilon needs pseudonym_keys_file: the noise is made of its newest key")
        if settings.publish_min_support > 1:
            problems.append("publish_epsilon and publish_min_support exclude each other: set one of them")
    return problems
