"""The rules of the house for pages notice when they are broken."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from tests.pages import find_faults, find_page_faults

PAGE = """
<!doctype html>
<html lang="en-GB">
<head><title>Cards – Sluice</title><link rel="stylesheet" href="/static/css/base.css"></head>
<body>
<main id="content">
  <h1 id="heading">Cards</h1>
  <h2>More</h2>
  <a href="#content"><svg aria-hidden="true"></svg>Up</a>
  <form method="post" action="/x">
    <input type="hidden" name="csrf_token" value="t">
    <label for="name">Name</label><input id="name" name="name">
    <button type="submit">Send</button>
  </form>
  <p data-import-id="i" data-status="RUNNING" data-total="1" data-successful="0" data-failed="0">One</p>
</main>
</body>
</html>
"""


def faults(html: str) -> list[str]:
    soup = BeautifulSoup(html, "html5lib")
    return [*find_page_faults(soup), *find_faults(soup)]


def test_a_good_page_has_no_faults() -> None:
    assert faults(PAGE) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("<title>Cards – Sluice</title>", ""),
        ("<title>Cards – Sluice</title>", "<title> – Sluice</title>"),
        ("<title>Cards – Sluice</title>", "<title>Sluice – Cards</title>"),
        (' lang="en-GB"', ""),
        ('<h1 id="heading">Cards</h1>', ""),
        ('<h1 id="heading">Cards</h1>', "<h1> </h1>"),
        ("<h2>More</h2>", "<h1>More</h1>"),
        ("<h2>More</h2>", "<h3>More</h3>"),
        ("<h2>More</h2>", '<h2 id="name">More</h2>'),
        ("<h2>More</h2>", '<div aria-labelledby="none">More</div>'),
        ("<h2>More</h2>", "<nav>More</nav>"),
        ("<h2>More</h2>", '<p style="color: red">More</p>'),
        ("<h2>More</h2>", '<p onclick="go()">More</p>'),
        ("<h2>More</h2>", '<p hx-on:click="go()">More</p>'),
        ("<h2>More</h2>", "<style>p { color: red }</style>"),
        ("<h2>More</h2>", "<script>go()</script>"),
        ("<h2>More</h2>", '<script src="https://example.com/x.js"></script>'),
        ("<h2>More</h2>", '<script src="/static/none.js"></script>'),
        ("<h2>More</h2>", '<img src="//example.com/x.png" alt="X">'),
        ("<h2>More</h2>", '<img src="/x.png">'),
        ("<h2>More</h2>", '<meta http-equiv="refresh" content="3;url=https://example.com">'),
        ("<h2>More</h2>", '<div hx-get="https://example.com"></div>'),
        ("<h2>More</h2>", '<a href="javascript:go()">More</a>'),
        ("<h2>More</h2>", '<a href="#none">More</a>'),
        (' aria-hidden="true"', ""),
        ("</svg>Up", "</svg>"),
        (' action="/x"', ""),
        (' method="post"', ""),
        ('<input type="hidden" name="csrf_token" value="t">', ""),
        ('name="csrf_token" value="t"', 'name="csrf_token" value=""'),
        ('<label for="name">Name</label>', ""),
        ("Name</label>", "</label>"),
        ('<button type="submit">Send</button>', ""),
        ("Send</button>", "</button>"),
        (' data-failed="0"', ""),
        (' data-total="1"', ' data-total="1,000"'),
        (' data-status="RUNNING"', ""),
    ],
)
def test_each_rule_notices_when_it_is_broken(right: str, wrong: str) -> None:
    assert PAGE.count(right) == 1
    assert len(faults(PAGE.replace(right, wrong))) >= 1
