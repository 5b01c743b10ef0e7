"""Events of the three input topics as dictionaries: some right, most with a field that somebody got wrong."""

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
"""One shopper with one session, who looks at everything."""

_START = datetime(2026, 1, 1, tzinfo=UTC)
_CATEGORIES = (1604, 187, 5, 632, 2169, 0, -1, 999_999_999)


def product_id(dice: Random) -> str:
    """Of a few hot products, or of some thousands."""
    return f"p{dice.randrange(20) if dice.random() < 0.2 else dice.randrange(4_000)}"


def listing(dice: Random) -> Fields:
    """A listing that is right."""
    fields: Fields = {"product_id": product_id(dice), "title": values.title(dice)}
    for name, draw in _MORE_OF_LISTINGS.items():
        if dice.random() < 0.2:
            fields[name] = draw(dice)
    return fields


def behavior(dice: Random) -> Fields:
    """Behaviour that is right: of the crawler, of hot shoppers, of passers-by; years out of order."""
    fields: Fields = {
        "product_id": product_id(dice),
        "action": dice.choice(list(Action)).value,
        "occurred_at": _moment(dice),
        "event_id": f"e{dice.randrange(200_000)}",
    }
    luck = dice.random()
    if luck < 0.06:
        at = (_START + timedelta(seconds=dice.randrange(86_400))).isoformat()
        return fields | {"user_id": CRAWLER, "session_id": "all", "action": "view", "occurred_at": at}
    if luck < 0.7:
        fields["user_id"] = f"u{int(dice.paretovariate(0.6)) % 3_000}"
    if luck > 0.5:
        fields["session_id"] = f"s{dice.randrange(3_000)}"
    if dice.random() < 0.2:
        fields["quantity"] = dice.randrange(1, 2**31)
    return fields


def feedback(dice: Random) -> Fields:
    """A person's word that is right, but for categories that may not exist and products not yet listed."""
    fields: Fields = {"product_id": product_id(dice), "verdict": "accept", "by": values.title(dice)}
    if dice.random() < 0.7:
        fields |= {"verdict": "correct", "category_id": dice.choice(_CATEGORIES)}
    return fields


def _moment(dice: Random) -> str:
    at = _START - timedelta(seconds=dice.randrange(60 if dice.random() < 0.5 else 25 * 365 * 86_400))
    return at.isoformat()


def _attributes(dice: Random) -> Mapping[str, str]:
    names = ("color", "颜色", "size", "brand", "material", "gender", values.identifier(dice))
    return {dice.choice(names): values.title(dice) for _ in range(dice.randrange(6))}


def _price(dice: Random) -> Fields:
    return {
        "amount": dice.choice(values.NUMBERS),
        "currency": dice.choice(("USD", "usd", "", "€", "XXXX", None)),
    }


def _time(dice: Random) -> Any:
    return dice.choice(values.TIMES)


def _number(dice: Random) -> Any:
    return dice.choice(values.NUMBERS)


def _version(dice: Random) -> Any:
    return dice.choice((1, 1.0, True, 0, 2, "1", None, -1, 10**4_000, [], "x" * 1_000))


def _word(*words: str) -> Draw:
    return lambda dice: dice.choice((*words, *(word.upper() for word in words), values.title(dice), "", None))


_MORE_OF_LISTINGS: dict[str, Draw] = {
    "description": values.title,
    "brand": values.title,
    "attributes": _attributes,
    "language": values.identifier,
    "image_url": values.title,
    "occurred_at": lambda dice: _START.isoformat(),
    "change": lambda dice: dice.choice(list(Change)).value,
    "event_id": lambda dice: f"e{dice.randrange(1_000)}",
}
_NASTY: dict[str, Draw] = {
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
_RIGHT = {PRODUCT_CREATED: listing, USER_BEHAVIOR: behavior, CATEGORY_FEEDBACK: feedback}


def fields(topic: str) -> tuple[str, ...]:
    """The names of a topic's fields."""
    return _FIELDS[topic]


def right(topic: str, dice: Random) -> Fields:
    """An event of `topic` that is right, as far as it can tell without the state."""
    return _RIGHT[topic](dice)


def wronged(topic: str, event: Fields, dice: Random) -> Fields:
    """`event` with one to three of the topic's fields nasty, of another type, or gone."""
    wrong = dict(event)
    for name in dice.sample(_FIELDS[topic], dice.randrange(1, 4)):
        luck = dice.random()
        if luck < 0.6:
            wrong[name] = _NASTY.get(name, values.title)(dice)
        elif luck < 0.75:
            wrong[name] = dice.choice(values.WRONG_TYPES)
        elif luck < 0.85:
            wrong.pop(name, None)
        elif luck < 0.995:
            wrong[name] = values.tree(dice)
        else:
            wrong[name] = values.long_text(dice)
    return wrong
