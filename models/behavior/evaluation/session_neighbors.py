"""A baseline of next items: V-SKNN, the items of the most similar sessions.

M. Ludewig and D. Jannach, "Evaluation of session-based recommendation algorithms", User Modeling and
User-Adapted Interaction 28, 2018: items of the current session weigh more the later they are, and a neighbor
session counts more the later the last common item is.
"""

from collections.abc import Sequence

_SAMPLE = 500
_NEIGHBORS = 100
_STEP = 0.1


class SessionNeighbors:
    """Finds similar sessions among earlier ones.

    Args:
        sessions: Earlier sessions as items in order, oldest first.
    """

    def __init__(self, sessions: Sequence[Sequence[str]]) -> None:
        self._sessions = [tuple(dict.fromkeys(session)) for session in sessions]
        self._with: dict[str, list[int]] = {}
        for number, session in enumerate(self._sessions):
            for item in session:
                self._with.setdefault(item, []).append(number)

    def next_items(self, session: Sequence[str], count: int) -> list[str]:
        """Return the items of the most similar sessions, best first; ties by id.

        Args:
            session: The current session's items in order.
            count: The number of items at most.
        """
        position = {item: place for place, item in enumerate(session, start=1)}
        recent: set[int] = set()
        for item in position:
            recent.update(self._with.get(item, [])[-_SAMPLE:])
        similar = []
        for number in sorted(recent)[-_SAMPLE:]:
            common = [position[item] for item in self._sessions[number] if item in position]
            similar.append((sum(common) / len(session), number, max(common)))
        scores: dict[str, float] = {}
        for similarity, number, latest in sorted(similar, reverse=True)[:_NEIGHBORS]:
            weight = similarity * max(0.0, 1.0 - _STEP * (len(session) - latest))
            for item in self._sessions[number]:
                scores[item] = scores.get(item, 0.0) + weight
        return sorted(scores, key=lambda item: (-scores[item], item))[:count]
