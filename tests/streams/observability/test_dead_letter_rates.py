"""Dead letters per second and reason: what a worker warns of, shows and logs."""

from streams.observability.dead_letter_rates import DeadLetterRates
from streams.observability.status import WorkerStatus


def feed(rates: DeadLetterRates, seconds: int, records: int, broken: int, start: int = 0) -> float:
    """Commit a batch each second. Return the time after the last one."""
    for second in range(start, start + seconds):
        reasons = {"invalid-field": broken - 1, "malformed-json": 1} if broken else {}
        rates.committed("product-created", records, reasons, float(second))
    return float(start + seconds)


def test_half_of_the_listings_is_a_warning_that_ends_by_itself() -> None:
    status = WorkerStatus()
    now = feed(status.dead_letter_rates, 30, 100, 50)
    (warning,) = status.warnings(now)
    assert warning.startswith("50% of the records of product-created cannot be processed, ")
    assert warning.index("invalid-field") < warning.index("malformed-json")
    feed(status.dead_letter_rates, 900, 100, 0, start=30)
    assert status.warnings(930.0) == []


def test_a_few_invalid_records_are_no_warning() -> None:
    rates = DeadLetterRates()
    for second in range(600):
        rates.committed("user-behavior", 100, {"invalid-time": 1} if second % 60 == 0 else {}, float(second))
    assert rates.warnings(600.0) == []
    (row,) = rates.rows(600.0)
    assert (row["topic"], row["reason"], row["total"]) == ("user-behavior", "invalid-time", 10)


def test_a_first_dead_letter_is_no_warning() -> None:
    rates = DeadLetterRates()
    rates.committed("user-behavior", 1, {"invalid-time": 1}, 0.0)
    assert rates.warnings(0.0) == []


def test_most_records_of_a_quiet_topic_are_a_warning() -> None:
    rates = DeadLetterRates()
    for second in range(0, 120, 4):
        rates.committed("category-feedback", 1, {"unknown-category": 1}, float(second))
    assert "100% of the records of category-feedback" in rates.warnings(120.0)[0]


def test_a_line_is_logged_at_once_and_then_each_half_minute() -> None:
    """No dead letter is missing in the lines, and a calm worker writes none."""
    rates = DeadLetterRates()
    lines = []
    for second in range(100):
        reasons = {"failed": 2} if second < 95 else {}
        rates.committed("product-created", 2, reasons, float(second))
        lines += rates.due_lines(float(second))
    lines += rates.due_lines(200.0)
    assert len(lines) == 5
    assert sum(line["count"] for line in lines) == 190
    assert rates.due_lines(300.0) == []
