"""Label checks: conflicts against brute force, planted errors, and accepted corrections."""

import gzip
import random
from collections import Counter
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from models.taxonomy.label_hierarchy import same_or_ancestor
from models.text.cleaning import clean
from models.training.data.corpus import Example, read_shops, split_of
from models.training.data.corrections import read_corrections
from models.training.data.near_duplicates import title_key
from models.training.labels.check import check_labels
from models.training.labels.conflicts import label_conflicts
from models.training.labels.errors import label_errors, out_of_sample, pruned
from models.training.student.config import TrainingConfig
from streams.cli import main
from tests.support.tiny_shops import COLORS, TITLES, TREE, write_shops

CONFIG = TrainingConfig(dimensions=8, epochs=10, batch=32)
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["tea", "shoe"]), st.integers(0, len(TREE) - 1)),
    max_size=8,
)
WORDS = st.lists(st.sampled_from(["red", "Shoe", "茶", "茶杯", "café", "x"]), min_size=1, max_size=6)


@given(WORDS, st.randoms(use_true_random=False), st.data())
def test_near_duplicates_have_one_key_and_one_split(
    words: list[str], shuffle: random.Random, data: st.DataObject
) -> None:
    other = shuffle.sample(words, len(words))
    parts = [
        part
        for word in other
        for part in (word.upper(), data.draw(st.sampled_from([" ", ", ", " - ", " 42 ", "/7/", "!"])))
    ]
    one, two = clean("".join(parts)), clean(" ".join(words))
    assert title_key(one) == title_key(two)
    assert split_of(one) == split_of(two)


@given(WORDS, WORDS)
def test_titles_with_other_words_have_other_keys(words: list[str], others: list[str]) -> None:
    same = title_key(clean(" ".join(words))) == title_key(clean(" ".join(others)))
    assert same == (Counter(map(clean, words)) == Counter(map(clean, others)))


def test_titles_without_words_are_their_own_keys() -> None:
    assert len({title_key(text) for text in ("501", "502", "!")}) == 3


@given(ROWS)
def test_conflicts_are_those_of_brute_force(rows: list[tuple[str, str, int]]) -> None:
    expected: dict[tuple[str, str], tuple[int, int, float]] = {}
    for shop, title, _ in rows:
        labels = [label for _, each, label in rows if each == title]
        if all(same_or_ancestor(one, other, TREE) for one in labels for other in labels):
            continue
        first = next(label for where, each, label in rows if (where, each) == (shop, title))
        most = max(labels.count(label) for label in labels)
        best = {label for label in labels if labels.count(label) == most}
        suggested = best.pop() if len(best) == 1 else -1
        expected[shop, title] = (first, suggested, most / len(labels) if suggested >= 0 else 0.0)
    found = label_conflicts(rows, TREE)
    assert len(found) == len(expected)
    assert {
        (each.shop, each.title): (each.label, each.suggested, each.confidence) for each in found
    } == expected


def titles(wrong: frozenset[int] = frozenset()) -> list[Example]:
    """Titles of two shops. Those with the given numbers have the label of another category."""
    names = list(TITLES)
    index = {node.name: node.index for node in TREE.nodes}
    found: list[Example] = []
    for shop in ("one", "two"):
        for place, name in enumerate(names):
            for title in TITLES[name]:
                for color in COLORS:
                    label = names[(place + 1) % len(names)] if len(found) in wrong else name
                    found.append(Example(f"{color} {title}", index[label], shop, "train"))
    return found


def test_planted_errors_are_found_with_the_correct_label_and_few_others() -> None:
    planted = frozenset(range(3, 256, 23))
    clean_titles = titles()
    found = label_errors(titles(planted), TREE, CONFIG)
    right = {(clean_titles[number].shop, clean_titles[number].text) for number in planted}
    hits = [each for each in found if (each.shop, each.title) in right]
    assert len(hits) == len(planted)
    assert len(found) - len(hits) <= 2
    truth = {(each.shop, each.text): each.category for each in clean_titles}
    assert all(truth[each.shop, each.title] == each.suggested != each.label for each in hits)
    assert [each.confidence for each in found] == sorted((each.confidence for each in found), reverse=True)


