"""The rules of user-behavior that types cannot express: whose action it is, on what, and the record's key.

- One of `user_id`, `anonymous_id` and `session_id` says who the shopper is.
- Every action but `search` and `identify` is on a product.
- `identify` says which user a guest is: it needs a `user_id`, and an `anonymous_id` or `session_id`.
- The key is one of these ids. State is on the partition of the first of them.
"""

from schemas.behavior import WITHOUT_PRODUCT, Action, UserBehavior
from schemas.diagnosis import advice
from schemas.errors import InvalidEvent
from schemas.rules import key_mismatch


def check_behavior(event: UserBehavior) -> None:
    """Check which ids an event has.

    Raises:
        InvalidEvent: `missing-shopper` or `invalid-field`.
    """
    if event.user_id is None and event.anonymous_id is None and event.session_id is None:
        raise InvalidEvent(
            "missing-shopper",
            "$.user_id: user_id, anonymous_id and session_id are all missing, and one of them is required; "
            f"{advice(UserBehavior)}",
            "$.user_id",
        )
    if event.product_id is None and event.action not in WITHOUT_PRODUCT:
        raise InvalidEvent(
            "invalid-field",
            "$.product_id: Object missing required field `product_id`, which only "
            f"{' and '.join(sorted(WITHOUT_PRODUCT))} may omit; {advice(UserBehavior)}",
            "$.product_id",
        )
    if event.action is Action.IDENTIFY and (
        event.user_id is None or (event.anonymous_id is None and event.session_id is None)
    ):
        raise InvalidEvent(
            "missing-shopper",
            "$.user_id: identify says which user a guest is, so it needs user_id, and anonymous_id or "
            f"session_id; {advice(UserBehavior)}",
            "$.user_id",
        )


def check_behavior_key(event: UserBehavior, key: bytes) -> None:
    """Check the key of a record. An id that is not the shopper's moves the record to its shopper's partition.

    Raises:
        InvalidEvent: `key-mismatch`: The key is none of the event's ids.
    """
    ids = (event.user_id, event.anonymous_id, event.session_id)
    if not any(each is not None and each.encode() == key for each in ids):
        raise key_mismatch(UserBehavior, next(name for name in _IDS if getattr(event, name) is not None))


_IDS = ("user_id", "anonymous_id", "session_id")
