"""Composes the noise of published affinities from settings."""

from dataclasses import replace

from models.behavior.noised_counts import Contribution, NoisedCounts, PrivacyBudget
from models.behavior.noised_updates import NoisedUpdates
from models.behavior.parameters import BehaviorParameters
from streams.pseudonym_keys import load_pseudonyms
from streams.settings import Settings

_DAY_S = 86_400.0


def with_bounded_sessions(parameters: BehaviorParameters, settings: Settings) -> BehaviorParameters:
    """Return parameters under which a session adds as little as the noise hides, if there is noise.

    All neighbors of a row are ranked, so that none is chosen by its exact count.
    """
    if settings.publish_epsilon is None:
        return parameters
    return replace(
        parameters,
        top_k=parameters.neighbors,
        session_pair_products=min(settings.publish_session_products, parameters.session_pair_products),
    )


def publication_noise(settings: Settings, parameters: BehaviorParameters) -> NoisedUpdates | None:
    """Return what adds noise to published affinities; None if they are exact.

    Raises:
        StopWorker: The file of keys cannot be read.
    """
    pseudonyms = load_pseudonyms(settings)
    if settings.publish_epsilon is None or pseudonyms is None:
        return None
    counts = NoisedCounts(
        PrivacyBudget(settings.publish_epsilon),
        Contribution.of_sessions(parameters.session_pair_products, parameters),
        pseudonyms.derived_secret("affinity noise"),
        settings.publish_period_days * _DAY_S,
    )
    return NoisedUpdates(counts, settings.affinity_top_k)
