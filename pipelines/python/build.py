#!/usr/bin/env python3
"""Builds the wheel, with the command inside.

    python build.py                          for this machine, into target/wheels
    python build.py --portable               for any Linux of this architecture (manylinux), with zig
    python build.py --target aarch64-unknown-linux-gnu --portable
    python build.py --profile dev            quickly, to try something out

The command is built first, and put into the folder from which an installer takes commands; then maturin builds the wheel. Needed are cargo
and maturin (pip install maturin); for --portable also zig and cargo-zigbuild (pip install ziglang cargo-zigbuild), and the target
(rustup target add TARGET). What is missing is said before anything is built.

Source is packed by maturin (maturin sdist). What pip builds of it is the library without the command.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: The oldest C library that portable wheels run with.
GLIBC = "2.28"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="dist", help="cargo's profile: dist, release or dev [default: dist]")
    parser.add_argument("--out", type=Path, help="the folder for the wheel [default: target/wheels]")
    parser.add_argument("--target", help="another architecture or system, as rustc calls it")
    parser.add_argument("--portable", action="store_true", help=f"for any Linux with glibc {GLIBC} or newer")
    asked = parser.parse_args()
    missing = needed(asked)
    if missing:
        sys.exit("this cannot be built here: " + "; ".join(missing))
    folder = HERE / f"lensflow-{version()}.data" / "scripts"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(command(asked), folder)
        wheel(asked)
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)


def needed(asked: argparse.Namespace) -> list[str]:
    """What is needed and not there."""
    missing = [f"there is no {name}" for name in ("cargo", "maturin") if not (shutil.which(name) or there(name))]
    if asked.portable:
        if not (shutil.which("zig") or there("ziglang")):
            missing.append("there is no zig (pip install ziglang)")
        if not shutil.which("cargo-zigbuild"):
            missing.append("there is no cargo-zigbuild (pip install cargo-zigbuild)")
    if asked.target and shutil.which("rustup"):
        done = subprocess.run(["rustup", "target", "list", "--installed"], capture_output=True, text=True, check=False)
        if asked.target not in done.stdout.split():
            missing.append(f"there is no standard library for {asked.target} (rustup target add {asked.target})")
    return missing


def there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def metadata() -> dict[str, object]:
    text = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--manifest-path", str(HERE / "Cargo.toml")]
    return json.loads(subprocess.run(text, capture_output=True, text=True, check=True).stdout)  # type: ignore[no-any-return]


def version() -> str:
    packages = metadata()["packages"]
    assert isinstance(packages, list)
    return next(str(package["version"]) for package in packages if package["name"] == "lensflow-python")


def command(asked: argparse.Namespace) -> Path:
    """Builds the command; gives its file."""
    build = ["cargo", "zigbuild" if asked.portable else "build", "--locked", "--bin", "lensflow", "--profile", asked.profile]
    if triple := triple_of(asked):
        build += ["--target", f"{triple}.{GLIBC}" if asked.portable else triple]
    run(build)
    folder = Path(str(metadata()["target_directory"]))
    folder = folder / triple if triple else folder
    folder /= "debug" if asked.profile == "dev" else asked.profile
    built = next(file for file in (folder / "lensflow", folder / "lensflow.exe") if file.exists())
    if asked.portable and (needs := glibc(built)) > tuple(map(int, GLIBC.split("."))):
        sys.exit(f"the command needs glibc {'.'.join(map(str, needs))}, and is not as portable as it should be")
    return built


def glibc(program: Path) -> tuple[int, ...]:
    """The C library that a program needs: maturin looks at the module alone, not at the command beside it."""
    found = re.findall(rb"GLIBC_(\d+)\.(\d+)", program.read_bytes())
    return max((tuple(map(int, version)) for version in found), default=(0, 0))


def triple_of(asked: argparse.Namespace) -> str | None:
    """What is built for, where that must be said: zig's builds for this machine, too, have a folder of their own."""
    return asked.target or (host() if asked.portable else None)


def host() -> str:
    text = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    return next(line.split()[1] for line in text.splitlines() if line.startswith("host:"))


def wheel(asked: argparse.Namespace) -> None:
    build = [*maturin(), "build", "--manifest-path", str(HERE / "Cargo.toml"), "--profile", asked.profile]
    if asked.out:
        build += ["--out", str(asked.out.resolve())]
    if triple := triple_of(asked):
        build += ["--target", triple]
    if asked.portable:
        build += ["--zig", "--compatibility", "manylinux_" + GLIBC.replace(".", "_")]
    run(build)


def maturin() -> list[str]:
    return ["maturin"] if shutil.which("maturin") else [sys.executable, "-m", "maturin"]


def run(arguments: list[str]) -> None:
    print("+", " ".join(arguments), flush=True)
    done = subprocess.run(arguments, cwd=ROOT, env={**os.environ}, check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
