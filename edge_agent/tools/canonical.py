"""One spelling for the ways to write a URL."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

TRACKING = re.compile(
    r"(?:utm_\w+|mc_[ce]id|_hs(?:enc|mi)|(?:fb|g|gb|ms|dc|y|tw|ttc|wick)[a-z]?clid|clid|gbraid|wbraid"
    r"|igshid|ref_src|ref_url|spm|_ga|_gl|srsltid|cmpid|campaign_id)\Z",
    re.IGNORECASE,
)
_SAFE = "/:@!$&'()*+,;=~-._"


def canonical(url: str) -> str:
    """One spelling for the ways to write a URL.

    Without fragment, trailing slash, `www.`, default port and what only tracks a visitor; the host
    in lower case, parameters in order, and http as https. For comparing, not for reading.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # brackets that are no IPv6 address
        return url.strip()
    web = parts.scheme.lower() in ("http", "https")
    host = parts.netloc.lower()
    if web:
        host = re.sub(r":(?:80|443)\Z", "", host.removeprefix("www.")).rstrip(".")
    path = quote(unquote(parts.path), safe=_SAFE).rstrip("/")
    scheme = "https" if web else parts.scheme.lower()
    return urlunsplit((scheme, host, path, _query(parts.query), ""))


def _query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(sorted(pair for pair in pairs if not TRACKING.match(pair[0])))
