"""Pseudonyms of shoppers: an id is replaced by a keyed hash before anything keeps it.

A pseudonym is `p-KEY-HASH`: the id of the key, and the first 128 bits of HMAC-SHA256 of the id in UTF-8, as
32 hexadecimal digits. Users and guests have one namespace, as the keys of their rows do. A text that has this
form, with the id of a key that is known here, is a pseudonym already and stays as it is: so a dead letter
can be redriven, and a producer can write pseudonyms itself.
"""

import hmac
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Self

from msgspec import structs

from schemas.behavior import UserBehavior

CLEAR = "clear"
"""The word after the last key that stands for ids without a pseudonym: rows from before the first key."""

SHOPPER_FIELDS = ("user_id", "anonymous_id", "session_id")
"""The fields of user-behavior that name a shopper."""

_HASH_BYTES = 16
_SHORTEST_SECRET = 32
_CACHED_NAMES = 1 << 15
_KEY_ID = re.compile(r"[a-z0-9]{1,8}")
_PSEUDONYM = re.compile(r"p-([a-z0-9]{1,8})-[0-9a-f]{32}")


class PseudonymKey(NamedTuple):
    """A key of pseudonyms.

    Attributes:
        key_id: The key's id, a part of each pseudonym.
        secret: The secret, in bytes.
    """

    key_id: str
    secret: bytes

    def pseudonym(self, name: str) -> str:
        """Return the pseudonym of an id."""
        # A JSON text may hold a lone surrogate, which UTF-8 cannot encode.
        digest = hmac.digest(self.secret, name.encode("utf-8", "surrogatepass"), "sha256")
        return f"p-{self.key_id}-{digest[:_HASH_BYTES].hex()}"


class Pseudonyms:
    """Gives the pseudonyms of ids.

    Args:
        keys: The keys, the newest first. It makes the pseudonyms; the others find rows under earlier ones.
        from_clear: Whether there are rows from before the first key, under the ids themselves.
    """

    def __init__(self, keys: Sequence[PseudonymKey], from_clear: bool = False) -> None:
        self._current, *self._previous = keys
        self._from_clear = from_clear
        self._key_ids = {key.key_id for key in keys}
        self.of = lru_cache(maxsize=_CACHED_NAMES)(self._of)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read keys: `id:secret`, the newest first, separated by commas or line ends; `clear` may be last.

        Raises:
            ValueError: The text does not say keys. The message holds no secret.
        """
        parts = [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
        from_clear = parts[-1:] == [CLEAR]
        keys = [_parsed(part, place) for place, part in enumerate(parts[: -1 if from_clear else None], 1)]
        if not keys:
            raise ValueError("there is no key; write one as id:secret")
        if len({key.key_id for key in keys}) < len(keys):
            raise ValueError("two keys have the same id; give each key an id of its own")
        return cls(keys, from_clear)

    def key_ids(self) -> list[str]:
        """Return the ids of the keys, the newest first, and `clear` if it is there."""
        ids = [self._current.key_id, *(key.key_id for key in self._previous)]
        return [*ids, CLEAR] if self._from_clear else ids

    def _of(self, name: str) -> str:
        return name if self._is_pseudonym(name) else self._current.pseudonym(name)

    def former(self, name: str) -> tuple[str, ...]:
        """Return the names under which a shopper may have a row since before the newest key.

        Args:
            name: The shopper's id. A pseudonym has no former names that could be found.
        """
        if self._is_pseudonym(name):
            return ()
        names = tuple(key.pseudonym(name) for key in self._previous)
        return (*names, name) if self._from_clear else names

    def names(self, name: str) -> tuple[str, ...]:
        """Return all names that a shopper may have in state: the pseudonym, and former names."""
        return (self.of(name), *self.former(name))

    def event(self, event: UserBehavior) -> UserBehavior:
        """Return an event with pseudonyms."""
        of = self.of
        return structs.replace(
            event,
            user_id=None if event.user_id is None else of(event.user_id),
            anonymous_id=None if event.anonymous_id is None else of(event.anonymous_id),
            session_id=None if event.session_id is None else of(event.session_id),
        )

    def former_names(self, event: UserBehavior) -> dict[str, tuple[str, ...]]:
        """Return the former names of the ids of an event, by pseudonym. Ids without any are left out."""
        if not self._previous and not self._from_clear:
            return {}
        ids = (event.user_id, event.anonymous_id, event.session_id)
        found = {self.of(name): self.former(name) for name in ids if name is not None}
        return {name: former for name, former in found.items() if former}

    def derived_secret(self, purpose: str) -> bytes:
        """Return a secret for another purpose, made of the newest key."""
        return hmac.digest(self._current.secret, f"shelfstream {purpose}".encode(), "sha256")

    def _is_pseudonym(self, name: str) -> bool:
        match = _PSEUDONYM.fullmatch(name) if name.startswith("p-") else None
        return match is not None and match[1] in self._key_ids


def _parsed(part: str, place: int) -> PseudonymKey:
    key_id, colon, secret = part.partition(":")
    if not colon or _KEY_ID.fullmatch(key_id) is None or key_id == CLEAR:
        raise ValueError(
            f"key {place} is not id:secret, with an id of 1 to 8 characters of a-z and 0-9 other than"
            f" `{CLEAR}`"
        )
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(
            f"the secret of key {place} has {len(secret)} characters, and {_SHORTEST_SECRET} are the least;"
            " make one with `openssl rand -hex 32`"
        )
    return PseudonymKey(key_id, secret.encode())
