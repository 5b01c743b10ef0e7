"""Workers and commands on a Kafka with TLS, passwords, client certificates and access control lists."""

import shlex
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from click.testing import CliRunner, Result
from msgspec.structs import replace

from schemas.codec import encode
from schemas.keys import shopper_id
from streams.acls import Acl, Operation, Pattern, Resource, least_acls
from streams.cli import main
from streams.clients import aiokafka_options
from streams.connection_check import verify_connection
from streams.connection_errors import NotAdmitted
from streams.demo.sample_shop import iter_baskets, iter_products
from streams.permission_check import verify_permissions
from streams.records import Output
from streams.replay.broker_admin import BrokerAdmin
from streams.replay.ranges import OffsetRange
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.replay.transactional_sender import TransactionalSender, own_group
from streams.settings import Settings
from streams.topics import desired
from tests.conftest import unavailable
from tests.support.broker import KafkaUnavailable
from tests.support.certificates import KEY_PASSWORD
from tests.support.deployment import Deployment
from tests.support.secured_kafka import SecuredKafka
from tests.support.topic import create_topic
from tests.support.unsecured_token import PRINCIPAL
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

PASSWORDS = {name: f"{name}-secret" for name in ("worker", "operator", "stranger", "reader")}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    server = SecuredKafka(tmp_path_factory.mktemp("secured"), plain={"shop": "open sesame"}, scram=PASSWORDS)
    try:
        server.start()
    except (KafkaUnavailable, FileNotFoundError) as error:
        server.server.remove()
        unavailable(KafkaUnavailable(str(error)))
    try:
        yield server
    finally:
        server.server.remove()


@pytest.fixture
def by_password(secured: SecuredKafka) -> Settings:
    return Settings(
        bootstrap_servers=secured.addresses["PASSWORDS"],
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="reader",
        sasl_password=PASSWORDS["reader"],
        ssl_cafile=secured.authority.ca,
    )


def parsed(printed: str) -> list[Acl]:
    """The ACLs that the commands of `shelfstream topics acls` grant."""
    acls = []
    for line in printed.splitlines():
        words = shlex.split(line)
        assert words[0] == "kafka-acls.sh"
        options = list(pairwise(words))
        operations = [Operation(value) for option, value in options if option == "--operation"]
        resources = [
            (Resource(option[2:]), value)
            for option, value in options
            if option.startswith("--") and option[2:] in list(Resource)
        ]
        pattern = Pattern.PREFIXED if ("--resource-pattern-type", "prefixed") in options else Pattern.LITERAL
        assert len(resources) == 1
        acls += [Acl(*resources[0], operation, pattern) for operation in operations]
    return acls


def wait_for_reason(worker: WorkerProcess, reason: str) -> None:
    """Wait until /ready says something."""

    def said() -> bool:
        assert worker.alive, worker.log.read_text()[-2000:]
        try:
            return reason in " ".join(worker.status()["reasons"])
        except OSError:
            return False

    wait_until(said, 60)


def run(deployment: Deployment, *arguments: str) -> Result:
    """Run a command in this process: a process of its own would start longer than it runs."""
    return CliRunner().invoke(main, arguments, env=deployment.environment)


