"""The report of an import: what is wrong with a row, for someone who has the file and not Kafka."""

from schemas.errors import InvalidEvent
from schemas.formats.row import Row
from streams.importing.report import ImportReport


def test_a_rejected_row_gets_no_advice_for_records_in_kafka() -> None:
    report = ImportReport()
    row = Row("line 7", {"product_id": "p"}, set())
    report.see(row)
    report.reject(
        "log.csv", row, InvalidEvent("missing-shopper", "user_id is missing", "$.user_id", "redrive")
    )
    assert report.lines()[-1] == "rejected 1: log.csv, line 7: user_id is missing"
