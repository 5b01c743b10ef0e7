"""Patch: one join request per join, with all assignors. The package's docstring says why.

aiokafka 0.14 sends a request after each assignor that it adds to the list. With two assignors it joins twice:
first with the first alone. A group that knows only the second refuses that; in any other the second request
starts another rebalance.
"""

from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.group import JoinGroupRequest

_NO_ERROR = SimpleNamespace(error_code=0)


class PatchedGroupCoordinator(GroupCoordinator):  # type: ignore[misc]
    """Holds the replacement of `GroupCoordinator._send_req`."""

    async def _send_req(self, request: Any) -> Any:
        # The response to a request that lacks assignors is never read, unless it has an error.
        if isinstance(request, JoinGroupRequest) and len(request._group_protocols) < len(self._assignors):
            return _NO_ERROR
        return await _send_unpatched(self, request)


_send_unpatched = GroupCoordinator._send_req


def patch_group_join() -> None:
    """Let all later joins of this process send one request."""
    GroupCoordinator._send_req = PatchedGroupCoordinator._send_req
