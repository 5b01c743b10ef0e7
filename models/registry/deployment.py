"""Which of a registry's models judge what: one small value, and the moves from one to the next."""

from hashlib import blake2b
from typing import Annotated

import msgspec

from schemas.errors import StopWorker


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What the workers of a registry run. At most two models at once: what serves, and one candidate.

    Attributes:
        serving: The version that judges and publishes; None: the model that workers have without a registry.
        previous: What served before, in the same words: what a rollback goes back to.
        shadow: The version that judges the same listings and publishes nothing; None: none does.
        canary: The version that judges and publishes instead for a share of the products; None: none does.
        canary_share: That share, above 0 and at most 1; 0.0 without a canary.
    """

    serving: str | None = None
    previous: str | None = None
    shadow: str | None = None
    canary: str | None = None
    canary_share: float = 0.0

    @property
    def candidate(self) -> str | None:
        """The version that is tried: as a shadow, a canary or both."""
        return self.shadow if self.canary is None else self.canary

    def promoted(self, version: str) -> "Deployment":
        """`version` serves; if it was the candidate, it is none any more."""
        if version == self.serving:
            return self
        tried = self._without_candidate() if self.candidate == version else self
        return msgspec.structs.replace(tried, serving=version, previous=self.serving)

    def rolled_back(self) -> "Deployment":
        """What served before serves again, alone: who goes back wants nothing new on trial.

        Raises:
            StopWorker: Nothing served before.
        """
        if self.serving == self.previous:
            raise StopWorker(
                "Nothing was promoted yet, so there is nothing to go back to. If a candidate does harm, "
                "end it: `shelfstream models canary --off`."
            )
        return Deployment(serving=self.previous, previous=self.serving)

    def with_shadow(self, version: str | None) -> "Deployment":
        """`version` judges in the shadow; None: none does any more.

        Raises:
            StopWorker: It serves, or another candidate is on trial.
        """
        self._refuse(version, self.canary, "canary")
        return msgspec.structs.replace(self, shadow=version)

    def with_canary(self, version: str | None, share: float) -> "Deployment":
        """`version` publishes for a share of the products, above 0 and at most 1; None: none does any more.

        Raises:
            StopWorker: It serves, another candidate is on trial, or the share is none.
        """
        self._refuse(version, self.shadow, "shadow")
        if version is not None and not 0.0 < share <= 1.0:
            raise StopWorker(f"A canary's share must be above 0 and at most 1, not {share}.")
        return msgspec.structs.replace(
            self, canary=version, canary_share=0.0 if version is None else float(share)
        )

    def _without_candidate(self) -> "Deployment":
        return msgspec.structs.replace(self, shadow=None, canary=None, canary_share=0.0)

    def _refuse(self, version: str | None, other: str | None, role: str) -> None:
        if version is None:
            return
        if version == self.serving:
            raise StopWorker(f"{version} serves already, so it cannot be tried beside itself.")
        if other not in (None, version):
            raise StopWorker(
                f"{other} is on trial as {role}, and one candidate at a time is: promote it, or end it with "
                f"`shelfstream models {role} --off`."
            )


class _Canary(msgspec.Struct, frozen=True):
    version: str
    share: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]


class _Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """The form of a deployment in its file."""

    serving: str | None
    previous: str | None
    shadow: str | None
    canary: _Canary | None


def encode_deployment(deployment: Deployment) -> bytes:
    """A deployment as JSON for people and programs, a line each field."""
    canary = None if deployment.canary is None else _Canary(deployment.canary, deployment.canary_share)
    pointer = _Pointer(
        serving=deployment.serving, previous=deployment.previous, shadow=deployment.shadow, canary=canary
    )
    return msgspec.json.format(msgspec.json.encode(pointer), indent=1) + b"\n"


def decode_deployment(raw: bytes) -> Deployment:
    """What `encode_deployment` wrote.

    Raises:
        StopWorker: It is something else, or says what no registry would.
    """
    try:
        pointer = msgspec.json.decode(raw, type=_Pointer)
    except msgspec.DecodeError as error:
        raise StopWorker(f"It is not a deployment: {error}.") from error
    base = Deployment(serving=pointer.serving, previous=pointer.previous).with_shadow(pointer.shadow)
    if pointer.canary is None:
        return base
    return base.with_canary(pointer.canary.version, pointer.canary.share)


def on_canary(key: bytes, share: float) -> bool:
    """Whether the product of this key is among the canary's share.

    Always the same answer for the same product; whoever is in stays in when the share grows. The hash has
    nothing to do with the one that chooses partitions, so that a canary is spread evenly over them.
    """
    digest = blake2b(key, digest_size=8, person=b"canary").digest()
    return int.from_bytes(digest, "big") < share * 2.0**64
