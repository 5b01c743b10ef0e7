"""The committed contract files match the code and the codec, and are compatible with the published ones."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from schemas import contracts
from schemas.all_events import EVENTS
from schemas.codec import DECODERS, encode
from schemas.dead_letters import DESCRIPTIONS
from schemas.events import Event, ProductCreated
from schemas.examples import EXAMPLES
from streams.cli import main
from streams.commands.offline.contracts import public_topics


def _document() -> Any:
    return yaml.safe_load((contracts.FOLDER / "asyncapi.yaml").read_text(encoding="utf-8"))


def _validator(event: type[Event]) -> Any:
    return jsonschema.Draft202012Validator(contracts.json_schema(event))


def test_the_committed_files_match_the_code() -> None:
    files = contracts.contract_files(public_topics())
    assert contracts.outdated_files(files) == [], "run `shelfstream contracts write`"


def test_every_committed_schema_belongs_to_an_event() -> None:
    names = {path.name for path in (contracts.FOLDER / "json").glob("*.json")}
    assert names == {f"{event.topic}.json" for event in EVENTS}


def test_no_published_schema_is_broken() -> None:
    assert contracts.incompatibilities() == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.topic)
def test_every_event_has_a_published_schema(event: type[Event]) -> None:
    assert (contracts.FOLDER / "json" / "published" / f"{event.topic}.json").is_file()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.topic)
def test_every_schema_is_valid_and_self_contained(event: type[Event]) -> None:
    schema = contracts.json_schema(event)
    jsonschema.Draft202012Validator.check_schema(schema)
    references = set(_references(schema))
    assert references == {f"#/$defs/{name}" for name in schema.get("$defs", {})}


def _properties(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield every property in a schema with its name."""
    if isinstance(node, list):
        for each in node:
            yield from _properties(each)
    elif isinstance(node, dict):
        if "title" in node:
            for name, each in node.get("properties", {}).items():
                yield f"{node['title']}.{name}", each
        for each in node.values():
            yield from _properties(each)


def _all_properties() -> list[tuple[str, Any]]:
    return [each for event in EVENTS for each in _properties(contracts.json_schema(event))]


def test_every_property_has_a_description() -> None:
    assert len(_all_properties()) > 100
    assert {name for name, each in _all_properties() if not each.get("description")} == set()


def test_the_page_for_catalogs_lists_every_field() -> None:
    page = Path(__file__).parents[2] / "docs" / "getting-started" / "catalog-developer.md"
    text = page.read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([a-z_]+)` \|.*\|.*\|.*\|$", text, re.MULTILINE))
    assert set(ProductCreated.__struct_fields__) == listed - {"product-created"}


def test_every_object_and_enumeration_has_a_name() -> None:
    unnamed = {
        name
        for name, each in _all_properties()
        for node in (each, *each.get("anyOf", ()), each.get("items", {}))
        if ("enum" in node or node.get("type") == "object") and "title" not in node
    }
    assert unnamed == set()
    for event in EVENTS:
        assert all("title" in each for each in contracts.json_schema(event).get("$defs", {}).values())


def test_there_is_an_example_of_each_event() -> None:
    assert tuple(type(example) for example in EXAMPLES) == EVENTS


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.topic)
def test_an_encoded_event_fits_its_schema_and_decodes_to_itself(example: Event) -> None:
    value = encode(example)
    _validator(type(example)).validate(json.loads(value))
    assert DECODERS[example.topic](value, None) == example


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in _references(value)]
    if isinstance(node, list):
        return [each for value in node for each in _references(value)]
    return []


def _follow(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


def test_the_asyncapi_document_has_the_structure_that_asyncapi_3_requires() -> None:
    document = _document()
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= document["info"].keys()
    for server in document["servers"].values():
        assert {"host", "protocol"} <= server.keys()
    for name, channel in document["channels"].items():
        assert channel["address"] == name
        assert channel["messages"]
        assert all(set(message) == {"$ref"} for message in channel["messages"].values())
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"]["$ref"].startswith("#/channels/")
        for message in operation["messages"]:
            # AsyncAPI 3: an operation's messages must be those of its channel, by reference into it.
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")


def test_every_reference_of_the_document_resolves() -> None:
    document = _document()
    references = _references(document)
    assert references
    for reference in references:
        assert _follow(document, reference)


def test_the_document_has_one_channel_and_one_operation_for_each_public_topic() -> None:
    document = _document()
    expected = {event.topic for event in EVENTS} | {"dead-letter"}
    assert set(document["channels"]) == expected
    channels = [operation["channel"]["$ref"] for operation in document["operations"].values()]
    assert sorted(channels) == sorted(f"#/channels/{topic}" for topic in expected)


def test_every_message_has_key_headers_payload_and_an_example() -> None:
    for name, message in _document()["components"]["messages"].items():
        assert {"name", "title", "summary", "headers", "payload", "bindings"} <= message.keys(), name
        assert message["bindings"]["kafka"]["key"]["description"]
        assert message.get("examples") or name == "DeadLetter" or name.endswith("Tombstone")


def test_the_examples_of_the_document_fit_its_schemas() -> None:
    document = _document()
    for message in document["components"]["messages"].values():
        for example in message.get("examples", []):
            for part in ("headers", "payload"):
                schema = {"$ref": message[part]["$ref"], "components": document["components"]}
                jsonschema.Draft7Validator(schema).validate(example[part])


def test_compacted_topics_describe_their_tombstones() -> None:
    document = _document()
    for topic in public_topics():
        if topic.compacted:
            messages = document["channels"][topic.name]["messages"]
            assert any(name.endswith("Tombstone") for name in messages), topic.name


def test_every_header_of_a_dead_letter_is_described() -> None:
    described = _document()["components"]["schemas"]["DeadLetterHeaders"]["properties"]
    assert set(described) == set(DESCRIPTIONS)


@pytest.mark.parametrize("word", ["read_committed", "ce_id", "murmur2_random", "tombstone", "RFC 3339"])
def test_the_introduction_names_required_client_settings(word: str) -> None:
    assert word in _document()["info"]["description"]


def test_abstained_is_explained_in_its_channel() -> None:
    assert "abstained" in _document()["channels"]["product-enriched"]["description"]


def test_the_command_writes_checks_and_publishes(tmp_path: Path) -> None:
    def run(command: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["contracts", command, "--folder", str(tmp_path)])
        return result.exit_code, result.output

    assert run("check")[0] == 1
    assert "wrote asyncapi.yaml" in run("write")[1]
    assert run("check")[0] == 0
    assert "published json/published/user-behavior.json" in run("publish")[1]
    published = tmp_path / "json" / "published" / "user-behavior.json"
    schema = json.loads(published.read_text())
    schema["properties"]["gone"] = {"type": "string"}
    published.write_text(json.dumps(schema))
    code, output = run("check")
    assert code == 1
    assert "user-behavior $.gone: was removed" in output
    code, output = run("publish")
    assert code == 1
    assert "not published" in output
