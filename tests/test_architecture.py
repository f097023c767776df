"""The house stands: imports go down only, without circles, and distribution stays in few rooms."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import fewmask

SOURCE = Path(fewmask.__file__).parent
FLOORS = {  # an import goes to a lower floor, or stays inside one's own folder
    "errors": 0, "version": 0, "atomic": 0,
    "batch": 1, "config": 1,
    "parts": 2,
    "data": 3,
    "models": 4,
    "evaluation": 5, "methods": 5,
    "run_folder": 6,
    "engine": 7, "report": 7,
    "recipes": 8,
    "runs": 9,
    "tasks": 10,
    "cli": 11, "api": 12, "__main__": 12,
}  # fmt: skip


def modules() -> dict[str, ast.Module]:
    """Every module of the package by dotted name, parsed."""
    found = {}
    for file in SOURCE.rglob("*.py"):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        if parts != ("__init__",):
            found[".".join(part for part in parts if part != "__init__")] = ast.parse(
                file.read_text()
            )
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything a module imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(tree: ast.Module, known: set[str]) -> set[str]:
    """The modules of this package that a module imports."""
    targets = set()
    for name in imports(tree):
        if name.startswith("fewmask."):
            inner = name.removeprefix("fewmask.")
            while inner and inner not in known:
                inner = inner.rpartition(".")[0]
            targets.add(inner)
    return targets - {""}


def test_every_module_has_a_floor():
    assert {name.split(".")[0] for name in modules()} == set(FLOORS)


def test_imports_go_down():
    trees = modules()
    for name, tree in trees.items():
        room = name.split(".")[0]
        for target in own_imports(tree, set(trees)):
            other = target.split(".")[0]
            assert other == room or FLOORS[other] < FLOORS[room], f"{name} imports {target}"


def test_methods_do_not_know_each_other():
    trees = modules()
    for name, tree in trees.items():
        if name.startswith("methods.") and name != "methods.method":
            inside = {t for t in own_imports(tree, set(trees)) if t.startswith("methods")}
            assert inside <= {"methods.method"}, name


def test_files_of_a_folder_form_no_circle():
    trees = modules()
    graph = {
        name: {t for t in own_imports(tree, set(trees)) if t != name}
        for name, tree in trees.items()
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_distribution_is_named_in_few_files():
    def users(library: str) -> set[str]:
        return {
            n for n, tree in modules().items() if any(i.startswith(library) for i in imports(tree))
        }

    checkpointing = (
        "models.encoders.recomputing"  # torch keeps its wrapper in a folder of that name
    )
    assert users("torch.distributed") == {"parts.processes", checkpointing}
    assert users("lightning_fabric") == {
        "engine.launch",
        "engine.minimizer",
        "engine.run_precision",
        "engine.setup",
        "engine.sync_batchnorm",
        "engine.trainer",
        "engine.validation",
        "runs.build",
        "tasks.evaluate",
        "tasks.train",
    }
