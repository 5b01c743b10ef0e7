"""Whether all workers serve a model, from the group's members and what the workers say."""

import pytest

from schemas.errors import RetryLater
from streams.observability.worker_record_writer import REPEAT_S, RETRY_S, RecordSchedule
from streams.replay import served_models
from streams.replay.served_models import NotAllServe, wait_for_model
from streams.replay.worker_records import (
    Group,
    GroupMember,
    WantedModel,
    WorkerRecord,
    decode_worker_record,
    unmet_conditions,
)


def record(member: str, model: str = "new", trouble: str | None = None) -> WorkerRecord:
    return WorkerRecord(
        worker_id=f"worker {member}",
        member_id=member,
        agents=("enrich",),
        model_version=model,
        trouble=trouble,
    )


def member(name: str, *partitions: int) -> GroupMember:
    return GroupMember(name, f"host {name}", frozenset(partitions))


NEW = WantedModel("new")
TWO = (member("a", 0, 1), member("b", 2, 3))


@pytest.mark.parametrize(
    ("group", "records", "unmet"),
    [
        (Group(True, TWO), [record("a"), record("b")], []),
        (Group(True, TWO), [record("a"), record("b"), record("gone", "old")], []),
        (Group(False, TWO), [record("a"), record("b")], ["the consumer group rebalances"]),
        (Group(True, ()), [record("gone")], ["no worker is in the consumer group"]),
        (Group(True, TWO), [record("a"), record("b", "old", "broken")], ["worker b serves old: broken"]),
        (Group(True, TWO), [record("a")], ["the worker at host b has not said which model it serves"]),
        (Group(True, (member("a", 0, 1, 3),)), [record("a")], ["no worker has partition 2 of the listings"]),
        # Workers without listings: one has the model, one has none, one is of an older version.
        (
            Group(True, (*TWO, member("c"))),
            [record("a"), record("b"), record("c", "old")],
            ["worker c serves old"],
        ),
        (Group(True, (*TWO, member("c"))), [record("a"), record("b"), record("c", "")], []),
        (Group(True, (*TWO, member("c"))), [record("a"), record("b")], []),
        # A worker whose record has no model yet, although it has partitions.
        (Group(True, TWO), [record("a"), record("b", "")], ["worker b serves no model"]),
    ],
)
def test_all_workers_serve_a_model_if_nothing_is_unmet(
    group: Group, records: list[WorkerRecord], unmet: list[str]
) -> None:
    assert unmet_conditions(NEW, group, {each.member_id: each for each in records}, 4) == unmet


def test_after_a_rollback_to_the_workers_own_model_any_other_model_will_do() -> None:
    wanted = WantedModel(None, "new")
    assert not wanted.is_served_by(record("a"))
    assert wanted.is_served_by(record("a", "shipped"))
    assert str(wanted) == "another model than new"


def test_a_record_is_written_after_a_change_and_from_time_to_time() -> None:
    schedule = RecordSchedule()
    assert not schedule.is_due(record(""), 0.0), "the worker is no member yet"
    assert schedule.is_due(record("a"), 0.0)
    schedule.written(record("a"), 0.0)
    assert not schedule.is_due(record("a"), REPEAT_S - 1)
    assert schedule.is_due(record("a"), REPEAT_S)
    assert schedule.is_due(record("a", "old"), 1.0)
    assert schedule.is_due(record("b"), 1.0), "it joined again"
    schedule.failed(record("b"), 1.0)
    assert not schedule.is_due(record("b"), RETRY_S)
    assert schedule.is_due(record("b"), 1.0 + RETRY_S)


def test_other_records_of_the_topic_are_ignored() -> None:
    assert decode_worker_record(None) is None
    assert decode_worker_record(b"\xff") is None
    assert decode_worker_record(b'{"worker_id": "w"}') is None


class Answers:
    """Stands for `WorkerModels`: gives the answers in turn, the last one for ever."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self.answers = list(answers)

    def unmet(self, wanted: WantedModel) -> list[str]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_waiting_ends_when_all_serve_or_names_those_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_models, "_POLL_S", 0.0)
    shown: list[list[str]] = []
    answers = Answers(["a serves old"], ["a serves old"], RetryLater("Kafka is away"), [])
    wait_for_model(answers, NEW, 60.0, shown.append)  # type: ignore[arg-type]
    assert shown == [["a serves old"], ["Kafka is away"]]
    with pytest.raises(NotAllServe, match="not every worker serves new after 0 s:\n  b serves old"):
        wait_for_model(Answers(["b serves old"]), NEW, 0.0)  # type: ignore[arg-type]
