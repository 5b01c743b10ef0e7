"""What agents count that no output tells: the worker's metrics show it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.events import Event
from schemas.field_names import misspelled_fields


@dataclass(slots=True)
class AgentTotals:
    """Counts since the worker's start, over all lanes. Batches that are undone later are counted too.

    Attributes:
        unknown_withdrawals: Tombstones in product-created whose key names no known product.
        ignored_fields: Optional fields that were left out because they were wrong, by topic and field.
        misspelled_fields: Unknown fields that resemble one of the contract, by topic and that field.
        replayed: Copies that a replay wrote into user-behavior of events that were read before.
        without_pairs: What forms no pairs, by reason, as `models.behavior.session_changes` names them.
    """

    unknown_withdrawals: int = 0
    ignored_fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    misspelled_fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    replayed: int = 0
    without_pairs: Counter[str] = field(default_factory=Counter)

    def count_fields(self, event: type[Event], ignored: Iterable[str], value: bytes | None) -> None:
        """Count the fields of a record that were left out, and those with misspelled names.

        Args:
            event: The type of the record's event.
            ignored: Names of the fields that were left out.
            value: The record's value.
        """
        self.ignored_fields.update((event.topic, name) for name in ignored)
        self.misspelled_fields.update((event.topic, each.meant) for each in misspelled_fields(event, value))
