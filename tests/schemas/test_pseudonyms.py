"""Pseudonyms: a documented hash, keys that rotate, and records in which no id is left."""

import hashlib
import hmac
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from schemas.pseudonymized_records import pseudonymized, without_ids
from schemas.pseudonyms import Pseudonyms
from tests.support.behavior import behavior

OLD = "k1:0123456789abcdef0123456789abcdef"
NEW = "k2:fedcba9876543210fedcba9876543210"


def test_the_pseudonym_is_the_documented_one() -> None:
    page = (Path(__file__).parents[2] / "docs/operations/shopper-privacy.md").read_text("utf-8")
    code = page.split("<!-- pseudonym -->\n```python\n")[1].split("```")[0]
    found: dict[str, str] = {}
    exec(code, found)
    assert Pseudonyms.parse(OLD).of("user-1") == found["key"]


@given(st.text(min_size=1))
def test_any_id_has_a_pseudonym_that_is_its_own(name: str) -> None:
    pseudonyms = Pseudonyms.parse(NEW)
    secret, text = NEW.partition(":")[2].encode(), name.encode("utf-8", "surrogatepass")
    expected = "p-k2-" + hmac.new(secret, text, hashlib.sha256).hexdigest()[:32]
    assert pseudonyms.of(name) == expected
    assert pseudonyms.of(expected) == expected
    assert pseudonyms.former(expected) == ()


def test_former_names_are_those_of_earlier_keys_and_the_id_itself() -> None:
    pseudonyms = Pseudonyms.parse(f"{NEW}\n{OLD}\nclear\n")
    old = Pseudonyms.parse(OLD).of("u")
    assert pseudonyms.names("u") == (Pseudonyms.parse(NEW).of("u"), old, "u")
    assert pseudonyms.of(old) == old, "a pseudonym of an earlier key has no other name"
    assert Pseudonyms.parse(NEW).of(old) != old, "its key is not known here"
    assert pseudonyms.key_ids() == ["k2", "k1", "clear"]


def test_all_ids_of_an_event_are_replaced() -> None:
    event = structs.replace(behavior("a", user_id="u", session_id="s"), anonymous_id="g")
    pseudonyms = Pseudonyms.parse(f"{NEW},{OLD}")
    changed = pseudonyms.event(event)
    assert (changed.user_id, changed.anonymous_id, changed.session_id) == tuple(map(pseudonyms.of, "ugs"))
    assert changed.product_id == "a"
    old = Pseudonyms.parse(OLD)
    assert pseudonyms.former_names(event) == {pseudonyms.of(each): (old.of(each),) for each in "ugs"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no key"),
        ("clear", "there is no key"),
        ("0123456789abcdef0123456789abcdef", "key 1 is not id:secret"),
        ("clear:0123456789abcdef0123456789abcdef", "key 1 is not id:secret"),
        (f"clear,{OLD}", "key 1 is not id:secret"),
        ("k1:s3cret", "the secret of key 1 has 6 characters"),
        (f"{OLD},{OLD}", "two keys have the same id"),
    ],
)
def test_a_wrong_key_is_named_without_its_secret(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as error:
        Pseudonyms.parse(text)
    assert "s3cret" not in str(error.value)
    assert "0123456789" not in str(error.value)


def of(name: str) -> str:
    return f"<{name}>"


def test_a_record_keeps_no_id_of_its_shopper() -> None:
    value = {
        "user_id": 17,
        "props": {"sessionId": "s-1", "ref": "u-key", "quantity": 17},
        "list": [{"anonymousId": ["g"]}, "g", "other"],
    }
    found = pseudonymized(b"u-key", msgspec.json.encode(value), of)
    assert found.key == b"<u-key>"
    assert msgspec.json.decode(found.value or b"") == {
        "user_id": "<17>",
        "props": {"sessionId": "<s-1>", "ref": "<u-key>", "quantity": 17},
        "list": [{"anonymousId": ["<g>"]}, "<g>", "other"],
    }
    assert (
        without_ids("u-key is not g, nor gg nor u-key-2", found.ids)
        == "<u-key> is not <g>, nor gg nor u-key-2"
    )


@pytest.mark.parametrize("value", [b'{"user_id": "u"', b"\x00\x00\x00\x00\x07u", b"\xff", b"[" * 100_000])
def test_a_value_that_cannot_be_searched_is_left_out(value: bytes) -> None:
    assert pseudonymized(None, value, of) == (None, None, {})
