"""The live view fits every terminal and shows what the tally knows."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from streams.demo.counters import Tally
from streams.demo.live_view import LOW, LiveView, screen
from streams.demo.live_view_bars import bar, cut, shortened, sparkline
from streams.demo.plain_output import line
from streams.demo.reconciliation import accounts
from streams.demo.summary import summary
from streams.demo.view_state import Scene
from streams.demo.worker_metrics import Reading
from tests.support.demo import NOON, Outputs, affinity, enriched, review, shopper

LONG = "RED HANGING HEART T-LIGHT HOLDER WITH A VERY LONG NAME " * 3


def _busy() -> Scene:
    tally = Tally()
    outputs = Outputs(tally)
    for number in range(60):
        name, title = f"p{number}", f"{LONG if number % 3 else '心形挂饰蜡烛托'} {number}"
        tally.sent("product-created", name.encode(), now=number / 3)
        outputs.send(enriched(name, title, f"Home & Garden > Decor > Kind {number % 14}"), name, number / 3)
        outputs.send(affinity(name, f"p{(number + 1) % 60}", float(number), number + 1), name, number / 3)
        tally.pairs.tick(float(number))
    outputs.send(shopper("one"), "one", 20.0)
    outputs.send(review("p1", LONG), "p1", 20.0)
    outputs.dead("user-behavior", "invalid-field", message=LONG)
    tally.sent("category-feedback", b"p1", 20.0)
    outputs.tombstone("product-enriched", "p2")
    reading = Reading(ready=True, lag={"enrich": 3, "sessions": 40_000}, cpu_s=12.0)
    return Scene(tally, reading, 20.5, 20.5, 45.0, NOON, "streaming")


def _drawn(renderable: RenderableType, width: int) -> list[str]:
    recorded = Console(file=io.StringIO(), width=width, record=True, force_terminal=True)
    recorded.print(renderable)
    return recorded.export_text().splitlines()


@pytest.mark.parametrize("scene", [Scene(Tally()), _busy()], ids=["empty", "busy"])
@pytest.mark.parametrize("width", [40, 60, 80, 110, 120, 200])
@pytest.mark.parametrize("height", [10, 23, LOW, 44])
def test_a_screen_never_wraps_and_never_grows_higher_than_the_terminal(
    scene: Scene, width: int, height: int
) -> None:
    lines = _drawn(screen(scene, width, height), width)
    assert len(lines) <= height
    assert all(cell_len(text) <= width for text in lines)
    if width >= 60:
        assert any("product-created" in text for text in lines)


@pytest.mark.parametrize(("width", "height"), [(80, 22), (80, 40), (120, 38)])
def test_rates_lag_decisions_categories_and_pairs_with_titles_are_all_seen_on_usual_terminals(
    width: int, height: int
) -> None:
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


def test_the_summary_tells_sums_categories_pairs_incidents_and_where_next() -> None:
    scene = _busy()
    sums = accounts(scene.tally, scene.reading)
    for width in (60, 80, 120):
        lines = _drawn(summary(scene.tally, sums, 45.0, 12.0, width), width)
        assert all(cell_len(text) <= width for text in lines)
        text = " ".join(" ".join(lines).split())
        for shown in ("60 in ≠", "✗", "Kind 0", "60×", "invalid-field", "view 75%", "shelfstream worker"):
            assert shown in text, shown


def test_a_summary_of_nothing_is_drawn_too() -> None:
    lines = _drawn(summary(Tally(), accounts(Tally(), Reading()), 0.0, 0.0, 80), 80)
    assert any("0 events" in text for text in lines)


def test_the_plain_line_says_where_the_stream_stands() -> None:
    told = line(_busy())
    assert "\n" not in told
    for shown in ("20.5 s", "in 61", "lag 40,003", "model 100%", "dead letters 1", "↔"):
        assert shown in told, shown
    assert "nothing decided yet" in line(Scene(Tally()))


@given(st.floats(0, 1), st.integers(0, 50))
def test_a_bar_has_its_width_and_grows_with_its_share(share: float, width: int) -> None:
    drawn = bar(share, width)
    assert len(drawn) == max(width, len(drawn.rstrip()))
    assert abs(drawn.count("█") - int(share * width)) <= 1
    assert (drawn.strip() != "") == (share > 0)


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_a_sparkline_is_blank_where_nothing_came_and_highest_at_the_most(counts: list[int]) -> None:
    drawn = sparkline(counts)
    assert [mark == " " for mark in drawn] == [count == 0 for count in counts]
    if any(counts):
        assert drawn[counts.index(max(counts))] == "█"


@given(st.text(alphabet="abc 红心é", max_size=40), st.integers(0, 30))
def test_a_cut_text_has_exactly_its_cells(text: str, width: int) -> None:
    assert cell_len(cut(text, width)) == width


def test_a_path_loses_its_beginning_first() -> None:
    path = "Home & Garden > Decor > Home Fragrances"
    assert shortened(path, 80) == "Home & Garden › Decor › Home Fragrances"
    assert shortened(path, 25) == "Decor › Home Fragrances"
    assert shortened(path, 16) == "Home Fragrances"
