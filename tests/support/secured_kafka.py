"""A Kafka with passwords, certificates and access control lists, which refuses what is not granted."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.acls import Acl
from tests.support.certificates import Authority
from tests.support.kafka_server import KafkaServer, Listener, plain_users

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_OAUTH = "org.apache.kafka.common.security.oauthbearer"
REAUTHENTICATION_S = 3


class SecuredKafka:
    """An Apache Kafka of which every listener but one asks who connects.

    The listener at `bootstrap` has no security; who connects there may do everything. The others are by name:
    `PASSWORDS` (SASL_SSL with PLAIN, SCRAM-SHA-512 and OAUTHBEARER), `EXPIRING` (SASL_SSL with SCRAM-SHA-512,
    ends each connection after `REAUTHENTICATION_S` seconds), `CERTIFICATES` (SSL with a client's certificate)
    and `EXPIRED` (SASL_SSL, the broker's certificate has ended).

    Args:
        folder: An existing folder for certificates.
        plain: Passwords by user, for PLAIN.
        scram: Passwords by user, for SCRAM-SHA-512.
    """

    def __init__(self, folder: Path, *, plain: Mapping[str, str], scram: Mapping[str, str]) -> None:
        self.authority = Authority(folder, "test")
        self.other_authority = Authority(folder, "other")
        broker = _tls(self.authority.sign("broker", "localhost").keystore(), self.authority)
        expired = _tls(self.authority.sign("expired-broker", "localhost", days=-1).keystore(), self.authority)
        scram_only = {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "scram-sha-512.sasl.jaas.config": f"{_SCRAM} required;",
        }
        oauth = f'{_OAUTH}.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        passwords = {
            **plain_users(plain),
            **scram_only,
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
            "oauthbearer.sasl.jaas.config": oauth,
        }
        expiring = {"scram-sha-512.connections.max.reauth.ms": str(REAUTHENTICATION_S * 1000)}
        self.server = KafkaServer(
            {
                "PASSWORDS": Listener("SASL_SSL", broker | passwords, "localhost"),
                "EXPIRING": Listener("SASL_SSL", broker | scram_only | expiring, "localhost"),
                "CERTIFICATES": Listener("SSL", broker | {"ssl.client.auth": "required"}, "localhost"),
                "EXPIRED": Listener("SASL_SSL", expired | scram_only, "localhost"),
            },
            config={
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "allow.everyone.if.no.acl.found": "false",
                "super.users": "User:ANONYMOUS",
            },
            format_options=[
                part
                for name, password in scram.items()
                for part in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
            ],
        )
        self.bootstrap = self.server.bootstrap
        self.addresses = self.server.addresses

    def start(self) -> None:
        """Start the broker and connect as its administrator."""
        self.server.start()
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def grant(self, principal: str, acls: Iterable[Acl]) -> None:
        """Allow a principal what the ACLs say."""
        for created in self._admin.create_acls([_binding(principal, acl) for acl in acls]).values():
            created.result(15)

    def revoke(self, principal: str, acls: Iterable[Acl]) -> None:
        """Remove ACLs of a principal."""
        filters = [
            AclBindingFilter(
                binding.restype,
                binding.name,
                binding.resource_pattern_type,
                principal,
                "*",
                binding.operation,
                binding.permission_type,
            )
            for binding in (_binding(principal, acl) for acl in acls)
        ]
        for removed in self._admin.delete_acls(filters).values():
            assert removed.result(15)

    def set_password(self, user: str, password: str) -> None:
        """Replace a user's password for SCRAM-SHA-512."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(user, info, password.encode())
        for changed in self._admin.alter_user_scram_credentials([change]).values():
            changed.result(15)


def _tls(keystore: Path, trusted: Authority) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(trusted.ca),
    }


def _binding(principal: str, acl: Acl) -> AclBinding:
    return AclBinding(
        ResourceType[acl.resource.name],
        acl.name,
        ResourcePatternType[acl.pattern.name],
        principal,
        "*",
        AclOperation[acl.operation.name],
        AclPermissionType.ALLOW,
    )
