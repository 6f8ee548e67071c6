"""A real TLS server on loopback that speaks HTTP/2, with certificates of its own authority."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

BODY = b"<html><body><p>The lamp was lit in 1871.</p></body></html>"


class Http2Site:
    """Answers every request with BODY. `names` are in its certificate; in `seen` stands what each
    connection was opened for, in `asked` every request's authority."""

    def __init__(self, *names: str) -> None:
        self.seen: list[tuple[str, str | None]] = []  # (server name, protocol)
        self.asked: list[str] = []
        self._authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(self._context)
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self._context.sni_callback = self._note_name
        self._names: list[str] = []

    @property
    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts this site's authority and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._authority.configure_trust(context)
        return context

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Http2Site:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def _note_name(self, sock: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
        self._names.append(name)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        self.seen.append((self._names[-1] if self._names else "", protocol))
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived):
                    self._answer(connection, event.stream_id, event.headers)
            writer.write(connection.data_to_send())
        writer.close()

    def _answer(
        self, connection: H2Connection, stream: int, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        heads = {_text(name): _text(value) for name, value in headers}
        self.asked.append(heads[":authority"] + heads[":path"])
        found = heads[":path"] != "/robots.txt"
        head = [(":status", "200" if found else "404"), ("content-type", "text/html")]
        connection.send_headers(stream, head)
        connection.send_data(stream, BODY if found else b"", end_stream=True)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
