"""`python -m models.training.taxonomy.vocabulary FOLDER`: write which attributes Shopify's categories have.

FOLDER holds Shopify's release as tables: `categories.tsv.gz`, `attributes.tsv.gz` and `value_names.tsv.gz`.
A category may have what the categories below it have, because a decision may stop above the product's own
category. `values.tsv`, written by hand, names the values of Shopify's that those of the word lists mean.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from models.attributes.vocabulary import ATTRIBUTES_FILE, VALUES_FILE, is_material
from models.shipped import PRETRAINED
from models.taxonomy.google_mapping import GoogleMapping
from models.taxonomy.tree import Taxonomy
from models.training.taxonomy.shopify import read_table, write_table

REVIEWED = PRETRAINED / "taxonomy" / "shopify" / "values.tsv"
ATTRIBUTE_OF = {"colour": "color", "gender": "target_gender", "age_group": "age_group"}
"""Shopify's attribute for each of ours. Materials have an attribute per kind of product."""


def reviewed_names() -> dict[str, dict[str, list[str]]]:
    """Shopify's English names of our values, the best first, by attribute and value."""
    names: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for line in REVIEWED.read_text("utf-8").splitlines()[1:]:
        attribute, value, given = line.split("\t")
        names[attribute][value] = given.split("|")
    return names


def attribute_sets(folder: Path) -> list[tuple[str, str, str, str]]:
    """One row per distinct pair of lists: own attributes, those from below, Google's ids, Shopify's codes."""
    own = {row["id"]: row["attributes"].split(";") for row in read_table(folder / "categories.tsv.gz")}
    tree, google = Taxonomy.shopify(), Taxonomy.google()
    below: dict[int, dict[str, None]] = {}
    for node in reversed(tree.nodes):
        names = dict.fromkeys(_used(own[node.code]))
        for child in node.children:
            names |= below[child]
        below[node.index] = names
    codes, ids = defaultdict(list), defaultdict(list)
    for node in tree.nodes:
        codes[tuple(_used(own[node.code])), tuple(below[node.index])].append(node.code)
    mapping = GoogleMapping(google, tree)
    for category in google.nodes:
        # A Google category may have more counterparts than its head.
        places = [int(mapping.heads[category.index])]
        places += [node.index for node in tree.nodes if node.google_id == category.id]
        names = {}
        for place in places:
            names |= below[place]
        head = tree.nodes[places[0]]
        ids[tuple(_used(own[head.code])), tuple(names)].append(str(category.id))
    keys = sorted({*codes, *ids})
    return [
        (" ".join(own_ones), " ".join(all_of_them), " ".join(ids[key]), " ".join(codes[key]))
        for key in keys
        for own_ones, all_of_them in [key]
    ]


def value_ids(folder: Path, used: Iterable[str]) -> list[tuple[str, str, str]]:
    """Shopify's value of each of our values, by Shopify's attribute: attribute, our value, Shopify's id."""
    english = {row["id"]: row["en"] for row in read_table(folder / "value_names.tsv.gz")}
    tables = {row["id"]: row for row in read_table(folder / "attributes.tsv.gz")}
    reviewed = reviewed_names()
    rows = []
    for handle in sorted(set(used)):
        source = tables[handle]["values_from"] or handle
        by_name = {english[each]: each for each in tables[source]["values"].split(";") if each in english}
        ours = next((name for name, theirs in ATTRIBUTE_OF.items() if theirs == handle), "material")
        rows += [(handle, value, found) for value, found in _matches(reviewed[ours], by_name)]
    return rows


def _matches(names: Mapping[str, list[str]], by_name: Mapping[str, str]) -> list[tuple[str, str]]:
    found = ((value, next((by_name[n] for n in given if n in by_name), "")) for value, given in names.items())
    return [(value, identifier) for value, identifier in found if identifier]


def _used(handles: Iterable[str]) -> list[str]:
    return [each for each in handles if each in ATTRIBUTE_OF.values() or is_material(each)]


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write the shipped files from the tables in FOLDER."""
    sets = attribute_sets(folder)
    write_table(ATTRIBUTES_FILE, ("own", "attributes", "google_ids", "codes"), sets)
    values = value_ids(folder, (name for _, names, _, _ in sets for name in names.split()))
    write_table(VALUES_FILE, ("attribute", "value", "id"), values)
    for path in (ATTRIBUTES_FILE, VALUES_FILE):
        click.echo(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
