"""Whom a product is for: merges genders, and concludes the age group from them."""

from collections.abc import Sequence

from schemas.events import Attribute

_SEX = {"men": "male", "boys": "male", "women": "female", "girls": "female"}
_AGE_OF = {"men": "adult", "women": "adult", "boys": "kids", "girls": "kids"}


def merge_genders(genders: list[Attribute]) -> Attribute:
    """Merge genders: both sexes give `unisex`; otherwise the first one counts (`girls` before `women`)."""
    first = genders[0]
    sexes = {_SEX.get(gender.value) for gender in genders}
    if len(sexes) == 1:
        return first
    evidence = first.evidence
    return Attribute(name="gender", value="unisex", confidence=first.confidence, evidence=evidence)


def implied_ages(genders: Sequence[Attribute]) -> list[Attribute]:
    """Return the age group that the words for genders imply; none if they imply several."""
    ages = {_AGE_OF.get(gender.value) for gender in genders}
    age = ages.pop()
    if ages or age is None:
        return []
    first = genders[0]
    return [Attribute(name="age_group", value=age, confidence=first.confidence, evidence=first.evidence)]
