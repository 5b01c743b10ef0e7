"""The settings of privacy: what of the behavior of shoppers may be published."""

from typing import Annotated

from streams.setting_descriptions import doc
from streams.wrapping_settings import WrappingSettings


class PrivacySettings(WrappingSettings, frozen=True, kw_only=True):
    """How shoppers are protected. `Settings` extends it."""

    publish_min_support: Annotated[
        int,
        doc(
            "Sessions that must support a published product that is related by behavior. 1 publishes all.",
            ge=1,
            le=1_000_000,
        ),
    ] = 1
