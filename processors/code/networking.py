"""What a networked program's environment says: where the proxy is, and whom to believe. Pure; runs on the host.

Python and Go find the proxy by themselves. Plain HTTP goes there as well, because its refusal is a clearer sentence
than that of a network which is not there. JavaScript gets it under a name of ours alone, and `network.js`: libraries
that know proxies by themselves often get it wrong, and ask for https in plain text.
"""

from __future__ import annotations

from processors.code.slot_protocol import CA_BUNDLE, PROXY_HOST, PROXY_PORT

PROXY_URL = f"http://{PROXY_HOST}:{PROXY_PORT}"
NODE_OPTIONS = ("--require", "/usr/local/lib/pitchey/network.js")

_OF_THE_IMAGE = "/etc/ssl/certs/ca-certificates.crt"
_PAST = "localhost,127.0.0.1,::1"


def environment(language: str, *, has_ca_bundle: bool) -> dict[str, str]:
    """Variables of a networked program."""
    bundle = CA_BUNDLE if has_ca_bundle else _OF_THE_IMAGE
    trust = dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"), bundle)
    if language == "javascript":
        return {"PITCHEY_PROXY": PROXY_URL, **trust}
    proxy = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), PROXY_URL)
    return {**proxy, "NO_PROXY": _PAST, "no_proxy": _PAST, **trust}
