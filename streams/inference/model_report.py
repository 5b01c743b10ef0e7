"""The state of a worker's models as plain data. Inference fills it; observability shows it."""

from dataclasses import dataclass, field

from models.drift.report import DriftReport


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """The comparison of a shadow's predictions with the published ones. All counts are listings.

    Attributes:
        compared: Predicted by both models.
        dropped: Not compared, because the shadow was behind.
        differing: Differing predictions by aspect, see `streams.inference.shadow.ASPECTS`.
    """

    compared: int = 0
    dropped: int = 0
    differing: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, int]:
        """Return all counts by name."""
        return {"compared": self.compared, "dropped": self.dropped, **self.differing}


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The current models of a worker. Counts cover all models since the start and only grow.

    Attributes:
        model_version: Version of the serving model, as in its events.
        taxonomy_version: Version of its category tree.
        candidate_version: Version of the candidate. Empty without one.
        canary_share: Share of the products, 0 to 1, for which the candidate publishes.
        shadow: Counts of the current shadow. None without one.
        shadow_totals: Counts of all shadows since the start.
        cache_hits: Listings whose classification was cached.
        cache_misses: Listings that were classified.
        swaps: Number of times that a model was loaded to serve or to be tried.
        failures: Number of times that a deployed model or the deployment could not be used.
        restarts: Number of times that a model's process died and was restarted.
        hangs: Number of times that a model's process hung and was killed.
        unavailable: Why the serving model does not predict now. None if it does.
        drift: Drift of the recent listings. None if it is not measured.
        trouble: Why the worker runs other models than the deployed ones. None if it runs those.
    """

    model_version: str
    taxonomy_version: str
    candidate_version: str = ""
    canary_share: float = 0.0
    shadow: ShadowCounts | None = None
    shadow_totals: ShadowCounts = ShadowCounts()
    cache_hits: int = 0
    cache_misses: int = 0
    swaps: int = 0
    failures: int = 0
    restarts: int = 0
    hangs: int = 0
    unavailable: str | None = None
    trouble: str | None = None
    drift: DriftReport | None = None


NO_MODELS = ModelReport(model_version="", taxonomy_version="")
"""The report of a worker that runs no model."""
