"""Catalogs become the events that their samples stand for, in each wrapping; broken ones are an error."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from schemas.errors import InvalidFile
from schemas.formats.row import ImportOptions
from tests.schemas.formats.imports import SAMPLE_NAMES, SAMPLES, format_of, golden, imported


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("__MACOSX/._feed", b"not a feed")
        archive.writestr("feed", content)
    return file.getvalue()


@pytest.mark.parametrize("sample", SAMPLE_NAMES)
def test_a_sample_is_recognized_and_becomes_its_events(sample: str, tmp_path: Path) -> None:
    events, report = imported((SAMPLES / sample).read_bytes(), tmp_path)
    assert report.formats == {format_of(sample)}
    assert events == golden(sample)
    assert events


def test_every_catalog_format_has_a_sample() -> None:
    assert {format_of(sample) for sample in SAMPLE_NAMES} == {
        "merchant", "shopify", "woocommerce", "magento", "jsonld", "amazon", "openfoodfacts", "bmecat",
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrap",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.compress, zipped],
    ids=["gzip", "bzip2", "xz", "zstd", "zip"],
)
def test_compression_is_seen_in_the_content(wrap: Callable[[bytes], bytes], tmp_path: Path) -> None:
    for sample in ("merchant.tsv", "woocommerce.csv", "bmecat-1.2.xml"):
        assert imported(wrap((SAMPLES / sample).read_bytes()), tmp_path)[0] == golden(sample)


@pytest.mark.parametrize("sample", SAMPLE_NAMES)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_byte_order_marks_and_utf_16_are_read(sample: str, encoding: str, tmp_path: Path) -> None:
    content = (SAMPLES / sample).read_text("utf-8").encode(encoding)
    assert imported(content, tmp_path)[0] == golden(sample)


def test_latin_1_is_read_by_declaration_or_option_and_never_guessed(tmp_path: Path) -> None:
    feed = (SAMPLES / "bmecat-1.2.xml").read_text("utf-8")
    declared = feed.replace('encoding="UTF-8"', 'encoding="ISO-8859-1"').encode("latin-1")
    assert imported(declared, tmp_path)[0] == golden("bmecat-1.2.xml")
    table = "id\ttitle\timage_link\tprice\tproduct_type\n1\tCafé\t\t\t\n2\tTea\t\t\t\n".encode("latin-1")
    assert [event["title"] for event in imported(table, tmp_path, encoding="latin-1")[0]] == ["Café", "Tea"]
    events, report = imported(table, tmp_path)
    assert [event["title"] for event in events] == ["Tea"]
    (fault,) = report.faults.values()
    assert "--encoding" in fault.problem
    assert "line 2" in fault.place


def test_markup_of_templates_is_repaired(tmp_path: Path) -> None:
    feed = (
        b'<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>'
        b"<item><g:id>1</g:id><title>Tom & Jerry&nbsp;mug &eacute; &gt; <b>blue</b><br></title>"
        b"<link>https://a.example/?a=1&b=2&copy=3</link><x:y>1</x:y></item>"
        b"<item><g:id>2</g:id><title><![CDATA[Fish & <i>chips</i>]]></title><bad>"
        b"<link><![CDATA[https://a.example/?a=1&b=2]]></link></item>"
        b"<item><g:id>3</g:id><title>Last \x0b one</title></item></channel></rss>"
    )
    events, _ = imported(feed, tmp_path)
    # The tag that is not closed puts the third item within the second.
    assert sorted((event["product_id"], event["title"]) for event in events) == [
        ("1", "Tom & Jerry mug é > blue"),
        ("2", "Fish & chips"),
        ("3", "Last one"),
    ]
    assert events[0]["url"] == "https://a.example/?a=1&b=2&copy=3"


def test_entities_and_tags_may_lie_across_blocks(tmp_path: Path) -> None:
    for padding in range(70):
        feed = (
            b'<rss xmlns:g="http://base.google.com/ns/1.0"><channel><!--'
            + b"x" * (32 * 1024 - 140 + padding)
            + b"--><item><g:id>1</g:id><title>A &amp; B <b>c</b> <![CDATA[D & E]]></title></item>"
            + b"</channel></rss>"
        )
        assert imported(feed, tmp_path, "merchant")[0][0]["title"] == "A & B c D & E", padding


@pytest.mark.parametrize("sample", ["merchant.xml", "bmecat-1.2.xml", "bmecat-2005.xml", "woocommerce.json"])
def test_a_cut_off_file_is_an_error(sample: str, tmp_path: Path) -> None:
    content = (SAMPLES / sample).read_bytes()
    for size in (len(content) * 2 // 3, len(content) - 5):
        with pytest.raises(InvalidFile, match=r"input: .*cut off"):
            imported(content[:size], tmp_path, format_of(sample))


def test_a_cut_off_archive_is_an_error(tmp_path: Path) -> None:
    for compress in (gzip.compress, bz2.compress, lzma.compress, zstandard.compress, zipped):
        content = compress((SAMPLES / "merchant.tsv").read_bytes() * 50)
        with pytest.raises(InvalidFile, match="cannot be read to its end"):
            imported(content[:-40], tmp_path, "merchant")


def test_parts_that_were_compressed_alone_are_read_as_one(tmp_path: Path) -> None:
    head, _, tail = (SAMPLES / "merchant.tsv").read_bytes().partition(b"\n")
    for compress in (gzip.compress, bz2.compress, lzma.compress, zstandard.compress):
        content = compress(head + b"\n") + compress(tail)
        assert imported(content, tmp_path)[0] == golden("merchant.tsv")


def test_a_wrong_delimiter_or_format_names_the_missing_column(tmp_path: Path) -> None:
    table = (SAMPLES / "magento.csv").read_bytes().replace(b",", b"#")
    with pytest.raises(InvalidFile, match="no column sku"):
        imported(table, tmp_path, "magento")
    with pytest.raises(InvalidFile, match="not recognized"):
        imported(b"a,b,c\n1,2,3\n", tmp_path)
    with pytest.raises(InvalidFile, match="empty"):
        imported(b"", tmp_path)


def test_a_line_with_too_many_cells_is_one_fault(tmp_path: Path) -> None:
    table = b"id,title,image_link,price,product_type\n1,Mug, large,,1 EUR,Mugs\n2,Cup,,,\n"
    events, report = imported(table, tmp_path, "merchant")
    assert [event["product_id"] for event in events] == ["2"]
    assert report.rejected == 1


def test_a_broken_line_of_json_is_one_fault(tmp_path: Path) -> None:
    lines = (SAMPLES / "amazon-2023.jsonl").read_bytes().splitlines()
    events, report = imported(b"\n".join([lines[0], b'{"a":', b"[1]", lines[0]]), tmp_path, "amazon")
    assert len(events) == 2
    assert [(fault.count, fault.place) for fault in report.faults.values()] == [
        (1, f"{tmp_path}/input, line 2"),
        (1, f"{tmp_path}/input, line 3, item 1"),
    ]


def test_an_opened_quote_ends_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.formats.csv_rows.MAX_CELL", 1000)
    table = b"id,title,image_link,price,product_type\n1,Mug,,,\n" + b'2,"Cup,,,\n' + b"3,Jug,,,\n" * 1000
    with pytest.raises(InvalidFile, match=r"line 3: .*quotation mark"):
        imported(table, tmp_path, "merchant")


def test_options_fill_what_the_file_cannot_say(tmp_path: Path) -> None:
    options = ImportOptions(
        currency="CAD", language="fr", shop_id="s", shop_url="https://s.example/", variants=True
    )
    events, report = imported((SAMPLES / "shopify.csv").read_bytes(), tmp_path, options=options)
    assert not report.warnings
    assert [event["product_id"] for event in events] == ["LS-W-M", "LS-W-L", "LS-B-M", "gift-card"]
    assert [event.get("group_id") for event in events] == ["linen-shirt"] * 3 + [None]
    white = events[0]
    assert white["price"] == {"amount": 69.0, "currency": "CAD"}
    assert white["sale_price"] == {"amount": 49.0, "currency": "CAD"}
    assert white["attributes"]["Colour"] == "White"
    assert white["url"] == "https://s.example/products/linen-shirt"
    assert (white["language"], white["shop_id"], white["gtin"]) == ("fr", "s", "4006381333931")
    food, _ = imported(
        (SAMPLES / "openfoodfacts.jsonl").read_bytes(), tmp_path, options=replace(options, language="en")
    )
    assert food[0]["title"] == "Butter biscuits"


def test_a_sale_lasts_as_long_as_the_feed_says(tmp_path: Path) -> None:
    content = (SAMPLES / "merchant.xml").read_bytes()
    for now, sale in ((datetime(2020, 1, 15, tzinfo=UTC), 19.9), (datetime(2020, 3, 1, tzinfo=UTC), None)):
        event = imported(content, tmp_path, options=ImportOptions(now=now))[0][0]
        assert event.get("sale_price", {}).get("amount") == sale


def test_a_deleted_product_is_withdrawn(tmp_path: Path) -> None:
    for name, content in (
        ("shopify", b'{"id": 7}\n'),
        ("woocommerce", b'{"id": 7}\n'),
        ("shopify", b'{"detail": {"metadata": {}, "payload": {"id": 7}}}\n'),
    ):
        assert imported(content, tmp_path, name)[0] == [{"product_id": "7", "change": "withdrawn"}]


def test_a_magento_product_that_only_a_store_view_has_is_a_listing(tmp_path: Path) -> None:
    table = (
        b"sku,store_view_code,attribute_set_code,product_type,product_websites,name,product_online\n"
        b"CAP,default,Default,simple,base,Cap,1\nCAP,german,,,,M\xc3\xbctze,\n"
        b"MUG,german,,,,Becher,\nMUG,,Default,simple,base,Mug,1\n"
    )
    events, _ = imported(table, tmp_path, "magento")
    assert [(each["product_id"], each["title"]) for each in events] == [("CAP", "Cap"), ("MUG", "Mug")]


@pytest.mark.parametrize("code", ["8.41E+12", "8,41E+12", "8E+12"])
def test_an_id_that_a_table_program_rounded_is_rejected(code: str, tmp_path: Path) -> None:
    table = f'code,product_name,categories_tags,brands_tags\n"{code}",Biscuits,a,b\n8411111111116,Tea,a,b\n'
    events, report = imported(table.encode(), tmp_path, "openfoodfacts")
    assert [each["product_id"] for each in events] == ["8411111111116"]
    assert report.rejected == 1
    log = f'timestamp,visitorid,event,itemid,transactionid\n1433221332117,1,view,"{code}",\n'
    assert not imported(log.encode(), tmp_path, "retailrocket")[0]
