"""How a worker ends when its shutdown times out: by a restart if its group lost it, else by its exit code."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from streams.worker import exit_or_restart
from streams.worker_services import GroupLost


class Ended(BaseException):
    """Raised in place of the end of the program."""


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        (None, ("exit", 0)),
        (ValueError("a bug"), ("exit", 1)),
        (GroupLost("not a member"), ("exec", "streams")),
    ],
)
def test_the_end_says_why(
    monkeypatch: pytest.MonkeyPatch, reason: BaseException | None, end: tuple[str, object]
) -> None:
    ends: list[tuple[str, object]] = []

    def record(kind: str, value: object) -> None:
        ends.append((kind, value))
        raise Ended

    monkeypatch.setattr(os, "_exit", lambda code: record("exit", code))
    monkeypatch.setattr(os, "execv", lambda path, words: record("exec", words[2]))
    app: Any = SimpleNamespace(crash_reason=reason)
    with pytest.raises(Ended):
        exit_or_restart(app)
    assert ends == [end]
