"""What a worker's models are and do, as plain data: the agents fill it, operations show it."""

from dataclasses import dataclass, field

from models.drift.report import DriftReport


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """How a candidate's predictions compare with those that were published; counts are listings.

    Attributes:
        compared: Judged by both.
        dropped: Not compared, because the candidate was behind.
        differing: By what differs, see `streams.inference.shadow.ASPECTS`.
    """

    compared: int = 0
    dropped: int = 0
    differing: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, int]:
        """All counts by name."""
        return {"compared": self.compared, "dropped": self.dropped, **self.differing}


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The models of a worker now. Versions are those in its events; counts only grow.

    Attributes:
        model_version: What judges.
        taxonomy_version: Its category tree's.
        candidate_version: What is tried; empty where nothing is.
        canary_share: The share of the products for which the candidate publishes.
        shadow: What the candidate's comparison says so far; None where it does not judge in the shadow.
        shadowed: The same of all candidates since the start.
        cache_hits: Texts whose classification was at hand, of all models since the start.
        cache_misses: Texts that were classified, likewise.
        swaps: How often other models were taken over.
        failures: How often a model could not be taken over, or failed at work.
        restarts: How often a model's process ended by itself and was started again.
        drift: How far listings of late are from the training of what judges; None: nobody watches.
        trouble: Why other models run than those that are deployed; None where they do not.
    """

    model_version: str
    taxonomy_version: str
    candidate_version: str = ""
    canary_share: float = 0.0
    shadow: ShadowCounts | None = None
    shadowed: ShadowCounts = ShadowCounts()
    cache_hits: int = 0
    cache_misses: int = 0
    swaps: int = 0
    failures: int = 0
    restarts: int = 0
    trouble: str | None = None
    drift: DriftReport | None = None


NO_MODELS = ModelReport(model_version="", taxonomy_version="")
"""Of a worker that runs none."""
