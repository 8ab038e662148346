"""Golden cases, and ways to run the command beside the library."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
CDNOW_PERIODS = ROOT / "examples/data/cdnow_periods.csv"
CDNOW_ORDERS = ROOT / "examples/data/cdnow_transactions.csv"


def command() -> str:
    """The command: the one that the wheel installed, or one that was built."""
    beside = Path(sys.executable).with_name("lensflow")
    found = os.environ.get("LENSFLOW") or (str(beside) if beside.exists() else None) or shutil.which("lensflow")
    if found is None:
        pytest.skip("there is no command lensflow")
    return found


@dataclass(frozen=True)
class Golden:
    """A golden case: its input, what is asked of it, and the answers."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def text(self, name: str) -> str:
        packed = self.folder / f"{name}.gz"
        return gzip.decompress(packed.read_bytes()).decode() if packed.exists() else (self.folder / name).read_text()

    @cached_property
    def case(self) -> dict[str, Any]:
        return json.loads((self.folder / "case.json").read_text())

    @cached_property
    def expected(self) -> dict[str, Any]:
        return json.loads((self.folder / "expected.json").read_text())

    @cached_property
    def csv(self) -> str:
        return CDNOW_PERIODS.read_text() if self.name == "50_cdnow_quarters" else self.text("periods.csv")

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(self.csv.splitlines()))

    @property
    def rfm(self) -> list[dict[str, str]]:
        return list(csv.DictReader(self.text("expected_rfm.csv").splitlines()))

    @property
    def options(self) -> dict[str, Any]:
        """What is asked, as keywords."""
        windows = [
            f"{w['name']}={w['start']}..{w['end']}" + (f"@{w['observation_end']}" if "observation_end" in w else "")
            for w in self.case["windows"]
        ]
        return {"windows": windows, "percentiles": self.case["percentiles"], "bins": self.case["bins"]}

    @property
    def flags(self) -> list[str]:
        """What is asked, as flags."""
        options = self.options
        flags = [part for window in options["windows"] for part in ("--window", window)]
        return [*flags, "--percentiles", ",".join(map(str, options["percentiles"])), "--bins", str(options["bins"])]


GOLDEN = sorted((ROOT / "tests/data/golden").glob("*/case.json"))


@pytest.fixture(params=[path.parent for path in GOLDEN], ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.param)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Runs the command in a folder of its own; gives what it printed."""

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([command(), *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
