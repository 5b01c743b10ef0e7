"""Deployments: the changes from one to the next, and a canary's share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.registry.deployment import Deployment, decode_deployment, encode_deployment, on_canary
from schemas.errors import StopWorker
from schemas.keys import partition_for

PRODUCTS = [b"product-%d" % number for number in range(20_000)]


def test_promotion_keeps_the_previous_version() -> None:
    first = Deployment().promoted("a")
    assert first == Deployment(serving="a")
    assert first.promoted("b") == Deployment(serving="b", previous="a")


def test_promoting_the_serving_version_changes_nothing() -> None:
    """A command that is given twice must not lose the previous version."""
    once = Deployment(serving="b", previous="a", canary="c", canary_share=0.1)
    assert once.promoted("b") == once


def test_promoting_the_candidate_ends_its_trial_only() -> None:
    tried = Deployment(serving="a", shadow="b", canary="b", canary_share=0.5)
    assert tried.promoted("b") == Deployment(serving="b", previous="a")
    other = Deployment(serving="c", previous="a", shadow="b", canary="b", canary_share=0.5)
    assert tried.promoted("c") == other


def test_a_rollback_ends_trials_and_a_second_one_undoes_it() -> None:
    tried = Deployment(serving="b", previous="a", canary="c", canary_share=0.1)
    assert tried.rolled_back() == Deployment(serving="a", previous="b")
    assert tried.rolled_back().rolled_back() == Deployment(serving="b", previous="a")


def test_a_rollback_of_the_first_promotion_serves_the_worker_s_own_model() -> None:
    back = Deployment().promoted("a").rolled_back()
    assert back == Deployment(serving=None, previous="a")
    assert back.rolled_back() == Deployment(serving="a")


def test_a_rollback_of_nothing_is_refused() -> None:
    with pytest.raises(StopWorker, match="Nothing was promoted yet"):
        Deployment(canary="a", canary_share=0.1).rolled_back()


def test_shadow_and_canary_are_the_same_candidate() -> None:
    both = Deployment(serving="a").with_shadow("b").with_canary("b", 0.25)
    assert both == Deployment(serving="a", shadow="b", canary="b", canary_share=0.25)
    assert both.with_shadow(None).candidate == "b"
    assert both.with_canary(None, 0.0) == Deployment(serving="a", shadow="b")
    with pytest.raises(StopWorker, match="b is on trial as canary"):
        both.with_shadow(None).with_shadow("c")
    with pytest.raises(StopWorker, match="b is on trial as shadow"):
        Deployment(shadow="b").with_canary("c", 0.5)


def test_the_serving_version_cannot_be_a_candidate() -> None:
    with pytest.raises(StopWorker, match="serves already"):
        Deployment(serving="a").with_shadow("a")
    with pytest.raises(StopWorker, match="serves already"):
        Deployment(serving="a").with_canary("a", 0.5)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_canary_needs_a_share(share: float) -> None:
    with pytest.raises(StopWorker, match="above 0 and at most 1"):
        Deployment().with_canary("a", share)


names = st.none() | st.sampled_from("abcd")


@given(names, names, st.sampled_from(["", "shadow", "canary", "both"]), st.floats(1e-6, 1.0))
def test_a_deployment_can_be_encoded_and_decoded(
    serving: str | None, previous: str | None, trial: str, share: float
) -> None:
    deployment = Deployment(serving=serving, previous=previous)
    if trial in ("shadow", "both"):
        deployment = deployment.with_shadow("candidate")
    if trial in ("canary", "both"):
        deployment = deployment.with_canary("candidate", share)
    assert decode_deployment(encode_deployment(deployment)) == deployment


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"serving": "a"',
        b'{"serving": 1, "previous": null, "shadow": null, "canary": null}',
        b'{"serving": "a", "previous": null, "shadow": "a", "canary": null}',
        b'{"serving": "a", "previous": null, "shadow": "b", "canary": {"version": "c", "share": 0.5}}',
        b'{"serving": "a", "previous": null, "shadow": null, "canary": {"version": "b", "share": 7}}',
    ],
)
def test_an_invalid_deployment_file_is_refused(raw: bytes) -> None:
    with pytest.raises(StopWorker):
        decode_deployment(raw)


@given(st.binary(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_product_in_a_small_share_is_in_a_larger_one(key: bytes, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert not on_canary(key, 0.0)
    assert on_canary(key, 1.0)
    assert on_canary(key, large) >= on_canary(key, small)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_share_is_the_same_in_each_partition(share: float) -> None:
    """The margin is five standard deviations; these products always give the same counts."""
    by_partition: dict[int, list[bool]] = {}
    for key in PRODUCTS:
        chosen = by_partition.setdefault(partition_for(key, 4), [])
        chosen.append(on_canary(key, share))
    assert len(by_partition) == 4
    for chosen in by_partition.values():
        spread = (share * (1 - share) / len(chosen)) ** 0.5
        assert sum(chosen) / len(chosen) == pytest.approx(share, abs=5 * spread)