def test_a_coarse_label_is_no_error() -> None:
    coarse = [
        Example(each.text, TREE.nodes[each.category].parent, each.shop, each.split)
        if number % 5 == 0
        else each
        for number, each in enumerate(titles())
    ]
    assert label_errors(coarse, TREE, CONFIG) == []


def test_a_student_classifies_only_unseen_titles_and_probabilities_sum_to_one() -> None:
    """Otherwise a title whose near-duplicates have the same wrong label would confirm it."""
    zorbs = [Example(f"zorb {number}", 1, "one", "train") for number in range(30)]
    tree, known = pruned(TREE, {each.category for each in [*titles(), *zorbs]})
    assert {node.id for node in tree.nodes} <= {node.id for node in TREE.nodes}
    steps: list[tuple[str, int, int]] = []
    predict = out_of_sample([*zorbs, *titles()], tree, known, CONFIG, 2, lambda *step: steps.append(step))
    assert {name.partition(",")[0] for name, _, _ in steps} == {"Fold 1 of 2", "Fold 2 of 2"}
    classes = sorted({known[each.category] for each in titles()})
    probabilities = predict(range(40), classes)
    assert probabilities.shape == (40, len(classes))
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    # All zorbs are near-duplicates: their student has seen none of them, and knows none of their words.
    assert np.allclose(probabilities[:30], probabilities[0], atol=1e-6)


def spoil(data: Path) -> tuple[str, str]:
    """Give one title of flipkart a wrong label, and another one two labels. Return both cleaned titles."""
    path = data / "products" / "flipkart.tsv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    number = next(place for place, line in enumerate(lines) if line.endswith("\tTea"))
    lines[number] = lines[number].removesuffix("Tea") + "Shirts"
    twice = next(line for line in lines if line.endswith("\tMilk"))
    lines += [twice, twice.removesuffix("Milk") + "Shoes"]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return clean(lines[number].split("\t")[1]), clean(twice.split("\t")[1])


def test_each_title_is_reported_once_conflicts_before_errors(tmp_path: Path) -> None:
    write_shops(tmp_path)
    wrong, twice = spoil(tmp_path)
    found = check_labels(tmp_path, TREE, CONFIG, lambda *_: None)
    assert len({(each.shop, each.title) for each in found}) == len(found)
    conflicts = [each for each in found if each.reason.startswith("conflict")]
    assert found[: len(conflicts)] == conflicts
    # Other shops have the correct label for both titles, so both are in conflict.
    assert {each.title for each in conflicts} == {wrong, twice}
    of_flipkart = {each.title: each for each in conflicts if each.shop == "flipkart"}
    names = {node.name: node.index for node in TREE.nodes}
    assert (of_flipkart[wrong].label, of_flipkart[wrong].suggested) == (names["Shirts"], names["Tea"])
    assert of_flipkart[twice].suggested == names["Milk"]


def test_the_command_writes_a_table_whose_accepted_rows_training_reads(
    tmp_path: Path,
) -> None:
    write_shops(tmp_path)
    wrong, _ = spoil(tmp_path)
    table = tmp_path / "suggestions.tsv"
    tree = tmp_path / "tree.txt"
    tree.write_text("".join(f"{node.id} - {node.path}\n" for node in TREE.nodes), encoding="utf-8")
    options = ["--data", str(tmp_path), "-o", str(table), "--taxonomy", str(tree)]
    done = CliRunner().invoke(main, ["labels", "check", *options])
    assert done.exit_code == 0, done.output
    assert read_corrections(table, TREE) == {}
    accepted = [
        line + "yes" if line.startswith(f"flipkart\t{wrong}\t") else line
        for line in table.read_text(encoding="utf-8").splitlines()
    ]
    table.write_text("\n".join(accepted) + "\n", encoding="utf-8")
    corrections = read_corrections(table, TREE)
    tea = next(node.index for node in TREE.nodes if node.name == "Tea")
    assert corrections == {("flipkart", wrong): tea}
    corrected = read_shops(tmp_path, TREE, ("flipkart",), corrections)
    assert [each.category for each in corrected if each.text == wrong] == [tea]
