"""Where webhooks may go, and where they must not."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from app.deliveries import addresses
from app.deliveries.addresses import Target, UrlRefused

INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fd00::1",
    "fc12::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
]
OUTSIDE = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address: str) -> None:
    with pytest.raises(UrlRefused, match="not an address on the internet"):
        addresses.check(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_on_the_internet_is_not(address: str) -> None:
    addresses.check(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", INSIDE)
def test_it_is_refused_as_it_is_typed_in(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(UrlRefused):
        addresses.parse(f"https://{host}/hook", allow_private=False)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "localhost", "a.localhost"])
def test_it_is_refused_in_every_way_of_writing_it(host: str) -> None:
    with pytest.raises(UrlRefused):
        addresses.parse(f"https://{host}/hook", allow_private=False)


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_stands_for_one_inside_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # One good address beside it does not help.
    answers = ["8.8.8.8", address]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (one, 443)) for one in answers])
    target = addresses.parse("https://shop.example.com/", allow_private=False)
    with pytest.raises(UrlRefused):
        addresses.resolve(target, allow_private=False)


def test_a_good_name_comes_to_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["8.8.8.8", "8.8.8.8", "2606:2800:220:1::1"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (one, 443)) for one in answers])
    target = addresses.parse("https://shop.example.com/", allow_private=False)
    assert addresses.resolve(target, allow_private=False) == ["8.8.8.8", "2606:2800:220:1::1"]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.example.com", Target(True, "shop.example.com", 443, "/")),
        ("https://Shop.Example.com:8443/a/b?c=d", Target(True, "shop.example.com", 8443, "/a/b?c=d")),
        ("https://[2606:2800:220:1::1]/x", Target(True, "2606:2800:220:1::1", 443, "/x")),
    ],
)
def test_a_good_address_is_taken_apart(url: str, target: Target) -> None:
    assert addresses.parse(url, allow_private=False) == target


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "full URL"),
        ("shop.example.com/hook", "full URL"),
        ("ftp://shop.example.com", "full URL"),
        ("javascript:alert(1)", "full URL"),
        ("https:///hook", "full URL"),
        ("http://shop.example.com", "Use an https:// URL"),
        ("https://me:secret@shop.example.com", "user name and password"),
        ("https://good.example.com\\@evil.example.com", "user name"),
        ("https://shop.example.com/#part", "after #"),
        ("https://shop.example.com:99999", "not a valid URL"),
        ("https://[::1", "not a valid URL"),
        ("https://shöp.example.com", "plain characters"),
        ("https://shop.example.com/a b", "plain characters"),
        ("https://shop.example.com/\r\nX: 1", "plain characters"),
        ("https://shop.example.com/" + "a" * 2000, "too long"),
    ],
)
def test_a_bad_address_is_refused_with_a_sentence(url: str, words: str) -> None:
    with pytest.raises(UrlRefused, match=words):
        addresses.parse(url, allow_private=False)


def test_the_setting_for_development_allows_this_machine() -> None:
    target = addresses.parse("http://127.0.0.1:9000/x", allow_private=True)
    assert addresses.resolve(target, allow_private=True) == ["127.0.0.1"]
