"""Servers that restart, keep one waiting or are not who they should be; and what is said of how one is set up."""

from __future__ import annotations

import datetime
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from catalogue.fragment import Block, Field, Fragment, SourceError, SourceFault, Table, Tally
from connectors.kinds.postgresql import TLS, PostgreSQLSettings, conninfo
from connectors.postgresql import PostgreSQLConnector
from connectors.postgresql_session import Limits
from connectors.registry import Surroundings
from tests.connectors.postgresql_market import Server
from tests.support.postgresql import Running, running

PEOPLE = Table("data", "people", "people")
HOST = "localhost"


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority")])
        made = _certificate(name, name, key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(key, made.sign(key, hashes.SHA256()))

    def issue(self, *hosts: str) -> tuple[bytes, bytes]:
        """A server's certificate for these hosts, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A server")])
        made = _certificate(name, self.certificate.subject, key.public_key())
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        signed = made.add_extension(names, critical=False).sign(self.key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return signed.public_bytes(serialization.Encoding.PEM), private

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@dataclass(frozen=True)
class Place:
    """A server with a table of people, reached over TCP on ``port``, with TLS by ``authority``."""

    running: Running
    port: int
    authority: Authority

    @property
    def owner(self) -> Server:
        return Server(f"{self.running.home}' port='{self.port}")


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with running() as found:
        place = Place(found, free_port(), Authority.new())
        certificate, key = place.authority.issue(HOST)
        found.restart(
            {
                "listen_addresses": "127.0.0.1",
                "port": place.port,
                "ssl": "on",
                "ssl_cert_file": found.keep("server.crt", certificate),
                "ssl_key_file": found.keep("server.key", key),
            }
        )
        place.owner.execute(
            "CREATE TABLE people AS SELECT i AS id, i AS rkey, i::numeric(9, 2) AS pay FROM generate_series(1, 3000) i",
            "CREATE VIEW crowd AS SELECT a.rkey FROM people a, people b, people c WHERE a.pay + b.pay > 1",
            "CREATE ROLE reader LOGIN", "GRANT SELECT ON people, crowd TO reader",
        )  # fmt: skip
        yield place


def over_tcp(
    place: Place,
    folder: Path,
    *,
    host: str = HOST,
    port: int | None = None,
    tls: TLS = TLS.DISABLE,
    authority: Authority | None = None,
    user: str = "reader",
    wait: int = 10,
    schema: str = "public",
) -> PostgreSQLConnector:
    """A connector as a node's configuration opens it."""
    told: dict[str, object] = {
        "host": host, "port": port or place.port, "database": "postgres", "user": user, "sslmode": tls,
        "connect_timeout": wait, "schemas": [schema],
    }  # fmt: skip
    if authority is not None:
        (folder / "authority.pem").write_bytes(authority.pem())
        told["root_certificate"] = "authority.pem"
    settings = PostgreSQLSettings.model_validate(told)
    surroundings = Surroundings(folder, folder, lambda name: "")
    return PostgreSQLConnector(conninfo(settings, surroundings), settings.schemas, Limits())


def asked(location: str = "people") -> Fragment:
    table = Table("data", location, "people")
    return Fragment(
        table, (), None, Field("rkey"), None, None, None, (), (Block(()),), (Tally("t"),)
    )  # fmt: skip


def count(connector: PostgreSQLConnector, location: str = "people", seconds: float = 60) -> int:
    deadline, cancel = time.monotonic() + seconds, threading.Event()
    (raw,) = connector.run((asked(location),), deadline=deadline, cancel=cancel)
    found: int = raw.cells["t_n"][0].as_py()
    return found


def fails(connector: PostgreSQLConnector, fault: SourceFault, location: str = "people", **how: float) -> None:
    with pytest.raises(SourceError) as raised:
        count(connector, location, **how)
    assert raised.value.fault is fault
    assert raised.value.__context__ is None


def test_a_server_that_restarts_in_mid_query(place: Place, tmp_path: Path) -> None:
    """The run ends with a clear fault, and the same connector answers once the server is back."""
    connector = over_tcp(place, tmp_path)
    assert count(connector) == 3000
    busy = "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE '%crowd%' AND usename = 'reader'"
    owner = place.owner

    def restart() -> None:
        while not owner.value(busy):
            time.sleep(0.05)
        place.running.restart()

    restarting = threading.Thread(target=restart)
    restarting.start()
    fails(connector, SourceFault.UNREACHABLE, "crowd")
    restarting.join()
    assert count(connector) == 3000
    connector.close()


@contextmanager
def relay(port: int, before_first_byte: Callable[[], object]) -> Iterator[int]:
    """A port that passes everything on to another, but waits before the server's first byte."""
    listening = socket.create_server(("127.0.0.1", 0))

    def pass_on(source: socket.socket, sink: socket.socket, first: Callable[[], object]) -> None:
        try:
            data = source.recv(65536)
            first()
            while data:
                sink.sendall(data)
                data = source.recv(65536)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one side went away, which the other is told

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", port))
            for source, sink, first in ((client, server, int), (server, client, before_first_byte)):
                threading.Thread(target=pass_on, args=(source, sink, first), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def test_a_first_byte_that_comes_late_is_waited_for(place: Place, tmp_path: Path) -> None:
    with relay(place.port, lambda: time.sleep(1)) as port:
        connector = over_tcp(place, tmp_path, port=port)
        assert count(connector) == 3000
        connector.close()


def test_a_first_byte_that_never_comes(place: Place, tmp_path: Path) -> None:
    """The deadline holds while a connection opens, and the time that one may take holds before the deadline."""
    never = threading.Event()
    with relay(place.port, lambda: never.wait(60)) as port:
        hasty = over_tcp(place, tmp_path, port=port)
        fails(hasty, SourceFault.TIMEOUT, seconds=0.5)
        patient = over_tcp(place, tmp_path, port=port, wait=2)
        fails(patient, SourceFault.UNREACHABLE, seconds=60)
        never.set()
        assert count(patient) == 3000
        hasty.close()
        patient.close()


def test_a_server_that_proves_who_it_is(place: Place, tmp_path: Path) -> None:
    connector = over_tcp(place, tmp_path, tls=TLS.VERIFY_FULL, authority=place.authority)
    assert count(connector) == 3000
    assert connector.check([PEOPLE]) == ()
    connector.close()


@pytest.mark.parametrize("tls", [TLS.VERIFY_CA, TLS.VERIFY_FULL])
def test_an_unknown_authority_is_refused(place: Place, tmp_path: Path, tls: TLS) -> None:
    stranger = over_tcp(place, tmp_path, tls=tls, authority=Authority.new())
    fails(stranger, SourceFault.UNREACHABLE)
    nobody = over_tcp(place, tmp_path, tls=tls)
    fails(nobody, SourceFault.UNREACHABLE)


def test_a_certificate_of_another_host_is_refused(place: Place, tmp_path: Path) -> None:
    address = "127.0.0.1"
    elsewhere = over_tcp(place, tmp_path, host=address, tls=TLS.VERIFY_FULL, authority=place.authority)
    fails(elsewhere, SourceFault.UNREACHABLE)
    issued = over_tcp(place, tmp_path, host=address, tls=TLS.VERIFY_CA, authority=place.authority)
    assert count(issued) == 3000, "verify-ca asks who issued it, not for whom"
    issued.close()


def advice(connector: PostgreSQLConnector, table: Table = PEOPLE) -> dict[str, tuple[bool, str]]:
    found = {each.what: (each.error, each.mend) for each in connector.check([table])}
    connector.close()
    return found


def test_what_is_unwise_is_said_with_its_mend(place: Place, tmp_path: Path) -> None:
    """Each mend that is a statement is run, and then there is nothing left to say."""
    owner = place.owner
    owner.execute(
        'CREATE SCHEMA "Pay roll"', 'CREATE TABLE "Pay roll"."Staff" AS SELECT * FROM people',
        'CREATE ROLE "A clerk" LOGIN BYPASSRLS', 'GRANT ALL ON "Pay roll"."Staff" TO "A clerk"',
        'GRANT ALL ON SCHEMA "Pay roll" TO "A clerk"',
    )  # fmt: skip
    staff = Table("data", "Staff", "staff")

    def told() -> dict[str, tuple[bool, str]]:
        connector = over_tcp(place, tmp_path, user="A clerk", tls=TLS.REQUIRE, schema="Pay roll")
        return advice(connector, staff)

    clerk, table = 'the role "A clerk"', '"Pay roll"."Staff"'
    first = told()
    assert set(first) == {
        f"{clerk} bypasses row security", f"{clerk} may change {table}", f'{clerk} may create in the schema "Pay roll"',
    }  # fmt: skip
    assert not any(error for error, _ in first.values()), "it works all the same"
    owner.execute(*(mend for _, mend in first.values()))
    assert told() == {}
    owner.execute(f'REVOKE ALL ON {table} FROM "A clerk"', 'REVOKE ALL ON SCHEMA "Pay roll" FROM "A clerk"')
    second = told()
    assert set(second) == {f"{clerk} may not read {table}", f'{clerk} may not enter the schema "Pay roll"'}
    assert all(error for error, _ in second.values()), "runs fail over it"
    owner.execute(*(mend for _, mend in second.values()))
    assert told() == {}


def test_superusers_and_plain_connections_are_told_of(place: Place, tmp_path: Path) -> None:
    found = advice(over_tcp(place, tmp_path, user="federation"))
    assert set(found) == {"the role federation is a superuser", "the connection is not encrypted"}
    assert "verify-full" in found["the connection is not encrypted"][1]
    assert not any(error for error, _ in found.values())
    missing = advice(over_tcp(place, tmp_path, tls=TLS.REQUIRE), Table("data", "nobody", "nobody"))
    assert [error for error, _ in missing.values()] == [True]
