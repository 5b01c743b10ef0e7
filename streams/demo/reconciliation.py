"""The demo's accounts: whether what went in and what came out add up."""

from typing import NamedTuple

from streams.demo.counters import OUTPUTS, Tally
from streams.demo.worker_metrics import Reading
from streams.topics import CATEGORY_FEEDBACK, CO_BEHAVIOR, PRODUCT_CREATED, PRODUCT_ENRICHED, USER_BEHAVIOR


class Account(NamedTuple):
    """One sum: `total` of `what` must be the sum of `parts`."""

    topic: str
    total: int
    verb: str
    parts: tuple[tuple[str, int], ...]

    @property
    def adds_up(self) -> bool:
        """Whether it does."""
        return self.total == sum(count for _, count in self.parts)

    @property
    def sum(self) -> str:
        """The sum, written out: `12 = 10 enriched + 2 dead-lettered`; other than 0, or the first."""
        shown = [part for number, part in enumerate(self.parts) if part[1] or number == 0]
        right = " + ".join(f"{count:,} {label}" for label, count in shown)
        return f"{self.total:,} {self.verb} {'=' if self.adds_up else '≠'} {right}"


def accounts(tally: Tally, reading: Reading) -> list[Account]:
    """All sums: each input topic against what became of it, each output topic against the worker's count.

    Args:
        tally: what the demo wrote and read itself.
        reading: what the worker says; its counts are of committed batches.
    """
    dead = tally.dead_from
    behavior = reading.consumed.get(USER_BEHAVIOR, 0)
    inputs = [
        Account(
            PRODUCT_CREATED,
            tally.flow[PRODUCT_CREATED].total,
            "in",
            (
                ("enriched", tally.enriched_from[PRODUCT_CREATED]),
                ("withdrawn", len(tally.withdrawn)),
                ("dead-lettered", dead[PRODUCT_CREATED]),
            ),
        ),
        Account(
            USER_BEHAVIOR,
            tally.flow[USER_BEHAVIOR].total,
            "in",
            (
                ("counted into sessions", behavior - dead[USER_BEHAVIOR]),
                ("dead-lettered", dead[USER_BEHAVIOR]),
            ),
        ),
        Account(
            CATEGORY_FEEDBACK,
            tally.flow[CATEGORY_FEEDBACK].total,
            "in",
            (
                ("decided by a person", tally.enriched_from[CATEGORY_FEEDBACK]),
                ("dead-lettered", dead[CATEGORY_FEEDBACK]),
            ),
        ),
    ]
    outputs = [
        Account(
            topic,
            reading.produced.get(topic, 0),
            "committed",
            (("read by the demo", tally.flow[topic].total),),
        )
        for topic in OUTPUTS
    ]
    return inputs + outputs


def settled(tally: Tally, reading: Reading) -> bool:
    """Whether all that was sent has come out, and nothing waits any more between the agents either."""
    between = all(
        reading.consumed.get(topic, 0) == reading.produced.get(topic, 0)
        for topic in (PRODUCT_ENRICHED, CO_BEHAVIOR)
    )
    return (
        between and not any(reading.lag.values()) and all(each.adds_up for each in accounts(tally, reading))
    )
