"""The least ACLs name what the agents and commands use, and print as commands."""

import shlex
from typing import get_args

import msgspec
import pytest

from models.behavior.next_behavior import shipped_next_behavior
from models.behavior.parameters import BehaviorParameters
from streams.acls import (
    Acl,
    Operation,
    Pattern,
    Resource,
    Role,
    agent_reads,
    agent_writes,
    as_commands,
    least_acls,
    required_acls,
)
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.enrich import enrich_agent
from streams.agents.erasures import shoppers_table
from streams.agents.product_signals import ProductSignals, signals_table
from streams.agents.product_view import ProductView
from streams.agents.sessions import sessions_agent
from streams.agents.shop_mixes import shop_mixes_table
from streams.lanes.agent import BatchAgent
from streams.settings import Settings
from streams.topics import (
    AFFINITY_UPDATED,
    PRODUCT_ENRICHED,
    SHOPPER_REPARTITION,
    changelog,
    desired,
    workers,
)
from tests.support.inferences import FakeInference

SETTINGS = Settings(app_id="shop", signals=True)


def agents() -> list[BatchAgent]:
    parameters, view = BehaviorParameters(), ProductView()
    shoppers = shoppers_table(changelog(SETTINGS, "shoppers"))
    affinities = affinities_table(changelog(SETTINGS, "affinities"))
    mixes = shop_mixes_table(changelog(SETTINGS, "shop-mixes"))
    signals = ProductSignals(signals_table(changelog(SETTINGS, "signals")), view, 4)
    return [
        enrich_agent(FakeInference("1"), 4, signals=True, mixes=mixes),
        sessions_agent(shoppers, 4, parameters, shipped_next_behavior(), view.describe, moves=True),
        affinity_agent(affinities, 4, parameters, view, None, signals),
    ]


@pytest.mark.parametrize("agent", agents(), ids=lambda agent: agent.name)
def test_an_agent_may_use_its_topics_and_changelogs(agent: BatchAgent) -> None:
    changelogs = {table.changelog for table in agent.tables}
    views = set() if agent.name == "enrich" else {PRODUCT_ENRICHED, AFFINITY_UPDATED}
    assert set(agent_reads(SETTINGS, agent.name)) == {*agent.topics, *changelogs, *views}
    without = Settings(app_id="shop", affinity_view_products=0)
    assert AFFINITY_UPDATED not in agent_reads(without, agent.name)
    assert changelogs <= set(agent_writes(SETTINGS, agent.name))


def test_a_worker_gets_nothing_for_agents_that_it_does_not_run() -> None:
    acls = least_acls(Settings(app_id="shop", agents=("enrich",)), "worker")
    assert Acl(Resource.TOPIC, "user-behavior", Operation.READ) not in acls
    assert Acl(Resource.TOPIC, "user-behavior", Operation.DESCRIBE) in acls
    assert Acl(Resource.TOPIC, "product-created", Operation.READ) in acls
    assert Acl(Resource.TOPIC, "product-created", Operation.DESCRIBE) not in acls  # Read includes it
    ids = [acl for acl in acls if acl.resource is Resource.TRANSACTIONAL_ID]
    assert ids == [Acl(Resource.TRANSACTIONAL_ID, "shop-enrich-", Operation.WRITE, Pattern.PREFIXED)]


@pytest.mark.parametrize("role", get_args(Role))
def test_roles_name_only_topics_of_the_deployment(role: Role) -> None:
    topics = {acl.name for acl in least_acls(SETTINGS, role) if acl.resource is Resource.TOPIC}
    assert topics <= {spec.name for spec in desired(SETTINGS)}


def test_each_topic_of_the_deployment_is_written_by_some_role() -> None:
    """A new topic must be granted to somebody: it is added to `streams.acls` too."""
    roles: tuple[Role, ...] = get_args(Role)
    written = {
        acl.name for role in roles for acl in least_acls(SETTINGS, role) if acl.operation is Operation.WRITE
    }
    assert {spec.name for spec in desired(SETTINGS)} <= written


def test_one_command_grants_all_operations_on_a_resource() -> None:
    acls = [
        Acl(Resource.TOPIC, "orders", Operation.READ),
        Acl(Resource.TRANSACTIONAL_ID, "shop-", Operation.WRITE, Pattern.PREFIXED),
        Acl(Resource.TOPIC, "orders", Operation.DESCRIBE_CONFIGS),
    ]
    commands = as_commands(acls, "User:CN=shop,O=My Shop", ["--bootstrap-server", "kafka:9093"])
    start = ["kafka-acls.sh", "--bootstrap-server", "kafka:9093", "--add", "--allow-principal"]
    who = [*start, "User:CN=shop,O=My Shop"]
    operations = ["--operation", "Read", "--operation", "DescribeConfigs"]
    prefixed = ["--transactional-id", "shop-", "--resource-pattern-type", "prefixed"]
    assert [shlex.split(command) for command in commands] == [
        [*who, *operations, "--topic", "orders"],
        [*who, "--operation", "Write", *prefixed],
    ]


def test_a_worker_starts_without_permissions_on_optional_topics() -> None:
    optional = [
        Acl(Resource.TOPIC, SHOPPER_REPARTITION, Operation.READ),
        Acl(Resource.TOPIC, SHOPPER_REPARTITION, Operation.WRITE),
        Acl(Resource.TOPIC, workers(SETTINGS), Operation.WRITE),
    ]
    granted = least_acls(SETTINGS, "worker")
    assert set(optional) <= set(granted)
    assert required_acls(SETTINGS) == [acl for acl in granted if acl not in optional]


def test_a_worker_reads_the_topic_of_workers_for_the_read_api_only() -> None:
    reads = Acl(Resource.TOPIC, workers(SETTINGS), Operation.READ)
    with_token = msgspec.structs.replace(SETTINGS, read_api_token="a-token-of-the-tests")
    assert reads not in least_acls(SETTINGS, "worker")
    assert reads in least_acls(with_token, "worker")
    assert reads not in required_acls(with_token)
