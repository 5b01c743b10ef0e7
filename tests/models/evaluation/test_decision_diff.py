"""The comparison of published decisions with a candidate's, and its page."""

from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.decision_diff import BINS, IN_REVIEW, MAX_EXAMPLES, DecisionDiff, DecisionSummary
from models.evaluation.decision_page import render_diff
from models.evaluation.decision_plots import flow_plot, histogram_plot
from schemas.events import (
    Attribute,
    Category,
    Decision,
    DecisionOutcome,
    Evidence,
    ProductEnriched,
    Tag,
    TagSource,
)
from tests.models.evaluation.test_page import HOSTILE


def parse(page: str) -> ElementTree.Element:
    """Parse the body, which is well-formed XML."""
    return ElementTree.fromstring(page.partition("</head>")[2].partition("</html>")[0])


PATHS = ["Food", "Food > Bread", "Food > Bread > Rye", "Wear > Shoes", IN_REVIEW]


def summary(
    category: str = "Food",
    confidence: float = 0.5,
    tags: tuple[str, ...] = (),
    attributes: tuple[tuple[str, str, str], ...] = (),
    model_version: str = "m1",
) -> DecisionSummary:
    outcome = DecisionOutcome.ABSTAINED if category == IN_REVIEW else DecisionOutcome.MODEL
    return DecisionSummary(category, confidence, outcome, tags, attributes, model_version, None)


SUMMARIES = st.builds(
    summary,
    st.sampled_from(PATHS),
    st.floats(0, 1),
    st.sets(st.sampled_from("abc")).map(lambda tags: tuple(sorted(tags))),
)


@given(st.lists(st.tuples(SUMMARIES, SUMMARIES), max_size=30))
def test_the_counts_are_those_of_the_pairs(pairs: list[tuple[DecisionSummary, DecisionSummary]]) -> None:
    diff = DecisionDiff("m2")
    for number, (before, after) in enumerate(pairs):
        diff.add(f"p{number}", f"title {number}", before, after)
    moved = Counter((a.category, b.category) for a, b in pairs if a.category != b.category)
    assert {flow: each.products for flow, each in diff.flows.items()} == moved
    assert all(len(each.examples) == min(MAX_EXAMPLES, each.products) for each in diff.flows.values())
    assert diff.changed == sum(moved.values())
    assert diff.changed_share == (sum(moved.values()) / len(pairs) if pairs else 0.0)
    assert sum(diff.outcomes.values()) == diff.compared == len(pairs)
    assert sum(diff.published_confidence) == sum(diff.candidate_confidence) == len(pairs)
    gained = Counter(tag for a, b in pairs for tag in set(b.tags) - set(a.tags))
    assert Counter({tag: count for (sign, tag), count in diff.tags.items() if sign == "+"}) == gained
    assert sum(diff.department_flows().values()) == diff.changed
    products = [flow.products for _, _, flow in diff.largest_flows()]
    assert products == sorted(products, reverse=True)
    parse(render_diff(diff, "listings"))


def test_an_attribute_is_gained_lost_or_has_another_value() -> None:
    diff = DecisionDiff("m2")
    before = summary(attributes=(("brand", "Acme", ""), ("color", "blue", ""), ("weight", "2", "kg")))
    after = summary(attributes=(("brand", "Acme", ""), ("color", "navy", ""), ("size", "L", "")))
    diff.add("p", "t", before, after)
    assert diff.attributes == {("~", "color"): 1, ("-", "weight"): 1, ("+", "size"): 1}
    assert diff.as_dict()["attributes"] == {
        "changed": 1,
        "gained": {"size": 1},
        "lost": {"weight": 1},
        "other value": {"color": 1},
    }


def test_an_event_is_summarized_and_what_it_abstained_on_is_in_review() -> None:
    event = ProductEnriched(
        product_id="p",
        decision=Decision(outcome=DecisionOutcome.MODEL, why=""),
        model_version="m1",
        taxonomy_version="t",
        category=Category(id=1, path="Food > Bread", confidence=0.8),
        tags=[
            Tag(name="b", source=TagSource.PHRASE, confidence=1),
            Tag(name="a", source=TagSource.PHRASE, confidence=1),
        ],
        attributes=[
            Attribute(
                name="color",
                value="blue",
                confidence=1.0,
                evidence=Evidence(field="title", start=0, end=4, text="blue"),
            )
        ],
    )
    assert DecisionSummary.of(event) == DecisionSummary(
        "Food > Bread", 0.8, DecisionOutcome.MODEL, ("a", "b"), (("color", "blue", ""),), "m1", None
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_titles_stay_text(text: str) -> None:
    diff = DecisionDiff(text)
    diff.add(text, text, summary("Food", model_version=text), summary(f"Wear > {text}"))
    diff.left_out[text] = 1
    page = render_diff(diff, text)
    assert "<script" not in page
    assert "onerror=alert(1)>" not in page
    parse(page)


def test_the_plots_show_every_bin_and_the_largest_flows() -> None:
    picture = ElementTree.fromstring(histogram_plot([1] * BINS, [0] * BINS))
    assert len(picture.findall("rect")) == 2 * BINS
    flows = {(f"from {number}", f"to {number % 3}"): number for number in range(1, 40)}
    picture = ElementTree.fromstring(flow_plot(flows))
    assert len(picture.findall("path")) == 12
    assert flow_plot({}) == ""
