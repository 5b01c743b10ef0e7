"""The gate's decisions on a registry's models, kept beside the models: a promotion needs one."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from models.files.atomic_writes import write_atomically
from schemas.errors import StopWorker

GATE_RESULTS = "gate"
"""Directory of the decisions in the registry's directory, a file for each candidate."""


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The newest decision of the gate on a candidate.

    Attributes:
        candidate: Version of the candidate.
        serving: Version of the model that it was compared with.
        promote: Whether it may serve.
        reasons: Why it may not.
        decided_at: Time of the decision.
    """

    candidate: str
    serving: str
    promote: bool
    reasons: list[str]
    decided_at: datetime


def write_gate_result(
    registry: Path, candidate: str, serving: str, *, promote: bool, reasons: list[str]
) -> None:
    """Keep a decision in a registry, in place of an older one on the same candidate.

    Args:
        registry: Directory of the registry. It is created if it is missing.
        candidate: Version of the candidate.
        serving: Version of the model that it was compared with.
        promote: Whether it may serve.
        reasons: Why it may not.

    Raises:
        StopWorker: The file cannot be written.
    """
    result = GateResult(
        candidate=candidate, serving=serving, promote=promote, reasons=reasons, decided_at=datetime.now(UTC)
    )
    path = registry / GATE_RESULTS / f"{candidate}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    except OSError as error:
        raise StopWorker(f"Cannot keep the gate's decision in {path}: {error.strerror}.") from error


def read_gate_result(registry: Path, candidate: str) -> GateResult | None:
    """Return the gate's decision on a candidate; None if there is none.

    Raises:
        StopWorker: The file cannot be read, or it is damaged.
    """
    path = registry / GATE_RESULTS / f"{candidate}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=GateResult)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StopWorker(f"{path} is no decision of the gate: {error}. Run the gate again.") from error


def objections(result: GateResult | None, candidate: str, serving: str) -> list[str]:
    """Return why a candidate may not be promoted, as sentences; empty if it may.

    Args:
        result: The gate's decision on it.
        candidate: Its version.
        serving: Version of the model that serves now; empty if it is unknown here.
    """
    if candidate == serving:
        return []
    if result is None:
        return [f"The gate has not compared {candidate} with the serving model."]
    if not result.promote:
        return [f"The gate held it back on {result.decided_at:%Y-%m-%d}:", *result.reasons]
    if serving and result.serving != serving:
        return [f"The gate compared it with {result.serving}, and {serving} serves now."]
    return []
