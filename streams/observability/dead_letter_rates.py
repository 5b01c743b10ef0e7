"""How many records of a worker cannot be processed, by topic and reason: now, and since the start."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from streams.observability.rate import Rate

_HALF_LIFE_S = 60.0
_WARN_PER_S = 1.0
_WARN_SHARE = 0.05
_WARN_FROM = 0.1
"""Least dead letters per second of a warning about a share: about ten within the half-life."""
_WARN_COUNT = 10
"""Least dead letters of a topic since the start: the rate of the first ones says little."""
_LINE_EVERY_S = 30.0
_REASONS_SHOWN = 3


class DeadLetterRates:
    """Decayed rates of records and dead letters. Pure: the time is an argument, in monotonic seconds."""

    def __init__(self) -> None:
        self._records: dict[str, Rate] = {}
        self._letters: dict[tuple[str, str], Rate] = {}
        self._totals: Counter[tuple[str, str]] = Counter()
        self._since_line: Counter[tuple[str, str]] = Counter()
        self._line_at: float | None = None

    def committed(self, topic: str, records: int, reasons: Mapping[str, int], now: float) -> None:
        """Count the records of a committed batch, and its dead letters by reason."""
        self._records.setdefault(topic, Rate(_HALF_LIFE_S)).add(records, now)
        for reason, count in reasons.items():
            kind = topic, reason
            self._letters.setdefault(kind, Rate(_HALF_LIFE_S)).add(count, now)
            self._totals[kind] += count
            self._since_line[kind] += count

    def rows(self, now: float) -> list[dict[str, Any]]:
        """Return topic, reason, rate and total of each kind of dead letters, the highest rate first."""
        rows = [
            {"topic": topic, "reason": reason, "per_second": round(rate.per_second(now), 2),
             "total": self._totals[topic, reason]}
            for (topic, reason), rate in self._letters.items()
        ]  # fmt: skip
        return sorted(rows, key=lambda row: (-row["per_second"], -row["total"]))

    def warnings(self, now: float) -> list[str]:
        """Return a sentence for each topic of which many records cannot be processed now."""
        sentences = []
        for topic, records in self._records.items():
            rates = {
                reason: rate.per_second(now) for (of, reason), rate in self._letters.items() if of == topic
            }
            letters, all_records = sum(rates.values()), records.per_second(now)
            share = letters / all_records if all_records > 0 else 0.0
            if sum(self._totals[topic, reason] for reason in rates) < _WARN_COUNT:
                continue
            if letters >= _WARN_PER_S or (letters >= _WARN_FROM and share >= _WARN_SHARE):
                most = sorted(rates.items(), key=lambda item: -item[1])[:_REASONS_SHOWN]
                listed = ", ".join(f"{reason} {rate:.1f}/s" for reason, rate in most)
                sentences.append(
                    f"{min(share, 1.0):.0%} of the records of {topic} cannot be processed, {letters:.1f} per"
                    f" second ({listed}): see `shelfstream dead-letters list`"
                )
        return sentences

    def due_lines(self, now: float) -> list[dict[str, Any]]:
        """Return the fields of a log line for each kind that had dead letters since the last lines.

        The first lines are due at once, and later ones after half a minute at the earliest.
        """
        if not self._since_line or (self._line_at is not None and now - self._line_at < _LINE_EVERY_S):
            return []
        self._line_at = now
        counts, self._since_line = self._since_line, Counter()
        return [
            {"topic": topic, "reason": reason, "count": count,
             "per_second": round(self._letters[topic, reason].per_second(now), 1)}
            for (topic, reason), count in counts.most_common()
        ]  # fmt: skip
