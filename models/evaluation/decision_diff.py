"""Comparison of published decisions with those of a candidate on the same listings."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas.events import DecisionOutcome, ProductEnriched, Source

BINS = 10
"""Number of bins of the histograms of confidences."""
MAX_EXAMPLES = 3
"""Examples that are kept of each flow."""
IN_REVIEW = "(in review)"
"""Stands for the category of a product whose model abstained."""
NO_CATEGORY = "(none)"
"""Stands for the category of a decision without one."""


class DecisionSummary(msgspec.Struct, frozen=True, gc=False):
    """What is compared of a product-enriched event.

    Attributes:
        category: Path of the category; `IN_REVIEW` if the model abstained.
        confidence: Confidence of the category, also where the model abstained; 0 without a category.
        outcome: Who decided.
        tags: Tags, sorted.
        attributes: Name, value and unit of each attribute, sorted; the unit is empty without one.
        model_version: Model that decided.
        listing: Position of the listing. None in events of old versions.
    """

    category: str
    confidence: float
    outcome: DecisionOutcome
    tags: tuple[str, ...]
    attributes: tuple[tuple[str, str, str], ...]
    model_version: str
    listing: Source | None

    @classmethod
    def of(cls, event: ProductEnriched) -> "DecisionSummary":
        """Summarize an event. Equal paths and names share memory."""
        category = event.category
        path = NO_CATEGORY if category is None else category.path
        return cls(
            category=sys.intern(IN_REVIEW if event.decision.outcome is DecisionOutcome.ABSTAINED else path),
            confidence=0.0 if category is None else category.confidence,
            outcome=event.decision.outcome,
            tags=tuple(sorted(sys.intern(tag.name) for tag in event.tags)),
            attributes=tuple(
                sorted((sys.intern(each.name), each.value, each.unit or "") for each in event.attributes)
            ),
            model_version=sys.intern(event.model_version),
            listing=event.listing,
        )


class Example(msgspec.Struct, frozen=True):
    """A product whose category changes.

    Attributes:
        product_id: The product.
        title: Its title.
        published: Confidence that was published.
        candidate: Confidence of the candidate.
    """

    product_id: str
    title: str
    published: float
    candidate: float


@dataclass
class Flow:
    """Products that move from one category to another.

    Attributes:
        products: Number of products.
        examples: The first `MAX_EXAMPLES` of them.
    """

    products: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass
class DecisionDiff:
    """Counts of how a candidate's decisions differ from the published ones. All counts are products.

    Attributes:
        candidate_version: Version of the candidate.
        compared: Products with both decisions on the same listing.
        flows: Products whose published category changes, by the category before and after. Abstaining
            counts as `IN_REVIEW`.
        outcomes: Products by the published and the candidate's outcome.
        published_confidence: Histogram of the published confidences.
        candidate_confidence: Histogram of the candidate's confidences.
        tags_changed: Products with other tags.
        tags: Tags that products gain and lose, by "+" or "-" and the tag.
        attributes_changed: Products with other attributes.
        attributes: Attributes that products gain, lose or have with another value, by "+", "-" or "~" and
            the name.
        models: Compared products by the version of the model that published.
        left_out: Products that are not compared, by reason.
    """

    candidate_version: str
    compared: int = 0
    flows: dict[tuple[str, str], Flow] = field(default_factory=dict)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    published_confidence: list[int] = field(default_factory=lambda: [0] * BINS)
    candidate_confidence: list[int] = field(default_factory=lambda: [0] * BINS)
    tags_changed: int = 0
    tags: Counter[tuple[str, str]] = field(default_factory=Counter)
    attributes_changed: int = 0
    attributes: Counter[tuple[str, str]] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """Products whose published category changes."""
        return sum(flow.products for flow in self.flows.values())

    @property
    def changed_share(self) -> float:
        """Share of the compared products whose published category changes; 0 if none was compared."""
        return self.changed / self.compared if self.compared else 0.0

    def add(
        self, product_id: str, title: str, published: DecisionSummary, candidate: DecisionSummary
    ) -> None:
        """Compare the two decisions on one listing."""
        self.compared += 1
        self.models[published.model_version] += 1
        self.outcomes[published.outcome.value, candidate.outcome.value] += 1
        self.published_confidence[_bin(published.confidence)] += 1
        self.candidate_confidence[_bin(candidate.confidence)] += 1
        if published.category != candidate.category:
            flow = self.flows.setdefault((published.category, candidate.category), Flow())
            flow.products += 1
            if len(flow.examples) < MAX_EXAMPLES:
                flow.examples.append(Example(product_id, title, published.confidence, candidate.confidence))
        if published.tags != candidate.tags:
            self.tags_changed += 1
            before, after = set(published.tags), set(candidate.tags)
            self.tags.update([("+", tag) for tag in after - before] + [("-", tag) for tag in before - after])
        if published.attributes != candidate.attributes:
            self.attributes_changed += 1
            self.attributes.update(_attribute_changes(published, candidate))

    def largest_flows(self, limit: int | None = None) -> list[tuple[str, str, Flow]]:
        """Return the flows with the most products first."""
        ordered = sorted(self.flows.items(), key=lambda each: (-each[1].products, each[0]))
        return [(before, after, flow) for (before, after), flow in ordered[:limit]]

    def department_flows(self) -> Counter[tuple[str, str]]:
        """Return the products of all flows by the level-1 categories before and after."""
        flows: Counter[tuple[str, str]] = Counter()
        for (before, after), flow in self.flows.items():
            flows[_department(before), _department(after)] += flow.products
        return flows

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as data for JSON."""
        return {
            "candidate": self.candidate_version,
            "published_by": dict(self.models.most_common()),
            "compared": self.compared,
            "changed": self.changed,
            "changed_share": self.changed_share,
            "flows": [
                {
                    "from": before,
                    "to": after,
                    "products": flow.products,
                    "examples": [msgspec.structs.asdict(each) for each in flow.examples],
                }
                for before, after, flow in self.largest_flows()
            ],
            "outcomes": [
                {"published": before, "candidate": after, "products": count}
                for (before, after), count in self.outcomes.most_common()
            ],
            "confidence": {
                "bins": BINS,
                "published": self.published_confidence,
                "candidate": self.candidate_confidence,
            },
            "tags": {"changed": self.tags_changed} | _changes(self.tags),
            "attributes": {"changed": self.attributes_changed} | _changes(self.attributes),
            "left_out": dict(self.left_out.most_common()),
        }


def _bin(confidence: float) -> int:
    return min(BINS - 1, int(confidence * BINS))


def _department(path: str) -> str:
    return path.partition(" > ")[0]


def _attribute_changes(published: DecisionSummary, candidate: DecisionSummary) -> set[tuple[str, str]]:
    """Return by name which attributes are new, gone, or have other values."""
    before, after = set(published.attributes), set(candidate.attributes)
    names_before, names_after = {each[0] for each in before}, {each[0] for each in after}
    changed = {each[0] for each in before ^ after}
    return {
        ("+" if name not in names_before else "-" if name not in names_after else "~", name)
        for name in changed
    }


def _changes(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    names = {"+": "gained", "-": "lost", "~": "other value"}
    changes: dict[str, dict[str, int]] = {name: {} for name in names.values()}
    for (sign, what), count in counts.most_common():
        changes[names[sign]][what] = count
    return changes
