"""What helps a dead letter: a redrive sends the same bytes, so it helps only where they are not at fault."""

from enum import StrEnum

from schemas.erasure import is_erasure
from streams.replay.dead_letter_records import DeadLetter


class Remedy(StrEnum):
    """The command that helps."""

    FIX = "fix"
    REDRIVE = "redrive"
    DISCARD = "discard"
    PRODUCE = "produce again"


_INVALID = frozenset(
    {
        "empty-value", "malformed-json", "too-deep", "invalid-field", "invalid-time", "missing-shopper",
        "missing-category", "key-mismatch", "invalid-key", "too-large", "unknown-category",
    }
)  # fmt: skip

_SENTENCES = {
    Remedy.FIX: "the record is invalid in itself and would come back from a redrive: change it"
    " with `shelfstream dead-letters fix`, or discard it",
    Remedy.REDRIVE: "the record itself may be right: remove the cause, then"
    " `shelfstream dead-letters redrive`",
    Remedy.DISCARD: "nothing can be made of the record: `shelfstream dead-letters discard`",
    Remedy.PRODUCE: "the record was too large to be kept here: produce it again in smaller records, then"
    " discard this",
}
_OTHERS = {
    "unknown-version": "upgrade shelfstream, then `shelfstream dead-letters redrive`; or change the record"
    " with `shelfstream dead-letters fix`",
    "nothing-to-accept": "redrive it once the product is published with a category; or discard it",
}


def remedy_of(letter: DeadLetter) -> Remedy:
    """Return which command helps a dead letter."""
    if letter.left_out is not None:
        return Remedy.PRODUCE
    if letter.reason in _INVALID:
        return Remedy.FIX
    # An older version does not know requests to erase a shopper.
    useless = letter.reason == "null-value" and not is_erasure(letter.record.value, letter.record.headers)
    return Remedy.DISCARD if useless else Remedy.REDRIVE


def advice_for(letter: DeadLetter) -> str:
    """Return what to do about a dead letter, as a sentence."""
    remedy = remedy_of(letter)
    if remedy is Remedy.REDRIVE and letter.reason in _OTHERS:
        return _OTHERS[letter.reason]
    return _SENTENCES[remedy]
