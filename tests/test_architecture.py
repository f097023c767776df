"""The house stands: imports go down only, things have one home, files and functions are short."""

import ast
import re
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import fewmask
from fewmask.run_folder.paths import RunPaths

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
# What rooms must not know, whatever the floors are: parts know tensors and modules only, a method
# runs on random tensors, and data and evaluation serve any method.
FORBIDDEN = {
    "parts": {"data", "models", "evaluation", "methods", "run_folder", "engine", "recipes"},
    "data": {"models", "evaluation", "methods", "run_folder", "engine", "recipes"},
    "models": {"data", "evaluation", "methods", "run_folder", "engine", "recipes"},
    "evaluation": {"methods", "run_folder", "engine", "recipes"},
    "methods": {"data", "evaluation", "run_folder", "engine", "recipes"},
    "run_folder": {"methods", "models"},
    "recipes": {"run_folder", "report"},
}


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
    """Dotted names of everything a module imports, also inside functions and by import_module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            yield from strings(node.args)


def called(call: ast.Call) -> str:
    """The last name of what is called: `import_module` of `importlib.import_module(...)`."""
    return ast.unparse(call.func).rpartition(".")[2]


def strings(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The strings among expressions, and the fixed pieces of f-strings."""
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            yield from strings(node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


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


def test_rooms_do_not_know_what_they_must_not():
    trees = modules()
    for name, tree in trees.items():
        rooms = {target.split(".")[0] for target in own_imports(tree, set(trees))}
        assert not rooms & FORBIDDEN.get(name.split(".")[0], set()), name


def test_names_are_imported_from_the_modules_that_hold_them():
    """`from fewmask import Run` would import `runs` without an arrow that the tests above see."""
    rooms = {name.split(".")[0] for name in modules()}
    for name, tree in modules().items():
        for target in imports(tree):
            package, _, inner = target.partition(".")
            assert package != "fewmask" or inner.split(".")[0] in rooms, f"{name}: {target}"


def test_a_registry_names_classes_of_its_own_room():
    """`find` imports these strings, so they are arrows too."""
    for name, tree in modules().items():
        for text in strings(ast.walk(tree)):
            if found := re.fullmatch(r"fewmask\.(\w+)[\w.]*:\w+", text):
                assert found[1] == name.split(".")[0], f"{name}: {text}"


def test_sub_rooms_of_a_room_form_no_circle():
    """`data.sources` may import from `data.lists`, but not both from each other."""
    trees = modules()
    graph: dict[str, set[str]] = {}
    for name, tree in trees.items():
        for target in own_imports(tree, set(trees)):
            start, end = sub_room(name), sub_room(target)
            if start and end and start != end and start.split(".")[0] == end.split(".")[0]:
                graph.setdefault(start, set()).add(end)
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def sub_room(module: str) -> str | None:
    """The folder inside a room that a module lies in, such as `data.sources`."""
    room, _, rest = module.partition(".")
    inner = rest.partition(".")[0]
    return f"{room}.{inner}" if inner and (SOURCE / room / inner).is_dir() else None


def test_few_arrows_lead_from_room_to_room():
    """An arrow is a pair of rooms, of which the first imports from the second: 90 in 0.2.0."""
    trees = modules()
    arrows = {
        (name.split(".")[0], target.split(".")[0])
        for name, tree in trees.items()
        for target in own_imports(tree, set(trees))
    }
    assert len({(start, end) for start, end in arrows if start != end}) <= 90


def test_words_are_parsed_in_cli_and_api_only():
    """Everything below takes a Recipe, or settings that are nested already."""
    for name, tree in modules().items():
        if name.split(".")[0] not in ("cli", "api"):
            used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            used |= {alias.rpartition(".")[2] for alias in imports(tree)}
            assert not used & {"parse_options", "split_words", "recipe_from_words"}, name


def test_one_module_names_the_files_of_a_run_folder():
    properties = [name for name, value in vars(RunPaths).items() if isinstance(value, property)]
    paths = [getattr(RunPaths(Path()), name) for name in properties]
    parts = {part for path in paths if isinstance(path, Path) for part in path.parts}
    files = {part for part in parts if "." in part}
    assert {"recipe.yaml", "results.csv", "metrics.jsonl", "last.pt", "best.pt"} < files
    folders = parts - files
    assert folders == {"weights", "splits", "plots", "rank", "tb", "export"}
    found = {}
    for name, tree in modules().items():
        if used := files & {*file_names(tree)} | folders & {*path_parts(tree)}:
            found[name] = used
    # A pool's cache and a published dataset have something of the same name, but not of runs.
    assert found.pop("data.pool.name_index", set()) <= {"facts.json"}
    assert found.pop("data.sources.published_dataset", set()) <= {"splits"}
    assert [*found] == ["run_folder.paths"], found


def file_names(tree: ast.Module) -> Iterator[str]:
    """Every string in a module, and for paths in one string their last part."""
    for text in strings(ast.walk(tree)):
        yield text.rpartition("/")[2]


def path_parts(tree: ast.Module) -> Iterator[str]:
    """The parts of every string that is joined to a path: `folder / "weights"`, `joinpath`."""
    for node in ast.walk(tree):
        joined: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            joined = [node.left, node.right]
        elif isinstance(node, ast.Call) and called(node) == "joinpath":
            joined = node.args
        elif isinstance(node, ast.Call) and called(node) == "Path":
            joined = node.args[1:]  # the first is the folder that the others are joined to
        for text in strings(joined):
            yield from text.split("/")


def test_files_are_short():
    long = {}
    for file in SOURCE.rglob("*.py"):
        lines = len(file.read_text().splitlines())
        if lines > 250:
            long[file.relative_to(SOURCE).as_posix()] = lines
    assert long == {}, "split them by better nouns"


# The step of a method reads from top to bottom like the paper's algorithm; style.md wants it whole.
WHOLE = {"methods.imas.step", "methods.pcr.step", "methods.gta.step", "methods.pseudoseg.step"}


def test_functions_are_short():
    """Lines of code, without the signature and the docstring: these are help, not complexity."""
    long = {}
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and f"{name}.{node.name}" not in WHOLE:
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > 30:
                    long[f"{name}.{node.name}"] = lines
    assert long == {}


def test_every_module_has_a_test_file_of_its_own():
    tests, missing = Path(__file__).parent, set()
    for name, tree in modules().items():
        has_code = any(isinstance(n, ast.FunctionDef | ast.ClassDef) for n in tree.body)
        *rooms, module = name.split(".")
        is_package = (SOURCE / name.replace(".", "/")).is_dir()
        if has_code and not is_package and not has_tests(Path(tests, *rooms, f"test_{module}.py")):
            missing.add(name)
    assert missing <= TESTED_ELSEWHERE, missing - TESTED_ELSEWHERE


def has_tests(file: Path) -> bool:
    """Whether a file exists and holds a test."""
    return file.is_file() and any(
        isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
    )


TESTED_ELSEWHERE = {
    "errors",  # one exception class without code
    "models.encoders.stages",  # two lists, tested with the decoders that read them
}


def test_methods_do_not_know_each_other():
    """A method knows the contract, and the ablations of its own paper."""
    trees = modules()
    for name, tree in trees.items():
        room, _, file = name.rpartition(".")
        inside = {t for t in own_imports(tree, set(trees)) if t.startswith("methods")}
        if room == "methods" and file not in ("method", "ablations"):
            assert inside <= {"methods.method", f"methods.ablations.{file}"}, name
        elif room == "methods.ablations":
            assert inside <= {"methods.method", "methods.ablations.row"}, name


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
        "runs.duration",
        "tasks.evaluate",
        "tasks.train",
    }
