"""The types that Kafka Connect's AvroConverter notes in an Avro schema beside Avro's own."""

from typing import Any

_DEEPEST = 50


def connect_schema(avro: Any) -> dict[str, Any] | None:
    """Translate what `connect_json.convert` reads of a schema.

    Args:
        avro: An Avro schema, decoded from JSON.

    Returns:
        A schema of Kafka Connect with names, fields and items. None if no type of it has a name there.
    """
    translated = _translate(avro, {}, 0)
    return translated if translated is not None and _has_name(translated) else None


def _translate(avro: Any, records: dict[str, Any], depth: int) -> dict[str, Any] | None:
    if depth > _DEEPEST:
        return None
    if isinstance(avro, str):
        # A record that was defined before is referred to by its name: the rows before and after a change.
        return records.get(avro)
    if isinstance(avro, list):
        branches = [each for each in avro if each != "null"]
        return _translate(branches[0], records, depth + 1) if len(branches) == 1 else None
    if not isinstance(avro, dict):
        return None
    kind = avro.get("type")
    if isinstance(kind, dict | list):
        return _translate(kind, records, depth + 1)
    if kind == "array":
        return {"items": _translate(avro.get("items"), records, depth + 1)}
    if kind == "record":
        return _record(avro, records, depth)
    # Values of Avro's own logical types are decoded by the Avro library.
    return {"name": avro["connect.name"]} if "connect.name" in avro and "logicalType" not in avro else None


def _record(avro: dict[str, Any], records: dict[str, Any], depth: int) -> dict[str, Any]:
    fields: list[dict[str, Any]] = []
    record: dict[str, Any] = {"fields": fields}
    name = str(avro.get("name"))
    records[name] = records[f"{avro.get('namespace', '')}.{name}"] = record
    for each in avro.get("fields", ()):
        translated = _translate(each.get("type"), records, depth + 1)
        if translated is not None:
            fields.append(translated | {"field": each.get("name")})
    return record


def _has_name(schema: Any, depth: int = 0) -> bool:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return False
    if "name" in schema:
        return True
    return any(_has_name(each, depth + 1) for each in (*schema.get("fields", ()), schema.get("items")))
