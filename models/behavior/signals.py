"""Signals: what shoppers' behavior says of a product beside others, as tags with hysteresis.

A product is `trending` if its share of all sessions rises, a `bestseller` if few products of its category
are bought more, and `often-bought-with:ID` if many of those who buy it buy that one too. A tag is given above
a bound, and taken away below a lower one, after a minimum time: what is near a bound does not flap. Times are
event times in seconds since 1970, and are passed in.
"""

from collections.abc import Iterable, Mapping
from math import log2
from typing import NamedTuple, Self

import msgspec

from schemas.errors import StopWorker

TRENDING, BESTSELLER, BOUGHT_WITH = "trending", "bestseller", "often-bought-with:"
"""Tags, and what the other product's id follows."""

COUNTS_VERSION = 1
_DAY = 86_400.0


class SignalParameters(NamedTuple):
    """The bounds of the tags.

    Attributes:
        fast_days: The half-life of a product's recent sessions, in days.
        slow_days: The half-life of its sessions over a longer time, and of its purchases, in days.
        trend: How many times the recent share of sessions is the longer one: to get, and to keep the tag.
        recent: The decayed number of recent sessions to get, and to keep the tag.
        rank: The share of the category's sold products that may be bought more: to get, and to keep the tag.
        bought: The decayed number of sessions with a purchase to get, and to keep the tag.
        together: The share of the purchases that another product is in: to get, and to keep the tag.
        both: The decayed number of sessions that bought both: to get, and to keep the tag.
        stay_days: The minimum number of days that a tag stays.
    """

    fast_days: float = 14.0
    slow_days: float = 75.0
    trend: tuple[float, float] = (2.0, 1.5)
    recent: tuple[float, float] = (10.0, 5.0)
    rank: tuple[float, float] = (0.05, 0.1)
    bought: tuple[float, float] = (10.0, 5.0)
    together: tuple[float, float] = (0.25, 0.15)
    both: tuple[float, float] = (10.0, 5.0)
    stay_days: float = 1.0


class Partner(NamedTuple):
    """A product that was bought with another one.

    Attributes:
        sessions: The decayed, damped number of sessions that bought both.
        share: The same, divided by the decayed number of sessions that bought the other one.
    """

    sessions: float
    share: float

    def reaches(self, parameters: SignalParameters) -> tuple[bool, bool]:
        """Return whether the bound to get a tag is reached, and the one to keep it."""
        return _both(
            self.sessions >= bound and self.share >= share
            for bound, share in zip(parameters.both, parameters.together, strict=True)
        )


class SignalCounts(msgspec.Struct, frozen=True, array_like=True):
    """The decayed numbers of sessions of a product, or of all products of a lane, and the product's tags.

    Attributes:
        time: The time of the latest session, to which the numbers are decayed.
        fast: Sessions by the short half-life.
        slow: Sessions by the long half-life.
        bought: Sessions with a purchase, by the long half-life.
        tags: Since when the product has each of its tags.
    """

    time: float = 0.0
    fast: float = 0.0
    slow: float = 0.0
    bought: float = 0.0
    tags: dict[str, float] = {}

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode a row.

        Raises:
            StopWorker: The row is of another version, or damaged.
        """
        if data[:1] != bytes((COUNTS_VERSION,)):
            raise StopWorker(
                f"a row of signals has version byte {data[:1]!r}, but this release reads version "
                f"{COUNTS_VERSION}; run the release that wrote it"
            )
        try:
            return msgspec.msgpack.decode(memoryview(data)[1:], type=cls)
        except msgspec.MsgspecError as error:
            raise StopWorker(f"a row of signals is damaged: {error}") from error

    def to_bytes(self) -> bytes:
        """Return the row as a version byte and MessagePack."""
        return bytes((COUNTS_VERSION,)) + msgspec.msgpack.encode(self)

    def plus(self, other: "SignalCounts", parameters: SignalParameters) -> Self:
        """Add the numbers of others, which may be of an earlier time. No number falls below 0."""
        now = max(self.time, other.time)
        one, two = self.decayed_to(now, parameters), other.decayed_to(now, parameters)
        return msgspec.structs.replace(
            one,
            fast=max(0.0, one.fast + two.fast),
            slow=max(0.0, one.slow + two.slow),
            bought=max(0.0, one.bought + two.bought),
        )

    def logarithm(self, parameters: SignalParameters) -> float | None:
        """Return a number that orders products by their purchases, whatever their times; None without any."""
        if self.bought <= 0:
            return None
        return log2(self.bought) + self.time / (parameters.slow_days * _DAY)

    def decayed_to(self, now: float, parameters: SignalParameters) -> Self:
        """Return the numbers as of `now`; as they are if `time` is later."""
        now = max(now, self.time)
        fast, slow = (
            _decay(now - self.time, parameters.fast_days),
            _decay(now - self.time, parameters.slow_days),
        )
        return msgspec.structs.replace(
            self, time=now, fast=self.fast * fast, slow=self.slow * slow, bought=self.bought * slow
        )

    def tagged(
        self,
        now: float,
        everything: "SignalCounts",
        rank: float | None,
        parameters: SignalParameters,
        partners: Mapping[str, Partner] | None = None,
    ) -> Self:
        """Give and take away tags.

        Args:
            now: The present time.
            everything: The numbers of all products.
            rank: The share of the category's sold products that are bought more; None if it is not known.
            parameters: The bounds.
            partners: The products that were most often bought with it, by id; None if they are not known.

        Returns:
            The row with its tags; the same object if they stay.
        """
        deserved = {TRENDING: self._rises(now, everything, parameters)}
        if rank is not None:
            bought = self.decayed_to(now, parameters).bought
            deserved[BESTSELLER] = _both(
                bought >= bound and rank < most
                for bound, most in zip(parameters.bought, parameters.rank, strict=True)
            )
        if partners is not None:
            nobody = Partner(0.0, 0.0)
            names = [
                *partners,
                *(each.removeprefix(BOUGHT_WITH) for each in self.tags if each.startswith(BOUGHT_WITH)),
            ]
            for name in dict.fromkeys(names):
                deserved[BOUGHT_WITH + name] = partners.get(name, nobody).reaches(parameters)
        tags = dict(self.tags)
        for tag, (gets, keeps) in deserved.items():
            since = tags.get(tag)
            if since is None:
                if gets:
                    tags[tag] = now
            elif not keeps and now - since >= parameters.stay_days * _DAY:
                del tags[tag]
        return self if tags == self.tags else msgspec.structs.replace(self, tags=tags)

    def _rises(
        self, now: float, everything: "SignalCounts", parameters: SignalParameters
    ) -> tuple[bool, bool]:
        here, all_here = self.decayed_to(now, parameters), everything.decayed_to(now, parameters)
        return _both(
            here.fast >= bound and here.fast * all_here.slow >= times * here.slow * all_here.fast
            for bound, times in zip(parameters.recent, parameters.trend, strict=True)
        )


def _both(reached: Iterable[bool]) -> tuple[bool, bool]:
    """Return whether the bound to get a tag is reached, and the one to keep it."""
    gets, keeps = reached
    return gets, keeps


def _decay(seconds: float, half_life_days: float) -> float:
    """Return the factor after some time; 1 before it."""
    return float(2.0 ** -(max(0.0, seconds) / (half_life_days * _DAY)))
