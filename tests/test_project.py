"""The project around the program: make, container, documentation, checks."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from bot.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "prompts").rglob("README.md")])
TARGETS = (
    *("help", "chat", "test", "lint", "format", "types", "contracts", "check", "model", "clean"),
    *("bench", "bench-channels", "chaos"),
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# -- make and checks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_the_target_and_help_lists_it(target: str) -> None:
    dry = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"make {target} " in told


def test_every_make_target_in_the_documents_exists() -> None:
    named = {name for path in DOCUMENTS for name in re.findall(r"`make ([a-z]+)", path.read_text(encoding="utf-8"))}
    assert named - set(TARGETS) == set()


@pytest.mark.parametrize("script", [".ci/run", "scripts/setup.sh"])
def test_a_script_can_be_parsed_by_its_shell(script: str) -> None:
    shell = "bash" if "bash" in read(script).partition("\n")[0] else "sh"
    subprocess.run([shell, "-n", str(ROOT / script)], check=True)


def test_continuous_integration_runs_every_check() -> None:
    script = read(".ci/run")
    for target in ("test", "lint", "types", "contracts"):
        assert f"make {target}" in script


# -- requirements -------------------------------------------------------------------------------------------


def pinned() -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in read("constraints.txt").splitlines())
    pairs = (line.split("==") for line in lines if line)
    return {canonicalize_name(name): version for name, version in pairs}


def requirements() -> Iterator[Requirement]:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    for lines in (project["dependencies"], *project["optional-dependencies"].values()):
        yield from map(Requirement, lines)


@pytest.mark.parametrize("requirement", sorted(requirements(), key=str), ids=str)
def test_every_requirement_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pinned()[canonicalize_name(requirement.name)])


def test_everything_that_a_requirement_brings_is_pinned() -> None:
    """Of what is installed here; other systems may bring more."""
    missing, seen = set(), set[str]()
    waiting = [canonicalize_name(requirement.name) for requirement in requirements()]
    while waiting:
        name = waiting.pop()
        if name in seen or not (needs := _needs(name)):
            continue
        seen.add(name)
        missing |= {name} - set(pinned())
        waiting += needs[1:]
    assert missing == set()


def _needs(name: NormalizedName) -> list[NormalizedName]:
    """The package itself and what it needs; empty where it is not installed."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    needed = [Requirement(line) for line in lines]
    return [name] + [
        canonicalize_name(need.name) for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})
    ]


# -- container ----------------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
    return loaded


def own_services() -> list[dict[str, Any]]:
    return [service for service in compose()["services"].values() if service["image"] == "parley"]


def test_our_containers_have_no_rights_that_they_do_not_need() -> None:
    assert own_services()
    for service in own_services():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["mem_limit"]
        assert service["init"]


def test_no_container_is_reachable_from_outside_and_none_is_privileged() -> None:
    for service in compose()["services"].values():
        assert not {"ports", "privileged", "network_mode"} & set(service)


def test_what_a_service_names_is_declared() -> None:
    file = compose()
    for service in file["services"].values():
        assert {str(volume).partition(":")[0] for volume in service.get("volumes", ())} <= set(file["volumes"])
        assert set(service.get("secrets", ())) <= set(file["secrets"])
        assert set(service.get("depends_on", ())) <= set(file["services"])


@pytest.mark.parametrize("profile", ["postgres", "vllm"])
def test_a_profile_adds_a_server_and_one_of_ours_that_waits_for_it(profile: str) -> None:
    services = {name: one for name, one in compose()["services"].items() if one.get("profiles") == [profile]}
    assert set(services) == {profile, f"parley-{profile}"}
    assert services[f"parley-{profile}"]["depends_on"][profile] == {"condition": "service_healthy"}
    assert services[profile]["healthcheck"]


def test_variables_of_our_containers_configure_parley(tmp_path: Path) -> None:
    from bot.config import load

    secret = tmp_path / "secret"
    secret.write_text("postgresql://parley:x@postgres/parley", encoding="utf-8")
    for service in own_services():
        variables = {
            name: str(secret) if name.endswith("_FILE") else re.sub(r"\$\{\w+:-(.*)}", r"\1", value)
            for name, value in service.get("environment", {}).items()
        }
        assert (
            load(environment=variables).origins.keys() >= {"storage.url"} or "PARLEY_STORAGE__URL_FILE" not in variables
        )


def test_a_password_is_never_a_value() -> None:
    for service in compose()["services"].values():
        for name in service.get("environment", {}):
            assert name.endswith("_FILE") or not re.search(r"PASSWORD|KEY|TOKEN|SECRET|URL$(?<!BASE_URL)", name), name


def test_the_image_holds_only_what_the_program_is_made_of() -> None:
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    packages = set(tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert allowed == packages | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    copied = {
        name for line in re.findall(r"^COPY (?!--)(.*)", read("Dockerfile"), re.MULTILINE) for name in line.split()[:-1]
    }
    assert copied == allowed


def test_the_image_does_not_run_as_root() -> None:
    final = read("Dockerfile").rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!root)", final, re.MULTILINE)
    assert "HEALTHCHECK" in final


# -- documents ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    code = r"```.*?```|`[^`\n]*`|^    .*?$"
    text = re.sub(code, "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"]\(([^)#\s]+)[^)]*\)", text)
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


def test_the_readme_names_every_command_of_the_program() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert [name for name in COMMANDS if f"parley {name}" not in text] == []


def test_every_extra_is_documented() -> None:
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    assert [name for name in extras if f"| `{name}` |" not in read("docs/operating.md")] == []


def test_every_page_is_linked_from_the_readme_or_the_guide_for_contributors() -> None:
    text = read("README.md") + read("CONTRIBUTING.md")
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert [name for name in pages if f"docs/{name}" not in text] == []


def test_the_changelog_begins_with_what_is_unreleased_or_with_this_version() -> None:
    first = re.search(r"^## (.*)", read("CHANGELOG.md"), re.MULTILINE)
    assert first
    assert first[1] == "Unreleased" or metadata.version("parley") in first[1]
