"""Category trees in files: each format, and each kind of problem with its line."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.taxonomy.files import MAX_CATEGORIES, MAX_LEVELS, MAX_NAME, read_rows
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

HEAD = "id\tpath\tname:zh\tname_de\texamples"
TABLE = f"{HEAD}\n1\tWear\t服装\t\t\n2\tWear > Shoes\t鞋\tSchuhe\tRed sneakers | Chelsea boots\n"
OBJECTS = "\n".join(
    orjson.dumps(each).decode()
    for each in (
        {"id": 1, "path": "Wear", "name:zh": "服装"},
        {
            "id": "2",
            "path": "Wear > Shoes",
            "name_zh": "鞋",
            "name:de": "Schuhe",
            "examples": ["Red sneakers", "Chelsea boots"],
        },
    )
)
FORMS = {
    "tabs": TABLE,
    "byte order mark and CRLF": "\ufeff" + TABLE.replace("\n", "\r\n"),
    "commas": TABLE.replace("\t", ","),
    "quoted commas": 'ID,Path,"name:zh",name_de,examples\n1,"Wear",服装,,\n'
    '2,"Wear > Shoes",鞋,Schuhe,"Red sneakers | Chelsea boots"\n',
    "objects": OBJECTS,
    "objects with blank lines": OBJECTS.replace("\n", "\n\n") + "\n",
}


def tree(folder: Path, text: str, name: str = "tree.tsv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("form", FORMS)
def test_all_formats_give_the_same_rows(tmp_path: Path, form: str) -> None:
    taxonomy = Taxonomy.load(tree(tmp_path, FORMS[form]))
    shoes = taxonomy.node(2)
    assert [node.path for node in taxonomy.nodes] == ["Wear", "Wear > Shoes"]
    assert taxonomy.node(1).translations == {"zh": "服装"}
    assert shoes.translations == {"zh": "鞋", "de": "Schuhe"}
    assert shoes.examples == ("Red sneakers", "Chelsea boots")


def test_google_format_needs_no_header(tmp_path: Path) -> None:
    rows = read_rows(tree(tmp_path, "# version\r\n1 - Wear\r\n\r\n2 - Wear > Tops - long, short\r\n"))
    assert [(row.id, row.names, row.line) for row in rows] == [
        (1, ("Wear",), 2),
        (2, ("Wear", "Tops - long, short"), 4),
    ]


def test_the_version_depends_on_ids_and_paths_only(tmp_path: Path) -> None:
    def version(text: str, name: str = "tree.tsv") -> str:
        return Taxonomy.load(tree(tmp_path, text, name)).version

    assert version(TABLE) == version(OBJECTS) == version(TABLE.replace("鞋", "鞋子"))
    assert version(TABLE) != version(TABLE.replace("2\t", "3\t"))
    assert version(TABLE) != version(TABLE.replace("Shoes", "Boots"))
    assert version(TABLE, "my shop/tree.tsv".replace("/", " ")).startswith("my-shop-tree-")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEAD}\nA12\tWear\n", r"line 2: the id 'A12' is no whole number.*keep your own codes"),
        (f"{HEAD}\n-1\tWear\n", "line 2: the id '-1'"),
        (f"{HEAD}\n1.0\tWear\n", "line 2: the id '1.0'"),
        (f"{HEAD}\n\tWear\n", "line 2: the id ''"),
        (f"{HEAD}\n1234567890123456\tWear\n", "at most 15 digits"),
        (f"{HEAD}\n1\tWear\n\n1\tFood\n", "line 4: id 1 stands twice; line 2 has it too"),
        (f"{HEAD}\n1\tWear\n2\tWear\n", "line 3: 'Wear' is one path with two ids, 1 and 2"),
        (f"{HEAD}\n1\tWear > Shoes > Boots\n", "lacks the parent.*give 'Wear > Shoes' a line with an id"),
        (f"{HEAD}\n1\tWear > \n", "line 2: the path 'Wear > ' has an empty name"),
        (f"{HEAD}\n1\t\n", "line 2: the path '' has an empty name"),
        (f"{HEAD}\n1\n", "line 2: the path 'None' has an empty name"),
        (f"{HEAD}\n1\t{' > '.join('abcdefghijklm')}\n", f"13 levels; {MAX_LEVELS} are the most"),
        (f"{HEAD}\n1\t{'x' * (MAX_NAME + 1)}\n", f"more than {MAX_NAME} characters"),
        (f"{HEAD}\n1\tWear\t\t\t\tone too many\n", "line 2: 6 fields, but the header has 5"),
        ("id\tname\n1\tWear\n", "line 1: there is no `path`"),
        ("code,path\n1,Wear\n", "line 1: not `id - A > B > C`"),
        ("id,path,names_zh\n1,Wear,x\n", "line 1: 'names_zh' is none of"),
        ('{"id": 1, "path": "Wear"}\n{"id": 2, "path"\n', "line 2: no JSON object"),
        ('{"id": true, "path": "Wear"}\n', "line 1: the id 'True'"),
        ('{"id": 1, "path": ["Wear"]}\n', "line 1: the path .* has an empty name"),
        ('{"id": 1, "path": "Wear", "examples": [1]}\n', "line 1: examples are titles"),
        ('{"id": 1, "path": "Wear", "name": "x"}\n', "line 1: 'name' is none of"),
        ('{"id": 1, "path": "\\ud800"}\n', "line 1: no JSON object"),
        ("", "no category"),
        (f"{HEAD}\n\n", "no category"),
    ],
)
def test_an_invalid_file_is_refused_with_the_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(StopWorker, match=says):
        read_rows(tree(tmp_path, text))


def test_all_problems_are_reported_up_to_a_limit(tmp_path: Path) -> None:
    with pytest.raises(StopWorker) as stopped:
        read_rows(tree(tmp_path, f"{HEAD}\n" + "x\tWear\n" * 25))
    message = str(stopped.value)
    assert message.count("is no whole number") == 10
    assert "and 15 more" in message


def test_other_encodings_and_too_many_categories_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tree.tsv"
    path.write_bytes(TABLE.encode("utf-16"))
    with pytest.raises(StopWorker, match="Give a UTF-8 file"):
        read_rows(path)
    lines = "".join(f"{number} - N{number}\n" for number in range(MAX_CATEGORIES + 1))
    with pytest.raises(StopWorker, match="50,000 are the most"):
        read_rows(tree(tmp_path, lines))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("tree") / "tree.tsv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        taxonomy = Taxonomy.load(path)
    except StopWorker as stopped:
        assert str(path) in str(stopped)
    else:
        assert len(taxonomy) > 0
