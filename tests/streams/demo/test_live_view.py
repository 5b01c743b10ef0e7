"""Live view, plain output and summary show the view state and fit every terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from streams.demo.counters import DemoCounters
from streams.demo.live_view import LOW, LiveView, screen
from streams.demo.live_view_bars import bar, cut, shortened, sparkline
from streams.demo.plain_output import status_line
from streams.demo.reconciliation import reconcile
from streams.demo.summary import summary
from streams.demo.view_state import ViewState
from streams.demo.worker_metrics import WorkerMetrics
from tests.support.demo import NOON, Outputs, affinity, enriched, review, shopper

LONG = "RED HANGING HEART T-LIGHT HOLDER WITH A VERY LONG NAME " * 3


def _busy() -> ViewState:
    counters = DemoCounters()
    outputs = Outputs(counters)
    for number in range(60):
        name, title = f"p{number}", f"{LONG if number % 3 else '心形挂饰蜡烛托'} {number}"
        counters.add_sent("product-created", name.encode(), now=number / 3)
        outputs.send(enriched(name, title, f"Home & Garden > Decor > Kind {number % 14}"), name, number / 3)
        outputs.send(affinity(name, f"p{(number + 1) % 60}", float(number), number + 1), name, number / 3)
        counters.pairs.tick(float(number))
    outputs.send(shopper("one"), "one", 20.0)
    outputs.send(review("p1", LONG), "p1", 20.0)
    outputs.dead("user-behavior", "invalid-field", message=LONG)
    counters.add_sent("category-feedback", b"p1", 20.0)
    outputs.tombstone("product-enriched", "p2")
    worker_metrics = WorkerMetrics(ready=True, lag={"enrich": 3, "sessions": 40_000}, cpu_s=12.0)
    return ViewState(counters, worker_metrics, 20.5, 20.5, 45.0, NOON, "streaming")


def _drawn(renderable: RenderableType, width: int) -> list[str]:
    recorded = Console(file=io.StringIO(), width=width, record=True, force_terminal=True)
    recorded.print(renderable)
    return recorded.export_text().splitlines()


@pytest.mark.parametrize("state", [ViewState(DemoCounters()), _busy()], ids=["empty", "busy"])
@pytest.mark.parametrize("width", [40, 60, 80, 110, 120, 200])
@pytest.mark.parametrize("height", [10, 23, LOW, 44])
def test_a_screen_never_wraps_and_never_grows_higher_than_the_terminal(
    state: ViewState, width: int, height: int
) -> None:
    lines = _drawn(screen(state, width, height), width)
    assert len(lines) <= height
    assert all(cell_len(text) <= width for text in lines)
    if width >= 60:
        assert any("product-created" in text for text in lines)


@pytest.mark.parametrize(("width", "height"), [(80, 22), (80, 40), (120, 38)])
def test_usual_terminals_show_rates_lag_decisions_categories_and_pairs(width: int, height: int) -> None:
    text = "\n".join(_drawn(screen(_busy(), width, height), width))
    assert "2010" in text
    for shown in ("user-behavior", "abstained", "40,000", "Kind", "↔", "60×", "RED HANGING HEART"):
        assert shown in text, shown
    assert "心形挂饰蜡烛托" in text


def test_the_view_fits_the_terminal_and_leaves_room_for_an_echoed_ctrl_c() -> None:
    recorded = Console(file=io.StringIO(), width=80, height=24, record=True, force_terminal=True)
    recorded.print(LiveView(_busy()))
    lines = recorded.export_text().splitlines()
    assert len(lines) <= 23
    assert not lines[-1].strip()


def test_the_summary_shows_balances_categories_pairs_injected_events_and_next_steps() -> None:
    state = _busy()
    balances = reconcile(state.counters, state.worker_metrics)
    for width in (60, 80, 120):
        lines = _drawn(summary(state.counters, balances, 45.0, 12.0, width), width)
        assert all(cell_len(text) <= width for text in lines)
        text = " ".join(" ".join(lines).split())
        for shown in ("60 in ≠", "✗", "Kind 0", "60×", "invalid-field", "view 75%", "shelfstream worker"):
            assert shown in text, shown


def test_an_empty_summary_is_drawn() -> None:
    lines = _drawn(summary(DemoCounters(), reconcile(DemoCounters(), WorkerMetrics()), 0.0, 0.0, 80), 80)
    assert any("0 events" in text for text in lines)


def test_the_plain_line_shows_the_state_of_the_stream() -> None:
    text = status_line(_busy())
    assert "\n" not in text
    for shown in ("20.5 s", "in 61", "lag 40,003", "model 100%", "dead letters 1", "↔"):
        assert shown in text, shown
    assert "nothing decided yet" in status_line(ViewState(DemoCounters()))


@given(st.floats(0, 1), st.integers(0, 50))
def test_a_bar_has_its_width_and_grows_with_the_fraction(fraction: float, width: int) -> None:
    drawn = bar(fraction, width)
    assert len(drawn) == max(width, len(drawn.rstrip()))
    assert abs(drawn.count("█") - int(fraction * width)) <= 1
    assert (drawn.strip() != "") == (fraction > 0)


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_a_sparkline_is_blank_at_0_and_highest_at_the_maximum(counts: list[int]) -> None:
    drawn = sparkline(counts)
    assert [mark == " " for mark in drawn] == [count == 0 for count in counts]
    if any(counts):
        assert drawn[counts.index(max(counts))] == "█"


@given(st.text(alphabet="abc 红心é", max_size=40), st.integers(0, 30))
def test_a_cut_text_has_exactly_its_cells(text: str, width: int) -> None:
    assert cell_len(cut(text, width)) == width


def test_a_path_loses_its_first_names_first() -> None:
    path = "Home & Garden > Decor > Home Fragrances"
    assert shortened(path, 80) == "Home & Garden › Decor › Home Fragrances"
    assert shortened(path, 25) == "Decor › Home Fragrances"
    assert shortened(path, 16) == "Home Fragrances"
