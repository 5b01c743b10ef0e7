"""Settings of wrapped values that contradict each other are refused before a worker starts."""

import pytest

from schemas.errors import StopWorker
from streams.settings_sources import load_settings

URL = {"SHELFSTREAM_SCHEMA_REGISTRY_URL": "https://registry:8081"}
USER = {"SHELFSTREAM_SCHEMA_REGISTRY_USERNAME": "shop"}
PASSWORD = {"SHELFSTREAM_SCHEMA_REGISTRY_PASSWORD": "secret"}


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"SHELFSTREAM_PRODUCT_VALUES": "confluent"}, "need schema_registry_url"),
        ({"SHELFSTREAM_FEEDBACK_VALUES": "confluent+debezium"}, "need schema_registry_url"),
        ({"SHELFSTREAM_PRODUCT_VALUES": "avro"}, "Invalid enum value 'avro'"),
        ({"SHELFSTREAM_SCHEMA_REGISTRY_URL": "registry:8081"}, "https"),
        ({"SHELFSTREAM_SCHEMA_REGISTRY_URL": "https://shop:secret@registry"}, "must have no password"),
        (USER | URL, "belongs with schema_registry_password"),
        (PASSWORD | URL, "belongs with schema_registry_password"),
        (USER | PASSWORD | {"SHELFSTREAM_SCHEMA_REGISTRY_PASSWORD_FILE": "/p"}, "exclude each other"),
        ({"SHELFSTREAM_SCHEMA_REGISTRY_KEYFILE": "/key"}, "belong together"),
    ],
)
def test_contradictions_are_refused(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(StopWorker, match=sentence):
        load_settings(environ=environ)


def test_settings_that_fit_are_taken_and_the_password_is_never_shown() -> None:
    values = {"SHELFSTREAM_PRODUCT_VALUES": "confluent", "SHELFSTREAM_BEHAVIOR_VALUES": "debezium"}
    settings = load_settings(environ=values | URL | USER | PASSWORD).settings
    assert (settings.product_values, settings.feedback_values) == ("confluent", "plain")
    assert "secret" not in repr(settings)
