"""Services: titles that name no goods, such as gift cards, warranties and shipping fees."""

import re
from functools import lru_cache

from models.text.promotions import promotion_phrases

# What may stand behind the name of a service: an amount or a duration, and what it is for.
_AMOUNT = (
    r"(?:[\s$\u00a3\u20ac\u00a5.,:/+*x()\-\u2013]|[0-9]+"
    r"|(?:eur|euro|usd|gbp|cad|inr|rs|years?|months?|yr)(?![a-z])|\u5143|\u5e74)*"
)
_FOR = r"(?:\s(?:for|fur|f\u00fcr|pour|para|per|worth|over|\u00fcber|of)\s.*)?"
_WITH = (
    r"(?<![a-z])(?:with|incl|including|includes|plus|and|mit|inkl|avec|con)(?![a-z])|[+&\u542b\u8d60\u9001]"
)
"""What stands between goods and a service that comes with them."""


def service_in(text: str) -> str | None:
    """The service that a cleaned title sells; None if it sells goods.

    A title sells a service if it ends with the service's name, or with the name and what the service is for.
    Goods with a service (`laptop with extended warranty`) and for one (`gift card holder`) are goods.
    """
    words, phrases, pattern = _lexicon()
    if not (any(map(text.__contains__, phrases)) if not text.isascii() else words & {*text.split()}):
        return None
    found = pattern.fullmatch(text)
    return found["service"] if found else None


@lru_cache(1)
def _lexicon() -> tuple[frozenset[str], tuple[str, ...], re.Pattern[str]]:
    """The last words of services, all of them, and the pattern of titles that sell one."""
    phrases = sorted(promotion_phrases()["service"], key=lambda phrase: (-len(phrase), phrase))
    services = "|".join(
        rf"(?<![a-z0-9]){re.escape(each)}(?![a-z0-9])" if each[0] < "\u3000" else re.escape(each)
        for each in phrases
    )
    pattern = re.compile(rf"(?:(?!{_WITH}).)*?(?P<service>{services}){_AMOUNT}{_FOR}", re.DOTALL)
    return frozenset(each.split()[-1] for each in phrases), tuple(phrases), pattern
