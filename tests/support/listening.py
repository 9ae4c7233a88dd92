"""Raw servers on loopback that say and do with a connection whatever a test wants, also over TLS."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Handle = Callable[[socket.socket], None]

PIECE = 1 << 16


@dataclass
class Listener:
    """A server's port, and how many connections came through to its handler."""

    port: int
    handled: int = 0
    failures: list[BaseException] = field(default_factory=list)


@contextmanager
def listening(
    handle: Handle, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Listener]:
    """Serve until the block ends, one connection after another; each is closed when its handler returns."""
    with socket.create_server((host, port)) as server:
        listener = Listener(server.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(server, handle, tls, listener), daemon=True)
        thread.start()
        yield listener
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(server: socket.socket, handle: Handle, tls: ssl.SSLContext | None, listener: Listener) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # closed: the test is over
            return
        with connection:
            try:
                spoken = tls.wrap_socket(connection, server_side=True) if tls else connection
                listener.handled += 1
                handle(spoken)
                spoken.close()
            except OSError as error:  # the client's going is what a test is about
                listener.failures.append(error)


def head_of(connection: socket.socket) -> bytes:
    """Read a request's head, and what of its body came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(PIECE)
        if not piece:
            return received
        received += piece
    return received


def request_of(connection: socket.socket) -> bytes:
    """Read a whole request; who closes with some of it unread resets the connection."""
    received = head_of(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    told = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    missing = (int(told[1]) if told else 0) - len(body)
    while missing > 0 and (piece := connection.recv(PIECE)):
        received += piece
        missing -= len(piece)
    return received


def read_until_it_ends(connection: socket.socket) -> None:
    """Read what comes until the client is gone."""
    with suppress(OSError):
        while connection.recv(PIECE):
            pass


def reset(connection: socket.socket) -> None:
    """Break a connection off: the client gets a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass(frozen=True)
class Certificate:
    """A certificate that signed itself, with both ends' contexts."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def certificate(folder: Path, *, name: str = "localhost", address: str = "127.0.0.1") -> Certificate:
    """Make a certificate for a name and an address; the client's context trusts it, and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(public, private)
    return Certificate(server, ssl.create_default_context(cafile=str(public)))
