"""The settings of what is learned from behavior, and of what each worker keeps of it in memory."""

from typing import Annotated

from streams.privacy_settings import PrivacySettings
from streams.setting_descriptions import doc


class BehaviorSettings(PrivacySettings, frozen=True, kw_only=True):
    """How behavior is kept. `Settings` extends it, and has the settings of sessions and affinities."""

    signals: Annotated[
        bool,
        doc(
            "Whether products get the tags `trending` and `bestseller` by shoppers' behavior. `enrich` and"
            " `affinity` need two more topics: run `shelfstream topics create` first."
        ),
    ] = False
    publish_interval_s: Annotated[
        float,
        doc(
            "Seconds between two publications of a product's related products by behavior, at least. The last"
            " state follows within this time and `catch_up_s`. 0 publishes each change at once, as does a"
            " `catch_up_s` of 0.",
            ge=0,
            le=86_400,
        ),
    ] = 5.0
    affinity_view_products: Annotated[
        int,
        doc(
            "Products whose related products each worker with `sessions` or `affinity` keeps in memory, the"
            " last published ones, for `next_products`: about 1 kB each at most. 0 keeps none.",
            ge=0,
        ),
    ] = 100_000
