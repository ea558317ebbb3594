"""Where webhooks may go: to public addresses, and not into the network of Sluice itself."""

import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

MAX_URL_LENGTH = 2_000

_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Addresses in which IPv4 ones are written for translators: what is behind them is reached.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Also for translators, but by rules that only they know.
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")


class UrlRefused(Exception):
    """The URL is not allowed for webhooks; the message is a sentence for the seller."""


class Target(NamedTuple):
    """Where a request goes."""

    is_https: bool
    host: str
    port: int
    #: Path and query.
    path: str


def parse(url: str, *, allow_private: bool) -> Target:
    """Parse ``url``, without resolving its host.

    Raises UrlRefused for what can be judged without that. ``allow_private`` allows private addresses and plain HTTP.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UrlRefused("Use plain characters and no spaces. Write a host that has others in its xn-- form.")
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused(f"The URL is too long. It can have up to {MAX_URL_LENGTH:,} characters.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UrlRefused("That’s not a valid URL.") from None
    _check_parts(parts, host, allow_private=allow_private)
    literal = as_literal(host)
    if literal is not None and not allow_private:
        check(literal)
    is_https = parts.scheme == "https"
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return Target(is_https, host, port or (443 if is_https else 80), path)


def _check_parts(parts: SplitResult, host: str, *, allow_private: bool) -> None:
    if parts.scheme not in {"https", "http"} or not host:
        raise UrlRefused("Enter a full URL, for example https://shop.example.com/sluice.")
    if parts.scheme == "http" and not allow_private:
        raise UrlRefused("Use an https:// URL so deliveries are encrypted.")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("Leave the user name and password out of the URL. Verify the signature instead.")
    if parts.fragment:
        raise UrlRefused("Leave out the part after #. It’s never sent.")
    if any(character in host for character in "\\%<>^`{|}"):
        raise UrlRefused("That’s not a valid URL.")
    if (host == "localhost" or host.endswith(".localhost")) and not allow_private:
        raise UrlRefused(f"{host} is this machine itself. Webhooks can only go to hosts on the internet.")


def as_literal(host: str) -> _IpAddress | None:
    """The address that ``host`` is, in any notation that resolvers understand; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # Also 2130706433, 0x7f.1 and 127.1, all of them 127.0.0.1.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def check(address: _IpAddress) -> None:
    """Raise UrlRefused unless ``address`` is public."""
    behind = _unwrap(address)
    is_open = (
        behind.is_global
        and not behind.is_multicast
        and not behind.is_reserved
        and not behind.is_unspecified
        and not behind.is_loopback
        and not behind.is_link_local
        and not (isinstance(behind, ipaddress.IPv6Address) and (behind.is_site_local or behind in _LOCAL_NAT64))
    )
    if not is_open:
        raise UrlRefused(f"{address} is not an address on the internet, and webhooks go nowhere else.")


def _unwrap(address: _IpAddress) -> _IpAddress:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


def resolve(target: Target, *, allow_private: bool) -> list[str]:
    """Resolve the host to its addresses, at least one.

    The caller must connect to one of these and not resolve the name again: the answer could differ by then. Raises
    UrlRefused when any of them is not public, and OSError when the name has no address.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if not allow_private:
        for address in addresses:
            check(ipaddress.ip_address(address))
    return addresses
