"""The vendored libraries are those of the lock, and the pages load nothing else."""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

WEB = Path(str(resources.files("llcphone.console"))) / "web"
VENDOR = WEB / "vendor"
LOCK = tomllib.loads((VENDOR / "lock.toml").read_text("utf-8"))
VENDORED = {file["name"]: (package, file) for package in LOCK["package"] for file in package["files"]}
OURS = sorted(path for path in WEB.rglob("*") if path.is_file() and VENDOR not in path.parents)
SCRIPTS = [path for path in OURS if path.suffix == ".js"]
LICENSES = {"MIT", "Apache-2.0", "BSD-3-Clause"}
"""Those of the wheel's metadata."""


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(WEB)) for path in paths]


def test_each_vendored_file_is_the_one_of_the_lock_and_none_is_unlisted() -> None:
    there = {path.name for path in VENDOR.iterdir()}
    assert there == {"lock.toml", "LICENSES.txt", *VENDORED}
    for name, (_, file) in VENDORED.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == file["sha256"], name


def test_each_package_is_pinned_and_its_licence_is_shipped() -> None:
    texts = (VENDOR / "LICENSES.txt").read_text("utf-8")
    for package in LOCK["package"]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"])
        assert package["license"] in LICENSES
        assert f"{package['name']} {package['version']} ({package['license']})" in texts
    assert texts.count("Permission is hereby granted, free of charge") + texts.count("Apache License") >= len(
        LOCK["package"]
    )


def test_the_wheel_says_under_which_licences_it_is() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    said = set(project["license"].split(" AND "))
    assert {"MIT", *(package["license"] for package in LOCK["package"])} == said
    assert "llcphone/console/web/vendor/LICENSES.txt" in project["license-files"]


@pytest.mark.parametrize("name", sorted(VENDORED))
def test_a_library_makes_no_code_and_no_request(name: str) -> None:
    source = (VENDOR / name).read_text("utf-8")
    assert not re.search(r"\beval\(|new Function|importScripts|sourceMappingURL", source)
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket", source)
    assert all(module.startswith("./") for module in re.findall(r"""from\s*["']([^"']+)""", source))


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_a_script_of_ours_writes_no_html_and_makes_no_code(path: Path) -> None:
    source = path.read_text("utf-8")
    assert not re.search(r"(inner|outer|Adjacent|SetInner)HTML|document\.write", source)
    assert not re.search(r"\beval\(|new Function", source)
    assert not re.search(r"setTimeout\(\s*[\"'`]", source)


@pytest.mark.parametrize("path", OURS, ids=names(OURS))
def test_nothing_of_ours_comes_from_elsewhere(path: Path) -> None:
    source = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(src|href|url|import|from)\W{1,3}(https?:)?//", source)


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_each_import_is_a_file_that_is_there(path: Path) -> None:
    source = path.read_text("utf-8")
    for target in re.findall(r'^(?:import|export)\b[^;"]*"(\.[^"]+)";', source, re.M):
        assert (path.parent / target).resolve().is_file(), target


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_a_script_can_be_read_in_one_sitting_and_says_what_it_is_for(path: Path) -> None:
    source = path.read_text("utf-8")
    assert source.startswith("//")
    assert source.count("\n") <= 340


def test_the_page_has_nothing_inline() -> None:
    page = (WEB / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", page)
