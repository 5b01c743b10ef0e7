"""The page of a report: well-formed, self-contained, and hostile titles stay text."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.page import render
from models.evaluation.plots import coverage_plot
from models.evaluation.report import (
    FORMAT,
    Bin,
    Confusion,
    Curve,
    Detail,
    Level,
    Mistake,
    Report,
    Scores,
    Section,
)
from models.student.artifact import Measurement

LEVEL = Level(level=1, texts=9, accuracy=0.8, low=0.5, high=0.95, macro_f1=0.7, categories=3)
SCORES = Scores(name="shop", texts=9, levels=[LEVEL], calibration_error=0.05, coverage=0.5, precision=0.9)
PLAIN = Scores(name="other way", texts=9, levels=[LEVEL, msgspec.structs.replace(LEVEL, level=2, texts=0)])
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></details></body>",
    "&lt;b&gt; & <!-- ]]> -->",
    "\x00\x0b\ud800 \ufffe \u202e",
    "`</code><script>`",
]


def page(text: str) -> str:
    """A page with a text in every place that accepts one."""
    section = Section(title=text, note=text, rows=[msgspec.structs.replace(SCORES, name=text)])
    detail = Detail(
        source=text,
        scores=SCORES,
        reliability=[Bin(texts=4, confidence=0.3, accuracy=0.5), Bin(texts=5, confidence=0.9, accuracy=1.0)],
        curves=[Curve(level=1, points=[(0.1, 1.0), (1.0, 0.8)]), Curve(level=2, points=[])],
        confusions=[Confusion(level=1, label=text, taken_for=text, texts=2, of=3)],
        mistakes=[
            Mistake(title=text, label=text, decided=text, confidence=0.9, published=True, reasons=[text])
        ],
    )
    measurement = Measurement(
        name=f"unseen {text}", texts=3, accuracy=[0.5], calibration_error=0.1, published=0.5, precision=1.0
    )
    return render(
        Report(
            format=FORMAT,
            model_version=text,
            taxonomy_version=text,
            cascade=True,
            groups=section,
            languages=section,
            details=[detail],
            slices=[section, Section(title=text, note=text, rows=[])],
            sellers=section,
            unseen=[measurement],
            baselines=[Section(title=text, note=text, rows=[PLAIN])],
            notes=[text],
        )
    )


def tree(html: str) -> ElementTree.Element:
    """The page as XML, which is stricter than any browser."""
    return ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n").encode("utf-8"))


TAGS = sorted(element.tag for element in tree(page("calm")).iter() if element.tag != "code")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_add_no_element(text: str) -> None:
    found = tree(page(text))
    assert sorted(element.tag for element in found.iter() if element.tag != "code") == TAGS
    assert not any(name.startswith("on") for element in found.iter() for name in element.attrib)


@given(st.text(min_size=1))
def test_any_text_leaves_the_page_well_formed(text: str) -> None:
    assert sorted(each.tag for each in tree(page(text)).iter() if each.tag != "code") == TAGS


def test_a_title_is_read_as_it_was_written() -> None:
    (summary,) = (each for each in tree(page("5\" <b> & 'q'")).iter("summary"))
    assert summary.text == "5\" <b> & 'q' "


def test_nothing_is_loaded_from_anywhere() -> None:
    html = page("calm")
    assert not re.search(r"https?:|//|url\(|@import|<script|<link|\ssrc=|\shref=", html)


def test_it_has_a_viewport_and_a_dark_scheme() -> None:
    html = page("calm")
    assert '<meta name="viewport" content="width=device-width, initial-scale=1"/>' in html
    assert "prefers-color-scheme:dark" in html
    wide = [each for each in tree(html).iter("div") if each.get("class") == "wide"]
    assert len(wide) == len(list(tree(html).iter("table")))
    assert all(picture.get("viewBox") and not picture.get("width") for picture in tree(html).iter("svg"))


def test_a_browser_s_own_parser_sees_every_element_closed() -> None:
    class Nesting(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            """An element without content."""

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    nesting = Nesting()
    nesting.feed(page("calm"))
    nesting.close()
    assert nesting.open == []


def test_points_lie_inside_the_pictures() -> None:
    for picture in tree(page("calm")).iter("svg"):
        _, _, width, height = map(float, picture.attrib["viewBox"].split())
        places = [(each.attrib["cx"], each.attrib["cy"]) for each in picture.iter("circle")]
        places += [
            tuple(corner.split(","))  # type: ignore[misc]
            for line in picture.iter("polyline")
            for corner in line.attrib["points"].split()
        ]
        assert len(places) >= 3
        assert all(0 < float(x) < width and 0 < float(y) < height for x, y in places)


def test_curves_that_end_together_keep_their_names_apart() -> None:
    curves = [Curve(level=level, points=[(1.0, 0.99)]) for level in (1, 2, 3)]
    picture = ElementTree.fromstring(coverage_plot(curves, SCORES, "shop"))
    names = [each for each in picture.iter("text") if "name" in each.get("class", "")]
    assert {name.text for name in names} == {"1", "2", "3"}
    heights = sorted(float(name.attrib["y"]) for name in names)
    assert all(lower - upper >= 10 for upper, lower in pairwise(heights))


def test_figures_are_in_the_tables() -> None:
    cells = ["".join(cell.itertext()) for cell in tree(page("calm")).iter("td")]
    assert {"80.0% ±22.5", "70.0%", "5.0%", "50.0%", "90.0%"} <= set(cells)
    assert "–" in cells
