"""What agents count that no output tells: the worker's metrics show it."""

from dataclasses import dataclass


@dataclass(slots=True)
class AgentTotals:
    """Counts since the worker's start, over all lanes. Batches that are undone later are counted too.

    Attributes:
        unknown_withdrawals: Tombstones in product-created whose key names no known product.
    """

    unknown_withdrawals: int = 0
