"""The page's examples, run where the page's paths lead somewhere."""

from __future__ import annotations

import doctest
import os
from pathlib import Path

import pytest
from conftest import ROOT

PAGE = Path(__file__).resolve().parents[1] / "README.md"


def test_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    results = doctest.testfile(os.fspath(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS, verbose=False)
    assert results.attempted > 40
    assert results.failed == 0
