"""Files around the package: CI runs what `make check` runs, and the forms can be read."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
if not (ROOT / "Makefile").is_file():
    pytest.skip("only in a checkout", allow_module_level=True)

TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def recipes():
    """The commands of each target of the Makefile, and its targets before it."""
    commands, needs, target = {}, {}, ""
    for line in (ROOT / "Makefile").read_text().splitlines():
        if found := re.match(r"([\w./-]+):(?!=)\s*([^#]*)", line):
            target = found[1]
            commands[target], needs[target] = [], found[2].split()
        elif line.startswith("\t"):
            commands[target].append(line.strip().replace("$(BIN)/", ""))
    return commands, needs


def steps(workflow):
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def all_commands(target):
    commands, needs = recipes()
    return [c for need in needs[target] if need != "install" for c in all_commands(need)] + (
        commands[target]
    )


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_every_command_of_a_workflow_is_in_the_makefile(workflow):
    commands, _ = recipes()
    known = [command for lines in commands.values() for command in lines]
    for step in steps(workflow):
        for line in step.get("run", "").splitlines():
            if line.startswith("make "):
                assert line.removeprefix("make ") in commands, line
            else:
                assert line in known, line


def test_windows_runs_the_commands_of_make_check():
    (windows,) = (s for s in steps(WORKFLOWS[0]) if s.get("if") == "runner.os == 'Windows'")
    install, *commands = windows["run"].splitlines()
    assert commands == all_commands("check") and install in recipes()[0][".venv/installed"]


def test_ci_runs_on_three_systems_and_every_python():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())["jobs"]
    matrix = jobs["check"]["strategy"]["matrix"]
    assert {os.split("-")[0] for os in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert any(step.get("run") == "make build" for step in jobs["build"]["steps"])


def test_make_check_is_lint_and_tests():
    assert recipes()[1]["check"] == ["lint", "test"]
    assert "python -m benchmarks tables --check" in all_commands("lint")


def test_hooks_run_the_tools_of_make_lint():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    linted = all_commands("lint")
    for entry in entries:
        tool = entry.removeprefix(".venv/bin/")
        assert any(
            command.replace(" --check .", "").startswith(tool) or command == tool
            for command in linted
        ), entry
    assert len(entries) == len(linted)


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.stem)
def test_a_form_asks_something(file):
    form = yaml.safe_load(file.read_text())
    if file.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert form["name"] and form["description"]
    identifiers = [field["id"] for field in form["body"]]
    assert identifiers and len(set(identifiers)) == len(identifiers)
    for field in form["body"]:
        assert field["type"] in ("textarea", "input", "checkboxes") and field["attributes"]["label"]


def test_a_bug_report_asks_for_fewmask_doctor():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug_report.yml").read_text())
    (info,) = (field for field in form["body"] if "fewmask doctor" in field["attributes"]["label"])
    assert info["validations"] == {"required": True}


def test_the_citation_names_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["license"] == "MIT"
    assert citation["authors"] == [{"name": "The fewmask developers"}]
    assert citation["title"].startswith("fewmask") and citation["abstract"] and citation["message"]


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md")),
        "SECURITY.md",
    ],
)
def test_links_between_pages_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)", text):
        file = ((ROOT / page).parent / target).resolve() if target else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in heads}
            assert anchor in slugs, f"{page}: {target}#{anchor}"
