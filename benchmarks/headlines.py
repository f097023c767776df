"""The tables that choose figures from several results: the README's, and the one for scaling."""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.record import Result

Results = Mapping[str, Result]
"""All stored results by file name."""
METHODS = ("supervised", "FewMatch", "iMAS", "PCR", "GTA-Seg", "PseudoSeg")
CPU = "amd-epyc-2-threads"
"""The machine of the README. docs/benchmarks.md shows all of them."""
SCENES = "scenes.amd-epyc-2-cores.json"
PHOTOS = {
    "VOC animals, 3,103 unlabeled photos": (
        "28",
        "animals-supervised-fewmatch-imas.amd-epyc-1-thread.json",
    ),
    "CamVid, 344 unlabeled frames": ("23", "camvid-supervised-fewmatch.amd-epyc-1-thread.json"),
}
"""Real images: labels and results."""


def scores(results: Results) -> str:
    """The mean mIoU of each method on every data set."""
    rows = [[name, labels, *_means(results[file])] for name, (labels, file) in PHOTOS.items()]
    rows.append(["built-in scenes, 240 unlabeled", "16", *_means(results[SCENES])])
    return markdown(["data", "labels", *METHODS], rows)


def _means(result: Result) -> list[str]:
    """A cell for each method, empty for one that was not measured."""
    means = {f.subject: f"{f.value}" for f in result.figures if f.quantity == "mean mIoU"}
    return [means.get(method, "") for method in METHODS]


def speed(results: Results) -> str:
    """How much faster than a typical research implementation."""
    loader = results[f"loader.{CPU}.json"]
    rows = []
    for precision, file in (("fp32", "imas"), ("bf16", "imas-precision-bf16")):
        result = results[f"{file}.{CPU}.json"]
        times = result.value("whole step", "speedup")
        memory = result.value("whole step", "memory ratio")
        rows.append([f"a training step of iMAS, {precision}", f"{times} x", f"{memory} x"])
    for subject in dict.fromkeys(figure.subject for figure in loader.figures):
        rows.append([f"loading: {subject}", f"{loader.value(subject, 'speedup')} x", ""])
    return markdown(["", "faster", "peak memory"], rows)


def per_image(results: Results) -> str:
    """The cost of a step divided by its unlabeled images, for the estimate in docs/scaling.md."""
    small, large = results[f"steps.{CPU}.json"], results[f"steps-crop-513.{CPU}.json"]
    share = "share of the bfloat16 matrix rate"
    rows = []
    for label, method in (
        ("PCR", "pcr"),
        ("PseudoSeg", "pseudoseg"),
        ("GTA-Seg", "gta"),
        ("iMAS, mixing", "imas"),
    ):
        arithmetic = [
            result.value(method, "arithmetic") / result.settings["batch"]
            for result in (small, large)
        ]
        seconds = large.value(method, "step") / 1000 / large.settings["batch"]
        rows.append(
            [label, *(f"{x:.3g}" for x in arithmetic), f"{seconds:.1f} s"]
            + [f"{large.value(method, share)} %"]
        )
    heads = ["321: TFLOP", "513: TFLOP", "513, two CPU cores in bf16", "share of their matrix rate"]
    return markdown(["", *heads], rows)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown: the first column to the left, the numbers to the right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(
        "|" + "".join(f" {cell} |" if cell else " |" for cell in line)
        for line in (heads, rule, *rows)
    )


TABLES: dict[str, Callable[[Results], str]] = {
    "scores": scores,
    "speed": speed,
    "per-image": per_image,
}
"""By the name that a page gives to its region."""
