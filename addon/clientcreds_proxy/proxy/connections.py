"""mitmproxy's hooks for connections: what is refused, tunnelled or verified before there is a request."""

import logging
import traceback

from mitmproxy import connection, http
from mitmproxy.proxy import layer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import ClientHelloData, TlsData

from clientcreds_proxy.errors import Refusal
from clientcreds_proxy.proxy import facts, refusal, tunnel
from clientcreds_proxy.proxy.fail_closed import or_refuse
from clientcreds_proxy.proxy.guard import Guard
from clientcreds_proxy.proxy.house.house import House
from clientcreds_proxy.proxy.request import attach
from clientcreds_proxy.proxy.request.callers import Callers
from clientcreds_proxy.proxy.request.passage import Passages
from clientcreds_proxy.proxy.serving import listen


class ConnectionHooks:
    """The addon's hooks that have no request in hand yet; those that have one are in `addon.py`."""

    name = "clientcreds"
    house: House  # from `configure` on, before any connection; no property, for mitmproxy looks at those
    _callers: Callers
    _guard: Guard
    _passages: Passages

    def client_connected(self, client: connection.Client) -> None:
        """Drop what comes from elsewhere before the listener has moved to loopback."""

        def drop(refused: Refusal) -> None:
            client.error = f"clientcreds: {refused.reason}"

        with or_refuse(drop, self.report):
            listen.drop_if_foreign(client)

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse a tunnel that no request could use. The client sees the status line only."""

        def refuse(refused: Refusal) -> None:
            flow.response = refusal.answer_connect(refusal.Refused(refusal=refused))
            self.house.access(tunnel.line_of(flow, refused, self._callers.of_tunnel(flow)))

        if flow.response:
            hide_proxy_login(flow)
            return
        with or_refuse(refuse, self.report):
            self._callers.note_tunnel(flow)
            tunnel.admit_connect(flow, self.house.policy)
            await self._callers.admit_tunnel(flow, self.house.policy)

    # A bug in these two is harmless: TLS is then decrypted, and each request in it decided upon.

    def next_layer(self, next_layer: layer.NextLayer) -> None:
        """Tunnel hosts without a rule."""
        tunnel.pass_untouched(next_layer, self.house.policy)

    def tls_clienthello(self, hello: ClientHelloData) -> None:
        """Tunnel hosts without a rule in modes where only TLS names the host."""
        tunnel.pass_untouched_by_name(hello, self.house.policy)

    def tls_start_server(self, tls: TlsData) -> None:
        """Verify a ruled host's certificate against the destination."""

        def stop(_: Refusal) -> None:
            tls.conn.sni = "clientcreds.invalid"  # no certificate is good for it

        with or_refuse(stop, self.report):
            tunnel.pin_server_name(tls, self.house.policy)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """The last word on a connection, in modes that have no CONNECT to refuse."""
        try:
            if tunnel.is_socks(data.client) and not self._passages.led_to(data.server.address, data.client):
                tunnel.admit_socks(data, self.house.policy)
            if tunnel.is_ruled(data.server.address, self.house.policy):
                self._guard.expect(data.server)
        except Refusal as refused:
            data.server.error = f"clientcreds: {refused.reason}"
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing goes on
            data.server.error = "clientcreds: internal_error"
            self.report(error)

    def report(self, error: Exception) -> None:
        """Log a bug of ours with its traceback."""
        text = "".join(traceback.format_exception(error))
        if hasattr(self, "house"):
            self.house.log.event("error", "a bug of clientcreds", {"traceback": text})
        else:  # loaded again beside a configuration that is bad by now
            logging.getLogger(self.name).error(text)


def hide_proxy_login(flow: http.HTTPFlow) -> None:
    """Keep the login of a request that somebody else has refused out of what mitmproxy stores."""
    attach.remove_what_is_ours(flow.request)
    facts.proxy_user(flow)
