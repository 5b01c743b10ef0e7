"""What one fault of a cluster did, as a row of a table and as data."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.chaos.audit import AuditResult

COLUMNS = (
    "fault",
    "events",
    "lost",
    "duplicated",
    "out of order",
    "wrong rows of state",
    "recovery",
    "`/ready` said",
)
_LONGEST = 200
_ORDINARY = re.compile(
    r"is stopping$|is (opening|restoring)( its state: .*)?$|not joined its consumer group yet|has drifted"
)


@dataclass(slots=True)
class FaultResult:
    """The result of one fault.

    Attributes:
        fault: What happened.
        audit: What differs from each event processed once. Events that Kafka removed, or that the choice
            left out, are not counted in it.
        removed: Records that Kafka removed before they were processed, or that the operator left out.
        choice: What the operator chose, if the worker waited for that.
        reported: Reasons and warnings of `/ready`, from the fault on.
        recovery_s: Seconds until every partition published again what was written after the fault. None if
            that was not measured.
        processed: Whether everything was processed in time.
        name: The name by which it can be chosen.
    """

    fault: str
    audit: AuditResult = field(default_factory=AuditResult)
    removed: int = 0
    choice: str = ""
    reported: list[str] = field(default_factory=list)
    recovery_s: float | None = None
    processed: bool = True
    name: str = ""

    @property
    def clean(self) -> bool:
        """Whether nothing differs, and what Kafka removed was reported."""
        return self.processed and self.audit.clean and bool(self.reported or not self.removed)


def cells(result: FaultResult) -> list[str]:
    """Format the cells of a result, one for each of `COLUMNS`."""
    audit = result.audit
    lost = f"{audit.lost:,}" + (f"; {result.removed:,} gone" if result.removed else "")
    return [
        result.fault + (f"; choice: `{result.choice}`" if result.choice else ""),
        f"{audit.events:,}",
        lost + ("" if result.processed else " (gave up waiting)"),
        f"{audit.duplicated:,}",
        f"{audit.disordered:,}",
        f"{audit.wrong_rows + audit.wrong_dead_letters:,}",
        "–" if result.recovery_s is None else f"{result.recovery_s:.1f} s",
        _shortened(result.reported),
    ]


def markdown(results: Sequence[FaultResult]) -> str:
    """Format results as a Markdown table."""
    lines = [
        "| " + " | ".join(COLUMNS) + " |",
        "| --- | " + "---: | " * (len(COLUMNS) - 2) + "--- |",
        *("| " + " | ".join(cells(result)) + " |" for result in results),
    ]
    return "\n".join(lines) + "\n"


def record(results: Sequence[FaultResult]) -> list[dict[str, Any]]:
    """Convert results to data for JSON."""
    return [asdict(result) for result in results]


def read(recorded: Sequence[dict[str, Any]]) -> list[FaultResult]:
    """Convert data of `record` back to results."""
    return [FaultResult(**{**each, "audit": AuditResult(**each["audit"])}) for each in recorded]


def _shortened(reported: Sequence[str]) -> str:
    """The first line that is about the fault, else the last of those that every start and stop has."""
    if not reported:
        return "nothing"
    telling = [line for line in reported if not _ORDINARY.search(line)]
    line = (telling or reported[-1:])[0].replace("|", "/")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
