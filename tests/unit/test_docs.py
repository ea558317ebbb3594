"""What the documents say about the tests is so."""

import re

import pytest

from tests.processes import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
#: A test file below ``tests``, and a test in it where one is named.
_NAMED = re.compile(r"(?:tests/)?((?:[a-z_0-9]+/)+test_[a-z_0-9]+\.py)(?:::([A-Za-z_0-9]+))?")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_a_document_names_exists(document) -> None:
    missing = []
    for file, test in _NAMED.findall(document.read_text(encoding="utf-8")):
        path = ROOT / "tests" / file
        if not path.exists() or (test and f"def {test}(" not in path.read_text(encoding="utf-8")):
            missing.append(f"{file}::{test}")
    assert missing == []
