"""Which models of a registry are in use: the deployment, and the changes of it."""

from hashlib import blake2b
from typing import Annotated

import msgspec

from schemas.errors import StopWorker


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """The models that the workers of a registry run: the serving model and at most one candidate.

    Attributes:
        serving: The version that publishes; None is the model that workers have without a registry.
        previous: The version that served before and to which a rollback returns; None as for `serving`.
        shadow: The version that predicts the same listings and publishes nothing; None if there is none.
        canary: The version that publishes for a share of the products; None if there is none.
        canary_share: The canary's share of the products, above 0 and at most 1; 0.0 without a canary.
        digests: The SHA-256 of the manifest of each version named here, as hexadecimal digits. A manifest has
            the digests of the model's other files. Deployments of older versions have none.
    """

    serving: str | None = None
    previous: str | None = None
    shadow: str | None = None
    canary: str | None = None
    canary_share: float = 0.0
    digests: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def versions(self) -> frozenset[str]:
        """The versions named here."""
        named = (self.serving, self.previous, self.shadow, self.canary)
        return frozenset(version for version in named if version is not None)

    @property
    def candidate(self) -> str | None:
        """The version on trial, as a shadow, a canary or both; None if there is none."""
        return self.shadow if self.canary is None else self.canary

    def promoted(self, version: str) -> "Deployment":
        """The deployment in which `version` serves and is no candidate."""
        if version == self.serving:
            return self
        base = self._without_candidate() if self.candidate == version else self
        return msgspec.structs.replace(base, serving=version, previous=self.serving)

    def rolled_back(self) -> "Deployment":
        """The deployment in which the previous version serves, without a candidate.

        Raises:
            StopWorker: No version served before.
        """
        if self.serving == self.previous:
            raise StopWorker(
                "Nothing was promoted yet, so there is no version to roll back to. To end the trial of a "
                "candidate, use `shelfstream models canary --off`."
            )
        return Deployment(serving=self.previous, previous=self.serving, digests=self.digests)

    def with_shadow(self, version: str | None) -> "Deployment":
        """The deployment with `version` as its shadow; None for no shadow.

        Raises:
            StopWorker: The version serves, or another candidate is on trial.
        """
        self._refuse(version, self.canary, "canary")
        return msgspec.structs.replace(self, shadow=version)

    def with_canary(self, version: str | None, share: float) -> "Deployment":
        """The deployment with `version` as its canary.

        Args:
            version: The version; None for no canary.
            share: The share of the products, above 0 and at most 1.

        Raises:
            StopWorker: The version serves, another candidate is on trial, or the share is out of range.
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
            raise StopWorker(f"{version} serves already, so it cannot be a candidate.")
        if other not in (None, version):
            raise StopWorker(
                f"{other} is on trial as {role}. Only one candidate at a time is allowed: promote it, or end "
                f"its trial with `shelfstream models {role} --off`."
            )


class _Canary(msgspec.Struct, frozen=True):
    version: str
    share: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]


class _Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """The file format of a deployment."""

    serving: str | None
    previous: str | None
    shadow: str | None
    canary: _Canary | None
    digests: dict[str, str] = {}


def encode_deployment(deployment: Deployment) -> bytes:
    """Encode a deployment as indented JSON."""
    canary = None if deployment.canary is None else _Canary(deployment.canary, deployment.canary_share)
    pointer = _Pointer(
        serving=deployment.serving,
        previous=deployment.previous,
        shadow=deployment.shadow,
        canary=canary,
        digests=deployment.digests,
    )
    return msgspec.json.format(msgspec.json.encode(pointer), indent=1) + b"\n"


def decode_deployment(raw: bytes) -> Deployment:
    """Decode the result of `encode_deployment`.

    Raises:
        StopWorker: The bytes are not a deployment, or it is not a valid one.
    """
    try:
        pointer = msgspec.json.decode(raw, type=_Pointer)
    except msgspec.DecodeError as error:
        raise StopWorker(f"The file is not a deployment: {error}.") from error
    base = Deployment(serving=pointer.serving, previous=pointer.previous, digests=pointer.digests)
    base = base.with_shadow(pointer.shadow)
    if pointer.canary is None:
        return base
    return base.with_canary(pointer.canary.version, pointer.canary.share)


def on_canary(key: bytes, share: float) -> bool:
    """Whether the product of a key belongs to the canary's share.

    The result is the same each time, and a product that belongs to a share belongs to each greater one. The
    hash is independent of Kafka's partitioner, so that a canary's products are spread over all partitions.

    Args:
        key: The record's key.
        share: The canary's share of the products, from 0 to 1.
    """
    digest = blake2b(key, digest_size=8, person=b"canary").digest()
    return int.from_bytes(digest, "big") < share * 2.0**64
