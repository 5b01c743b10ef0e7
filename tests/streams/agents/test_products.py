"""A row of the table of products is the published event; its outcome is decoded, not searched for."""

import pytest

from schemas.events import DecisionOutcome
from streams.agents.products import ProductRow


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (b'{"product_id":"p","decision":{"outcome":"person","why":""}}', DecisionOutcome.PERSON),
        (b'{"decision": {"why": "", "outcome": "abstained"}}', DecisionOutcome.ABSTAINED),
        (b'{"title":"\\"decision\\":{\\"outcome\\":\\"person\\"}","decision":{"outcome":"model"}}', "model"),
        (b'{"outcome":"person"}', None),
        (b'{"decision":{"outcome":"a newer one"}}', None),
        (b"\xff not ours", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_outcome_is_that_of_the_events_decision(event: bytes, outcome: DecisionOutcome | None) -> None:
    row = ProductRow.from_bytes(event)
    assert row.outcome == outcome
    assert row.to_bytes() == event
