"""Generates events of the three input topics as dictionaries: some valid, most with a wrong field."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from schemas.events import Action, CategoryFeedback, Change, ProductCreated, UserBehavior
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, USER_BEHAVIOR
from tests.fuzz import values
from tests.fuzz.values import Draw

Fields = dict[str, Any]

CRAWLER = "crawler"
"""A shopper with one session that views everything."""

_START = datetime(2026, 1, 1, tzinfo=UTC)
_CATEGORIES = (1604, 187, 5, 632, 2169, 0, -1, 999_999_999)


def product_id(rng: Random) -> str:
    """Choose one of 20 hot products, or one of 4,000."""
    return f"p{rng.randrange(20) if rng.random() < 0.2 else rng.randrange(4_000)}"


def listing(rng: Random) -> Fields:
    """Generate a valid listing."""
    fields: Fields = {"product_id": product_id(rng), "title": values.title(rng)}
    for name, draw in _MORE_OF_LISTINGS.items():
        if rng.random() < 0.2:
            fields[name] = draw(rng)
    return fields


def behavior(rng: Random) -> Fields:
    """Generate valid behavior: of the crawler, of a hot shopper or of a guest, up to years out of order."""
    fields: Fields = {
        "product_id": product_id(rng),
        "action": rng.choice(list(Action)).value,
        "occurred_at": _moment(rng),
        "event_id": f"e{rng.randrange(200_000)}",
    }
    chance = rng.random()
    if chance < 0.06:
        at = (_START + timedelta(seconds=rng.randrange(86_400))).isoformat()
        return fields | {"user_id": CRAWLER, "session_id": "all", "action": "view", "occurred_at": at}
    if chance < 0.7:
        fields["user_id"] = f"u{int(rng.paretovariate(0.6)) % 3_000}"
    if chance > 0.5:
        fields["session_id"] = f"s{rng.randrange(3_000)}"
    if rng.random() < 0.2:
        fields["quantity"] = rng.randrange(1, 2**31)
    return fields


def feedback(rng: Random) -> Fields:
    """Generate valid feedback. Its category may not exist, and its product may not be listed."""
    fields: Fields = {"product_id": product_id(rng), "verdict": "accept", "by": values.title(rng)}
    if rng.random() < 0.7:
        fields |= {"verdict": "correct", "category_id": rng.choice(_CATEGORIES)}
    return fields


def _moment(rng: Random) -> str:
    at = _START - timedelta(seconds=rng.randrange(60 if rng.random() < 0.5 else 25 * 365 * 86_400))
    return at.isoformat()


def _attributes(rng: Random) -> Mapping[str, str]:
    names = ("color", "颜色", "size", "brand", "material", "gender", values.identifier(rng))
    return {rng.choice(names): values.title(rng) for _ in range(rng.randrange(6))}


def _price(rng: Random) -> Fields:
    return {
        "amount": rng.choice(values.NUMBERS),
        "currency": rng.choice(("USD", "usd", "", "€", "XXXX", None)),
    }


def _time(rng: Random) -> Any:
    return rng.choice(values.TIMES)


def _number(rng: Random) -> Any:
    return rng.choice(values.NUMBERS)


def _version(rng: Random) -> Any:
    return rng.choice((1, 1.0, True, 0, 2, "1", None, -1, 10**4_000, [], "x" * 1_000))


def _word(*words: str) -> Draw:
    return lambda rng: rng.choice((*words, *(word.upper() for word in words), values.title(rng), "", None))


_MORE_OF_LISTINGS: dict[str, Draw] = {
    "description": values.title,
    "brand": values.title,
    "attributes": _attributes,
    "language": values.identifier,
    "image_url": values.title,
    "occurred_at": lambda rng: _START.isoformat(),
    "change": lambda rng: rng.choice(list(Change)).value,
    "event_id": lambda rng: f"e{rng.randrange(1_000)}",
}
_HOSTILE: dict[str, Draw] = {
    "schema_version": _version,
    "product_id": values.identifier,
    "event_id": values.identifier,
    "user_id": values.identifier,
    "session_id": values.identifier,
    "occurred_at": _time,
    "title": values.title,
    "description": values.title,
    "brand": values.title,
    "price": _price,
    "quantity": _number,
    "category_id": _number,
    "attributes": _attributes,
    "action": _word(*Action),
    "change": _word(*Change),
    "verdict": _word("accept", "correct"),
}
_FIELDS = {
    PRODUCT_CREATED: ProductCreated.__struct_fields__,
    USER_BEHAVIOR: UserBehavior.__struct_fields__,
    CATEGORY_FEEDBACK: CategoryFeedback.__struct_fields__,
}
_VALID = {PRODUCT_CREATED: listing, USER_BEHAVIOR: behavior, CATEGORY_FEEDBACK: feedback}


def fields(topic: str) -> tuple[str, ...]:
    """List the names of a topic's fields."""
    return _FIELDS[topic]


def valid(topic: str, rng: Random) -> Fields:
    """Generate an event of a topic that is valid, apart from the workers' state."""
    return _VALID[topic](rng)


def corrupted(topic: str, event: Fields, rng: Random) -> Fields:
    """Copy an event with one to three fields that are missing, of another type, or hostile."""
    wrong = dict(event)
    for name in rng.sample(_FIELDS[topic], rng.randrange(1, 4)):
        chance = rng.random()
        if chance < 0.6:
            wrong[name] = _HOSTILE.get(name, values.title)(rng)
        elif chance < 0.75:
            wrong[name] = rng.choice(values.WRONG_TYPES)
        elif chance < 0.85:
            wrong.pop(name, None)
        elif chance < 0.995:
            wrong[name] = values.tree(rng)
        else:
            wrong[name] = values.long_text(rng)
    return wrong
