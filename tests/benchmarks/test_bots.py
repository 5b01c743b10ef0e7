"""The benchmark of programs: what it streams, and that it sees a program that is not held back."""

from itertools import islice, pairwise

from benchmarks.bots import PROGRAMS, Program, among, learned, measure, program_events
from streams.demo.sample_shop import iter_baskets

HONEST = list(islice(iter_baskets(), 1_000))
BATCH = 200


def test_a_program_has_so_many_events_among_the_honest_ones() -> None:
    for program in PROGRAMS:
        events = list(program_events(program, HONEST, 100))
        rises = [one.occurred_at <= other.occurred_at for one, other in pairwise(events)]
        assert all(rises) is not program.falls
        both = among(HONEST, events)
        assert [event for event in both if event in HONEST] == HONEST
        assert len(both) == len(HONEST) + 100


def test_a_session_longer_than_a_person_s_changes_little_and_many_short_ones_much() -> None:
    alone = learned(HONEST, BATCH)
    endless, short = (
        measure(HONEST, list(program_events(program, HONEST, 1_200)), BATCH, alone)
        for program in (Program("endless"), Program("short", 25))
    )
    assert endless.pushed_out < 0.02 < short.pushed_out
    assert 0.0 < short.changed <= 1.0
