"""The host's part for a device: the numbers of the processor's path, as bytes and in tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.device.cascade.host_batches import BatchBuilder, HostBatch
from models.device.cascade.layout import (
    DESCRIBED,
    ENCODED,
    ROWS_PER_TITLE,
    TITLE_COUNTS,
    BatchShape,
    result_width,
    split_download,
    split_upload,
)
from models.device.cascade.packed_features import PackedFeaturizer
from models.device.encoder.packing import (
    PADDING_SEGMENT,
    TILE,
    TILE_COUNTS,
    pack,
    smallest_size,
    token_parts,
    write_tiles,
)
from models.encoder.artifact import SHIPPED_ENCODERS, VOCABULARY
from models.encoder.encoder import LONGEST
from models.encoder.wordpiece import WordPiece
from models.student.artifact import Artifact
from models.student.seen_ngrams import SeenNgrams
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean, join_description
from models.text.features import MAX_ROWS, Featurizer
from models.text.languages import LANGUAGES
from streams.demo.sample_shop import iter_products

ARTIFACT = Artifact.load(None, Taxonomy.google())
TOKENIZERS = {each: WordPiece(SHIPPED_ENCODERS / each / VOCABULARY, LONGEST) for each in LANGUAGES}
SHOP_TITLES = [clean(product.title) for product in iter_products()][:300]
ROWS, SEEN = Featurizer(ARTIFACT.tensor("hashes")), SeenNgrams(ARTIFACT.tensor("familiar"))
PACKED = PackedFeaturizer(ARTIFACT.tensor("hashes"), ARTIFACT.tensor("familiar"))
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
LENGTHS = st.lists(st.integers(2, TILE), max_size=200)


def numbers(raw: bytes) -> list[int]:
    return [int(each) for each in np.frombuffer(raw, dtype="<i4")]


def check_features(text: str) -> None:
    read = PACKED.read(text)
    assert numbers(read.rows) == ROWS.rows(text)
    assert read.coverage == SEEN.coverage(text)


def test_features_and_coverage_of_real_titles_are_those_of_the_processor() -> None:
    for title in [*SHOP_TITLES, "女士跑步鞋 shoes 42", "", "???", "mug " * 400]:
        check_features(title)
    assert len(PACKED.read("red mug blue tea " * 100).rows) == 4 * MAX_ROWS


@given(ANY_TEXT)
def test_features_of_any_text_are_those_of_the_processor(text: str) -> None:
    check_features(clean(text))


@given(ANY_TEXT)
def test_packed_tokens_are_the_tokens(text: str) -> None:
    for tokenizer in TOKENIZERS.values():
        assert numbers(tokenizer.packed(text)) == tokenizer.ids(text)


def test_the_tokens_of_a_long_text_end_with_the_end_token() -> None:
    text = "ceramic mug " * 60
    found = numbers(TOKENIZERS["en"].packed(text))
    assert len(found) == LONGEST
    assert found == TOKENIZERS["en"].ids(text)


# Tiles


@given(LENGTHS)
def test_each_text_is_in_one_tile_and_no_two_overlap(lengths: list[int]) -> None:
    packing = pack(lengths)
    taken = np.zeros(packing.tiles * TILE, dtype=np.int64)
    for start, length in zip(packing.starts.tolist(), lengths, strict=True):
        assert start // TILE == (start + length - 1) // TILE
        taken[start : start + length] += 1
    assert taken.max(initial=0) <= 1
    assert taken.sum() == sum(lengths)
    places = zip((packing.starts // TILE).tolist(), packing.segments.tolist(), strict=True)
    assert len(set(places)) == len(lengths)
    assert packing.segments.max(initial=0) < PADDING_SEGMENT


@given(LENGTHS)
def test_two_tiles_together_hold_more_than_one(lengths: list[int]) -> None:
    tiles = pack(lengths).tiles
    assert tiles <= 2 * sum(lengths) // TILE + 1


def test_titles_fill_their_tiles() -> None:
    lengths = [len(TOKENIZERS["en"].ids(title)) for title in SHOP_TITLES]
    assert sum(lengths) / (TILE * pack(lengths).tiles) > 0.95


@pytest.mark.parametrize("length", [0, 1, TILE + 1])
def test_a_text_that_fits_no_tile_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="cannot be packed"):
        pack([4, length])


def test_tiles_hold_id_segment_and_position_of_each_token() -> None:
    rows = [[101, 7, 65_535, 102], [101, 102], [101, *range(62), 102]]
    lengths = np.array([len(row) for row in rows], dtype=np.int32)
    packing = pack(lengths.tolist())
    tiles = np.zeros((packing.tiles + 1) * TILE, dtype=np.int32)
    write_tiles(packing, np.concatenate(rows).astype(np.int32), lengths, tiles)
    ids, segments, positions = token_parts(tiles)
    for row, start, segment in zip(rows, packing.starts, packing.segments, strict=True):
        place = slice(start, start + len(row))
        assert ids[place].tolist() == row
        assert set(segments[place].tolist()) == {segment}
        assert positions[place].tolist() == [*range(len(row))]
    assert (segments == PADDING_SEGMENT).sum() == len(tiles) - lengths.sum()


# Micro-batches


def read_back(batch: HostBatch) -> list[tuple[list[int], list[int]]]:
    """The feature rows and the token ids of each text of a batch."""
    upload = split_upload(batch.buffer, batch.shape)
    ids, segments, positions = token_parts(upload.tiles)
    texts = []
    for place in range(len(batch.members)):
        rows = upload.rows[upload.offsets[place] : upload.offsets[place + 1]].tolist()
        start, found = int(upload.starts[place]), []
        if upload.flags[place] & ENCODED:
            same = (segments == segments[start]) & (np.arange(len(ids)) // TILE == start // TILE)
            found = ids[same].tolist()
            assert positions[same].tolist() == [*range(len(found))]
        texts.append((rows, found))
    return texts


def test_a_batch_holds_the_processor_s_rows_and_tokens() -> None:
    texts = [
        *SHOP_TITLES[:100],
        "红色 陶瓷 马克杯",
        "кружка",
        "",
        "???",
        join_description("mug", "a red cup"),
    ]
    builder = BatchBuilder(ARTIFACT, TOKENIZERS, encode_all=True)
    seen = {}
    for batch in builder.batches(texts):
        for member, (rows, ids) in zip(batch.members, read_back(batch), strict=True):
            assert member not in seen
            title = texts[member].partition("\n")[0]
            assert rows == ROWS.rows(title)
            seen[member] = (batch.language, ids)
    assert sorted(seen) == [*range(len(texts))]
    for number, title in enumerate(texts[:100]):
        assert seen[number] == ("en", TOKENIZERS["en"].ids(title))
    assert seen[100] == ("zh", TOKENIZERS["zh"].ids(texts[100]))
    # No encoder reads Russian, and titles without known features are not encoded.
    assert [seen[number][1] for number in (101, 102, 103)] == [[], [], []]
    assert seen[104] == ("en", TOKENIZERS["en"].ids("mug. a red cup"))


def test_only_titles_that_may_escalate_are_encoded() -> None:
    def encoded(encode_all: bool, text: str) -> bool:
        (batch,) = BatchBuilder(ARTIFACT, TOKENIZERS, encode_all=encode_all).batches([text])
        return bool(split_upload(batch.buffer, batch.shape).flags[0] & ENCODED)

    covered = next(title for title in SHOP_TITLES if SEEN.coverage(title) >= 0.65)
    uncovered = next(title for title in SHOP_TITLES if SEEN.coverage(title) < 0.65)
    assert not encoded(False, covered)
    assert encoded(True, covered)
    assert encoded(False, uncovered)
    assert encoded(False, join_description(covered, "a red cup"))


def test_without_a_second_stage_there_are_no_tokens_and_no_descriptions() -> None:
    (batch,) = BatchBuilder(ARTIFACT, {}).batches(["ceramic mug", join_description("mug", "red")])
    assert (batch.language, batch.shape.tiles, batch.tokens) == (None, 0, 0)
    assert not split_upload(batch.buffer, batch.shape).flags.any()


def test_a_description_is_flagged() -> None:
    (batch,) = BatchBuilder(ARTIFACT, TOKENIZERS).batches([join_description("", "a red cup")])
    assert split_upload(batch.buffer, batch.shape).flags[0] == ENCODED | DESCRIBED


def test_many_features_and_many_tokens_fit_into_their_shapes() -> None:
    long = " ".join(SHOP_TITLES[:60])
    for texts in ([long] * 9, [long] * 1500, [long]):
        batches = [*BatchBuilder(ARTIFACT, TOKENIZERS, encode_all=True).batches(texts)]
        assert sum(len(batch.members) for batch in batches) == len(texts)
        for batch in batches:
            assert batch.shape.titles in TITLE_COUNTS
            assert batch.shape.tiles in TILE_COUNTS
            assert read_back(batch)[-1] == (ROWS.rows(long), TOKENIZERS["en"].ids(long))


def test_a_batch_has_at_most_the_configured_number_of_texts() -> None:
    builder = BatchBuilder(ARTIFACT, TOKENIZERS, max_texts=7)
    assert max(len(batch.members) for batch in builder.batches(SHOP_TITLES[:50])) <= 7


# Uploads and downloads


def test_the_parts_of_an_upload_cover_it() -> None:
    shape = BatchShape(8, 2)
    buffer = np.arange(shape.size, dtype=np.int32)
    assert np.concatenate(split_upload(buffer, shape)).tolist() == buffer.tolist()
    assert shape.rows == 8 * ROWS_PER_TITLE


def test_the_parts_of_a_download_are_views_of_their_types() -> None:
    results = np.zeros((3, result_width(5, 30)), dtype=np.int32)
    parts = split_download(results, 5, 30)
    assert parts.probabilities.shape == (3, 5)
    assert parts.embeddings.shape == (3, 30)
    parts.confidences[1], parts.embeddings[2, 29] = 0.5, -7
    assert results[1, 2] == np.float32(0.5).view(np.int32)
    assert results[2].any()


def test_the_smallest_sufficient_size_is_chosen() -> None:
    assert smallest_size(TITLE_COUNTS, 9) == 64
    with pytest.raises(ValueError, match="more than the largest"):
        smallest_size(TITLE_COUNTS, TITLE_COUNTS[-1] + 1)
