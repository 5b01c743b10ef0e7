"""The rules of user-behavior that types cannot express: whose action it is, on what, and the record's key.

- One of `user_id`, `anonymous_id` and `session_id` says who the shopper is.
- Every action but `search` and `identify` is on a product.
- `identify` says which user a guest is: it needs a `user_id`, and an `anonymous_id` or `session_id`.
- The key is one of these ids. State is on the partition of the first of them.
"""

from typing import Any, NamedTuple

from schemas.behavior import WITHOUT_PRODUCT, Action, UserBehavior
from schemas.rules import key_mismatch

_IDS = ("user_id", "anonymous_id", "session_id")


class BrokenRule(NamedTuple):
    """A rule that an event's ids break.

    Attributes:
        reason: The reason code of the rejection.
        path: The JSON path of the field.
        problem: What is wrong.
    """

    reason: str
    path: str
    problem: str


def broken_rules(action: Any, product: str | None, ids: dict[str, str | None]) -> list[BrokenRule]:
    """Return the rules that an event's ids break.

    Args:
        action: The event's action; None if it is not known.
        product: The event's product.
        ids: The event's `user_id`, `anonymous_id` and `session_id`.
    """
    broken = []
    user, guest = ids["user_id"], ids["anonymous_id"] or ids["session_id"]
    if not user and not guest:
        text = "user_id, anonymous_id and session_id are all missing, and one of them is required"
        broken.append(BrokenRule("missing-shopper", "$.user_id", text))
    elif action is Action.IDENTIFY and not (user and guest):
        text = "identify says which user a guest is, so it needs user_id, and anonymous_id or session_id"
        broken.append(BrokenRule("missing-shopper", "$.user_id", text))
    if product is None and action not in WITHOUT_PRODUCT:
        may_omit = " and ".join(sorted(WITHOUT_PRODUCT))
        text = f"Object missing required field `product_id`, which only {may_omit} may omit"
        broken.append(BrokenRule("invalid-field", "$.product_id", text))
    return broken


def keeps_rules(event: UserBehavior) -> bool:
    """Whether an event's ids break no rule."""
    return not broken_rules(event.action, event.product_id, {name: getattr(event, name) for name in _IDS})


def check_behavior_key(event: UserBehavior, key: bytes) -> None:
    """Check the key of a record. An id that is not the shopper's moves the record to its shopper's partition.

    Raises:
        InvalidEvent: `key-mismatch`: The key is none of the event's ids.
    """
    ids = (event.user_id, event.anonymous_id, event.session_id)
    if not any(each is not None and each.encode() == key for each in ids):
        field = next(name for name in _IDS if getattr(event, name) is not None)
        raise key_mismatch(UserBehavior, field, key)
