"""The short campaign: every fault once, five kills, and nothing is lost, duplicated or wrong."""

from pathlib import Path

import pytest

from tests.chaos.campaign import Campaign
from tests.chaos.faults import Fault
from tests.chaos.shelfstream import Shelfstream
from tests.support.broker import StartableKafka

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(2400)]


def test_whatever_happens_a_reader_sees_each_event_once(
    own_broker: StartableKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kills, rebalances, broker failures, a zombie, full and broken disks, another model, and poison."""
    system = Shelfstream(own_broker, tmp_path, seed=3, listings_per_s=60.0, behavior_per_s=200.0)
    campaign = Campaign(
        system,
        own_broker.bootstrap,
        seed=3,
        rounds=1,
        log=print,
        processed_within_s=600.0,  # a slow machine is no failure
        pause_s=(0.5, 3.0),
    )
    try:
        result = campaign.run()
    finally:
        system.close()
    happened = capsys.readouterr().out
    assert result.faults[Fault.KILL] == 5
    assert min(result.faults.values()) == 1
    assert result.clean, happened
    assert len(system.model_versions) == 2, happened
    assert all(each.recovery_s is not None for each in result.injected), happened