def succeed(deployment: Deployment, *arguments: str) -> str:
    result = run(deployment, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_workers_and_commands_need_no_more_than_the_printed_acls(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORDS["operator"] + "\n")
    deployment = Deployment(
        secured.bootstrap,
        tmp_path,
        bootstrap_servers=secured.addresses["EXPIRING"],
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="operator",
        sasl_password_file=password,
        ssl_cafile=secured.authority.ca,
        inference="thread",
        agents="enrich",
        retry_backoff_max_s=2,
    )
    refused = run(deployment, "topics", "create")
    assert refused.exit_code == 1
    assert "does not permit the user 'operator': Describe on topic product-created" in refused.stderr
    secured.grant("User:operator", parsed(succeed(deployment, "topics", "acls", "--for", "operator")))
    with deployment:
        assert "as required" in succeed(deployment, "topics", "check")
        products = list(islice(iter_products(), 60))
        events = [event for event, _ in zip(iter_baskets(), range(300), strict=False)]
        deployment.produce("product-created", [(each.product_id.encode(), encode(each)) for each in products])
        deployment.produce("product-created", [(b"broken", b"{")])
        deployment.produce("user-behavior", [(shopper_id(each).encode(), encode(each)) for each in events])

        password.write_text(PASSWORDS["worker"])
        by_password = {**deployment.environment, "SHELFSTREAM_SASL_USERNAME": "worker"}
        deployment.environment = by_password
        waiting = deployment.worker()
        wait_for_reason(waiting, "Read on topic category-feedback")
        secured.grant("User:worker", parsed(succeed(deployment, "topics", "acls")))

        certificate = secured.authority.sign("shelfstream", "client")
        deployment.environment = by_password | {
            "SHELFSTREAM_BOOTSTRAP_SERVERS": secured.addresses["CERTIFICATES"],
            "SHELFSTREAM_SECURITY_PROTOCOL": "SSL",
            "SHELFSTREAM_SSL_CERTFILE": str(certificate.certificate),
            "SHELFSTREAM_SSL_KEYFILE": str(certificate.encrypted_key()),
            "SHELFSTREAM_SSL_KEY_PASSWORD": KEY_PASSWORD,
            "SHELFSTREAM_AGENTS": "sessions,affinity",
        }
        principal = "User:CN=shelfstream"
        secured.grant(principal, parsed(succeed(deployment, "topics", "acls", "--principal", principal)))
        deployment.worker()
        for worker in deployment.workers:
            worker.wait_ready()
        deployment.wait_until_processed()
        enriched = {each.key().decode() for each in deployment.read("product-enriched")}
        assert enriched == {each.product_id for each in products}
        assert deployment.read("shopper-updated")
        assert deployment.read("affinity-updated")

        # The password is replaced. The worker goes on when the file has the new one.
        secured.set_password("worker", "rotated-secret")
        wait_for_reason(waiting, f"correct the password in {password}")
        password.write_text("rotated-secret")
        waiting.wait_ready()
        listing = {"product_id": "late", "title": "Porcelain cup"}
        deployment.produce("product-created", [(b"late", orjson.dumps(listing))])
        deployment.wait_until_processed()
        assert any(each.key() == b"late" for each in deployment.read("product-enriched"))

        password.write_text(PASSWORDS["operator"])
        deployment.environment = {**by_password, "SHELFSTREAM_SASL_USERNAME": "operator"}
        assert "malformed-json" in succeed(deployment, "dead-letters", "list")
        assert "1" in succeed(deployment, "dead-letters", "redrive")
        assert "replayed from product-created" in succeed(
            deployment, "replay", "product-created", "--from", "start"
        )
        succeed(deployment, "feedback", "export")


def permitted(settings: Settings, acls: Sequence[Acl]) -> bool:
    try:
        verify_permissions(settings, acls)
    except NotAdmitted:
        return False
    return True


def grant(secured: SecuredKafka, settings: Settings, *acls: Acl) -> None:
    """Grant ACLs and wait until the broker knows them."""
    secured.grant(f"User:{settings.sasl_username}", acls)
    wait_until(lambda: permitted(settings, acls), 30)


def revoke(secured: SecuredKafka, settings: Settings, *acls: Acl) -> None:
    """Remove ACLs and wait until the broker knows it."""
    secured.revoke(f"User:{settings.sasl_username}", acls)
    wait_until(lambda: not any(permitted(settings, [acl]) for acl in acls), 30)


ACL_CASES = {
    "Write on topic product-enriched": Acl(Resource.TOPIC, "product-enriched", Operation.WRITE),
    "Read on topic user-behavior": Acl(Resource.TOPIC, "user-behavior", Operation.READ),
    "Read on group shelfstream": Acl(Resource.GROUP, "shelfstream", Operation.READ),
    "Write on transactional id prefix shelfstream-enrich-": Acl(
        Resource.TRANSACTIONAL_ID, "shelfstream-enrich-", Operation.WRITE, Pattern.PREFIXED
    ),
}


def test_a_missing_acl_is_named(secured: SecuredKafka, by_password: Settings) -> None:
    BrokerAdmin(Settings(bootstrap_servers=secured.bootstrap)).create(desired(by_password))
    user = replace(by_password, sasl_username="stranger", sasl_password=PASSWORDS["stranger"])
    needed = least_acls(user, "worker")
    grant(secured, user, *needed)
    for named, acl in ACL_CASES.items():
        revoke(secured, user, acl)
        with pytest.raises(NotAdmitted, match=rf"does not permit the user 'stranger': {named};"):
            verify_permissions(user, needed)
        grant(secured, user, acl)
    # Write includes Describe: without it the broker tells nobody that there is such a topic.
    revoke(secured, user, Acl(Resource.TOPIC, "enrichment-review", Operation.WRITE))
    with pytest.raises(NotAdmitted, match="Describe on topic enrichment-review;"):
        BrokerAdmin(user).describe(["enrichment-review"])


def test_a_command_names_the_acl_that_it_lacks(secured: SecuredKafka, by_password: Settings) -> None:
    BrokerAdmin(Settings(bootstrap_servers=secured.bootstrap)).create(desired(by_password))
    shop = replace(by_password, sasl_mechanism="PLAIN", sasl_username="shop", sasl_password="open sesame")
    describe = Acl(Resource.TOPIC, "product-created", Operation.DESCRIBE)
    ranges = [OffsetRange(0, 0, 1)]
    grant(secured, shop, describe, own_group(shop))
    consumer = open_consumer(shop, "shelfstream-reader")
    try:
        with pytest.raises(NotAdmitted, match="Read on topic product-created;"):
            list(read_ranges(consumer, shop, "product-created", ranges))
    finally:
        consumer.close()
    sender = TransactionalSender(shop, "shelfstream-sender")
    with pytest.raises(NotAdmitted, match="Write on transactional id shelfstream-sender;"), sender:
        pass
    grant(secured, shop, Acl(Resource.TRANSACTIONAL_ID, "shelfstream-sender", Operation.WRITE))
    with (
        pytest.raises(NotAdmitted, match="Write on topic product-created;"),
        TransactionalSender(shop, "shelfstream-sender") as sender,
    ):
        sender.send([Output("product-created", 0, b"key", b"value")])


def test_each_refusal_names_its_cause(secured: SecuredKafka, by_password: Settings) -> None:
    authority, addresses = secured.authority, secured.addresses
    client = authority.sign("client", "client")
    ended = authority.sign("ended", "client", days=-1)
    unknown = secured.other_authority.sign("unknown", "client")
    by_certificate = Settings(
        bootstrap_servers=addresses["CERTIFICATES"],
        security_protocol="SSL",
        ssl_cafile=authority.ca,
        ssl_certfile=client.certificate,
        ssl_keyfile=client.key,
    )
    verify_connection(by_password)
    verify_connection(by_certificate)
    unencrypted = secured.bootstrap.replace("127.0.0.1", "localhost")
    by_address = addresses["PASSWORDS"].replace("localhost", "127.0.0.1")
    cases = (
        (replace(by_password, sasl_password="guessed"), "refuses the user 'reader' .*SASL_PASSWORD"),
        (replace(by_password, sasl_mechanism="SCRAM-SHA-256"), "does not take the mechanism SCRAM-SHA-256"),
        (replace(by_password, bootstrap_servers=by_address), "not for the host name 127.0.0.1"),
        (replace(by_password, bootstrap_servers=addresses["EXPIRED"]), "of Kafka at .* has expired"),
        (
            replace(by_password, ssl_cafile=secured.other_authority.ca),
            "that is not in .*other-ca.pem",
        ),
        (replace(by_certificate, ssl_certfile=None, ssl_keyfile=None), "wants a client certificate"),
        (
            replace(by_certificate, ssl_certfile=ended.certificate, ssl_keyfile=ended.key),
            "client certificate .*ended.pem .* has expired",
        ),
        (
            replace(by_certificate, ssl_certfile=unknown.certificate, ssl_keyfile=unknown.key),
            "refuses the client certificate .*unknown.pem",
        ),
        (replace(by_password, bootstrap_servers=unencrypted), "is SASL_SSL .* what this listener speaks"),
        (Settings(bootstrap_servers=addresses["PASSWORDS"]), "is PLAINTEXT .* what this listener speaks"),
    )
    for settings, sentence in cases:
        with pytest.raises(NotAdmitted, match=sentence):
            verify_connection(settings)
        with pytest.raises(NotAdmitted, match=sentence):
            BrokerAdmin(settings).topics()


async def test_both_clients_log_in_with_a_token(secured: SecuredKafka, by_password: Settings) -> None:
    create_topic(Settings(bootstrap_servers=secured.bootstrap), "tokens")
    secured.grant(f"User:{PRINCIPAL}", [Acl(Resource.TOPIC, "tokens", Operation.READ)])
    settings = replace(
        by_password,
        sasl_mechanism="OAUTHBEARER",
        sasl_username=None,
        sasl_password=None,
        sasl_oauth_token="tests.support.unsecured_token:unsecured_token",
    )
    assert "tokens" in BrokerAdmin(settings).topics()
    async with AIOKafkaConsumer("tokens", **aiokafka_options(settings)) as consumer:
        assert consumer.partitions_for_topic("tokens") == {0, 1, 2, 3}


async def test_new_connections_use_a_rotated_certificate(secured: SecuredKafka, tmp_path: Path) -> None:
    """One set of options serves the old certificate, then the new one, as the options of a running worker."""
    refused = secured.other_authority.sign("before", "client")
    admitted = secured.authority.sign("after", "client")
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(refused.certificate, certificate)
    shutil.copy(refused.key, key)
    settings = Settings(
        bootstrap_servers=secured.addresses["CERTIFICATES"],
        security_protocol="SSL",
        ssl_cafile=secured.authority.ca,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    options = aiokafka_options(settings)
    assert not await connects(options)
    shutil.copy(admitted.key, key)  # for a moment the two files do not belong together
    assert not await connects(options)
    shutil.copy(admitted.certificate, certificate)
    assert await connects(options)


async def connects(options: dict[str, Any]) -> bool:
    client = AIOKafkaClient(**options)
    try:
        await client.bootstrap()
    except KafkaConnectionError:
        return False
    else:
        return True
    finally:
        await client.close()
