"""The patched join sends one request, with all assignors."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from streams.faust_transport.aiokafka_patches import group_join
from streams.faust_transport.aiokafka_patches.group_join import PatchedGroupCoordinator
from streams.faust_transport.sticky_assignor import NAME, StickyLaneAssignor

ASSIGNORS = [StickyLaneAssignor(lambda: 0, 4), RangePartitionAssignor]


class Coordinator:
    """What a join uses of a coordinator. It refuses every join."""

    member_id, _group_instance_id, _rebalance_timeout_ms = "", None, 1_000
    _assignors = ASSIGNORS

    def __init__(self) -> None:
        self.offered: list[list[str]] = []

    async def refuse(self, request: Any) -> Any:
        self.offered.append([name for name, _ in request._group_protocols])
        return SimpleNamespace(error_code=15)

    def coordinator_dead(self) -> None:
        """The refusal says that the coordinator is not available."""


@pytest.mark.parametrize(
    ("patched", "offered"), [(False, [[NAME], [NAME, "range"]]), (True, [[NAME, "range"]])]
)
async def test_a_join_sends_one_request(
    patched: bool, offered: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first case shows that aiokafka still needs the patch."""
    coordinator: Any = Coordinator()
    monkeypatch.setattr(group_join, "_send_unpatched", Coordinator.refuse)
    coordinator._send_req = (
        (lambda request: PatchedGroupCoordinator._send_req(coordinator, request))
        if patched
        else coordinator.refuse
    )
    subscription = SimpleNamespace(topics=["t"], active=True)
    join = CoordinatorGroupRebalance(coordinator, "g", 1, subscription, ASSIGNORS, 1_000, 1)
    assert await join.perform_group_join() is None
    assert coordinator.offered == offered


def test_the_patch_replaces_the_method_of_all_coordinators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GroupCoordinator, "_send_req", GroupCoordinator._send_req)
    group_join.patch_group_join()
    assert GroupCoordinator._send_req is PatchedGroupCoordinator._send_req
