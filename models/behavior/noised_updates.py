"""The event of a product's related products with noise, as differential privacy allows it to be published."""

from dataclasses import dataclass

from msgspec import structs

from models.behavior.event_time import instant
from models.behavior.neighbors import RankedNeighbor
from models.behavior.noised_counts import NoisedCounts
from models.behavior.parameters import BehaviorParameters
from schemas.events import AffinityUpdated, Related, Relation


@dataclass(frozen=True, slots=True)
class NoisedUpdates:
    """Adds noise to events, once in each period of event time.

    Args:
        counts: Adds noise to counts.
        top_k: The number of related products that are published for each relation.
    """

    counts: NoisedCounts
    top_k: int

    def publication(
        self, exact: AffinityUpdated, published_as_of: float, parameters: BehaviorParameters
    ) -> AffinityUpdated | None:
        """Return the event with noise; None if the product was published in this period already.

        A second one would have the same noise, so that the difference of both would be exact.

        Args:
            exact: The event with all neighbors of the row.
            published_as_of: `as_of` of the product's last event, in seconds since 1970.
            parameters: The half-life.
        """
        update = self.noised(exact, parameters)
        was_published = update.as_of != exact.as_of and update.as_of.timestamp() == published_as_of
        return None if was_published else update

    def noised(self, update: AffinityUpdated, parameters: BehaviorParameters) -> AffinityUpdated:
        """Return an event with noise instead of exact counts.

        Args:
            update: The event with all neighbors of the row, so that none is chosen by its exact count.
            parameters: The half-life.

        Returns:
            The event, decayed to the end of the period. What tells exact counts, or is made of them, is left
            out. An event without behavior stays as it is.
        """
        relations = {entry.relation for entry in update.related} - {Relation.SIMILAR}
        if not relations and not update.sessions:
            return structs.replace(update, related=update.related[: self.top_k])
        now = update.as_of.timestamp()
        end = self.counts.end_of_period(now)
        decay = 2.0 ** ((now - end) / parameters.half_life_s)
        related = []
        for relation in relations:
            exact = [
                RankedNeighbor(entry.product_id, entry.score * decay, entry.support)
                for entry in update.related
                if entry.relation is relation
            ]
            noised = self.counts.noised(update.product_id, relation, exact, end)[: self.top_k]
            related += [
                Related(product_id=name, relation=relation, score=score, support=support)
                for name, score, support in noised
            ]
        related.sort(key=lambda entry: (-entry.score, entry.product_id, entry.relation))
        similar = [entry for entry in update.related if entry.relation is Relation.SIMILAR]
        return structs.replace(
            update, related=related + similar[: self.top_k], as_of=instant(end), sessions={}, recommended=[]
        )
