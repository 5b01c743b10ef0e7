"""All checks, in the order in which they are shown."""

from collections.abc import Callable, Iterator

from streams.doctor.cluster_checks import (
    check_brokers,
    check_clocks,
    check_replication,
    check_rights,
    check_topics,
)
from streams.doctor.facts import Facts, Finding, Severity
from streams.doctor.flow_checks import check_dead_letters, check_group, check_lag, check_transactions
from streams.doctor.local_checks import check_machine, check_models, check_state, check_workers

CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    check_brokers,
    check_rights,
    check_topics,
    check_replication,
    check_clocks,
    check_group,
    check_lag,
    check_transactions,
    check_dead_letters,
    check_state,
    check_models,
    check_workers,
    check_machine,
)


def examine(facts: Facts) -> list[Finding]:
    """Return the findings of all checks, the urgent ones first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: -finding.severity)


def worst(findings: list[Finding]) -> Severity:
    """Return the severity of the most urgent finding."""
    return max((finding.severity for finding in findings), default=Severity.OK)
