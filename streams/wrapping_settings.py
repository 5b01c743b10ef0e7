"""The settings of values as other systems write them to the input topics, and of the schema registry."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from streams.security_settings import SecuritySettings
from streams.setting_descriptions import doc, secret

Wrapping = Literal["plain", "confluent", "debezium", "confluent+debezium", "cloudevents"]

_VALUES = (
    "How the values of {topic} are wrapped. `confluent`: Avro, JSON or Protobuf with a schema registry."
    " `debezium`: change events, and Kafka Connect's JSON with a schema. `cloudevents`: structured mode."
)
_MAPPING = (
    "Mapping file for the values of {topic}, after they are unwrapped. If unset, they fit the contract."
)


class WrappingSettings(SecuritySettings, frozen=True, kw_only=True):
    """How values are wrapped, by input topic. `Settings` extends it."""

    product_values: Annotated[Wrapping, doc(_VALUES.format(topic="product-created"))] = "plain"
    behavior_values: Annotated[Wrapping, doc(_VALUES.format(topic="user-behavior"))] = "plain"
    feedback_values: Annotated[Wrapping, doc(_VALUES.format(topic="category-feedback"))] = "plain"
    product_mapping: Annotated[Path | None, doc(_MAPPING.format(topic="product-created"))] = None
    behavior_mapping: Annotated[Path | None, doc(_MAPPING.format(topic="user-behavior"))] = None
    schema_registry_url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://")] | None,
        doc("URL of the schema registry, for values that are `confluent`. Several are comma-separated."),
    ] = None
    schema_registry_username: Annotated[
        str | None, doc("User name at the schema registry, or the key of an API key.")
    ] = None
    schema_registry_password: Annotated[
        str | None, secret("Password at the schema registry, or the secret of an API key. Never shown.")
    ] = None
    schema_registry_password_file: Annotated[
        Path | None,
        doc("File with the password, instead of schema_registry_password. Read again when it is refused."),
    ] = None
    schema_registry_cafile: Annotated[
        Path | None,
        doc(
            "PEM file of the certificate authorities that are trusted for the schema registry. If unset, "
            "those of the package certifi."
        ),
    ] = None
    schema_registry_certfile: Annotated[
        Path | None, doc("PEM file of the client certificate for the schema registry.")
    ] = None
    schema_registry_keyfile: Annotated[
        Path | None, doc("PEM file of the private key of schema_registry_certfile.")
    ] = None


def wrapping_contradictions(settings: WrappingSettings) -> list[str]:
    """Return a message for each rule between these settings that is broken."""
    wrappings = (settings.product_values, settings.behavior_values, settings.feedback_values)
    password, file = settings.schema_registry_password, settings.schema_registry_password_file
    checks = (
        (
            settings.schema_registry_url is not None or not any("confluent" in each for each in wrappings),
            "values that are confluent need schema_registry_url, where their schemas are",
        ),
        (
            "@" not in (settings.schema_registry_url or ""),
            (
                "schema_registry_url is shown and must have no password: set schema_registry_username and"
                " schema_registry_password_file"
            ),
        ),
        (
            password is None or file is None,
            "schema_registry_password and schema_registry_password_file exclude each other: set one of them",
        ),
        (
            (settings.schema_registry_username is None) == (password is None and file is None),
            "schema_registry_username belongs with schema_registry_password or schema_registry_password_file",
        ),
        (
            (settings.schema_registry_certfile is None) == (settings.schema_registry_keyfile is None),
            "schema_registry_certfile and schema_registry_keyfile belong together: set both or neither",
        ),
    )
    return [problem for holds, problem in checks if not holds]
