"""Which permissions are missing on a Kafka with access control lists.

Topics tell which operations a client may do. Groups and transactional ids do not: each is asked with a
request that changes nothing, because it comes from no member and no producer. Kafka authorizes it before it
looks further.
"""

from collections.abc import Iterable, Sequence

from aiokafka.errors import GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import EndTxnRequest
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from schemas.errors import RetryLater
from streams.acls import Acl, Operation, Pattern, Resource
from streams.clients import confluent_options
from streams.connection_check import Connection, open_connection, run_blocking
from streams.connection_errors import NotAdmitted
from streams.settings import Settings

_TIMEOUT_S = 10.0
_NO_PRODUCER = -1
_WITH_DESCRIBE = (Operation.READ, Operation.WRITE, Operation.DESCRIBE)


def verify_permissions(settings: Settings, needed: Sequence[Acl]) -> None:
    """Compare the permissions of this client with those that it needs. Blocks.

    Topics that do not exist are left out, if this client may know that.

    Args:
        settings: The settings of the connection.
        needed: The permissions.

    Raises:
        NotAdmitted: Permissions are missing. The message names each.
        RetryLater: The broker does not answer.
    """
    missing = missing_on_topics(settings, [acl for acl in needed if acl.resource is Resource.TOPIC])
    missing += run_blocking(_missing_elsewhere(settings, needed))
    if missing:
        raise NotAdmitted(not_permitted(settings, missing))


def not_permitted(settings: Settings, missing: Iterable[Acl]) -> str:
    """Return the sentence that names missing permissions."""
    names: dict[tuple[Operation, str], list[str]] = {}
    for acl in missing:
        names.setdefault((acl.operation, acl.kind), []).append(acl.name)
    what = ", ".join(f"{operation} on {kind} {' '.join(each)}" for (operation, kind), each in names.items())
    who = f"the user {settings.sasl_username!r}" if settings.sasl_username else "this client"
    return f"Kafka does not permit {who}: {what}; `shelfstream topics acls` prints what to grant"


def missing_on_topics(settings: Settings, needed: Sequence[Acl]) -> list[Acl]:
    """Return those permissions on topics that this client lacks.

    Raises:
        RetryLater: The broker does not answer.
    """
    names = sorted({acl.name for acl in needed})
    if not names:
        return []
    admin = AdminClient(confluent_options(settings))
    answers = admin.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=_TIMEOUT_S
    )
    allowed: dict[str, set[str] | None] = {}
    for name, answer in answers.items():
        try:
            operations = answer.result(_TIMEOUT_S + 5).authorized_operations
        except KafkaException as error:
            reason = error.args[0]
            if reason.name() == "TOPIC_AUTHORIZATION_FAILED":
                allowed[name] = set()
            elif reason.name() in ("UNKNOWN_TOPIC_OR_PART", "UNSUPPORTED_VERSION", "_UNSUPPORTED_FEATURE"):
                allowed[name] = None
            else:
                raise RetryLater(f"the permissions on topic {name} are not known: {reason.str()}") from error
        else:
            allowed[name] = None if operations is None else {each.name for each in operations}
    missing = [acl for acl in needed if _lacks(acl.operation, allowed[acl.name])]
    # Of a topic that it may not describe, this client does not learn more.
    visible = [acl for acl in missing if allowed[acl.name] or acl.operation in _WITH_DESCRIBE]
    return visible or missing


def _lacks(operation: Operation, allowed: set[str] | None) -> bool:
    """Return whether an operation is not among those that the broker names; it may name none."""
    names = {
        Operation.DESCRIBE_CONFIGS: "DESCRIBE_CONFIGS",
        Operation.ALTER_CONFIGS: "ALTER_CONFIGS",
    }
    return allowed is not None and names.get(operation, operation.value.upper()) not in allowed


async def _missing_elsewhere(settings: Settings, needed: Sequence[Acl]) -> list[Acl]:
    others = [acl for acl in needed if acl.resource is not Resource.TOPIC]
    if not others:
        return []
    async with await open_connection(settings) as connection:
        return [acl for acl in others if not await _permitted(connection, acl)]


async def _permitted(connection: Connection, acl: Acl) -> bool:
    name = f"{acl.name}0" if acl.pattern is Pattern.PREFIXED else acl.name
    if acl.resource is Resource.GROUP:
        response = await connection.send(HeartbeatRequest(name, -1, ""))
        return bool(response.error_code != GroupAuthorizationFailedError.errno)
    response = await connection.send(EndTxnRequest(name, _NO_PRODUCER, _NO_PRODUCER, False))
    return bool(response.error_code != TransactionalIdAuthorizationFailed.errno)


def why_not_listed(settings: Settings, topic: str) -> str:
    """Return why the broker does not list a topic: it is hidden from this user, or there is none."""
    if missing := missing_on_topics(settings, [Acl(Resource.TOPIC, topic, Operation.DESCRIBE)]):
        return not_permitted(settings, missing)
    return f"there is no topic {topic}: create it with `shelfstream topics create`"
