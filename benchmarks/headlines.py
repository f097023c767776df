"""The tables that choose figures from several results: the README's, and the one for scaling."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from benchmarks.record import Result
from fewmask.report.charts import line_chart
from fewmask.report.page import svg

Results = Mapping[str, Result]
"""All stored results by file name."""
METHODS = ("supervised", "FewMatch", "iMAS", "PCR", "GTA-Seg", "PseudoSeg")
CPU = "amd-epyc-2-threads"
"""The machine of the README. docs/benchmarks.md shows all of them."""
SCENES = "scenes.amd-epyc-2-cores.json"
ONE_CORE = "amd-epyc-1-thread"
GPU = "intel-r-xeon-r-processor-1-thread-nvidia-h100-80gb-hbm3"
ANIMALS, CAMVID = "VOC animals, 3,131 photos", "CamVid, 367 frames"
VIDEOS = ("0001tp", "0006r0", "0016e5")
CURVES = f"curves.{ONE_CORE}.json"
ALL = "supervised-fewmatch-imas-pcr-gta-pseudoseg"
PHOTOS = (
    (
        ANIMALS,
        "28",
        f"animals-supervised-fewmatch-imas.{ONE_CORE}",
        f"animals-pcr-gta-pseudoseg.{GPU}",
    ),
    (ANIMALS, "55", f"animals-{ALL}-labeled-55.{GPU}"),
    (ANIMALS, "110", f"animals-{ALL}-labeled-110.{GPU}"),
    (
        CAMVID,
        "23",
        f"camvid-supervised-fewmatch.{ONE_CORE}",
        f"camvid-imas.{GPU}",
        f"camvid-pcr-gta-pseudoseg.{GPU}",
    ),
    (CAMVID, "46", f"camvid-{ALL}-labeled-46.{GPU}"),
    (
        "CamVid, each of 3 videos held out",
        "23",
        *(f"camvid-supervised-fewmatch-held-out-{v}.{GPU}" for v in VIDEOS),
    ),
)
"""Real images: data, labels, and the files with the results."""


def scores(results: Results) -> str:
    """The mean mIoU of each method on every data set."""
    rows = [
        [name, labels, *_means(*(results[f"{file}.json"] for file in files))]
        for name, labels, *files in PHOTOS
    ]
    rows.append(["built-in scenes, 272", "16", *_means(results[SCENES])])
    return markdown(["data", "labels", *METHODS], rows)


def _means(*found: Result) -> list[str]:
    """A cell for each method: the mean over the results that hold it; empty if none does."""
    figures = [f for result in found for f in result.figures if f.quantity == "mean mIoU"]
    scores = [[f.value for f in figures if f.subject == method] for method in METHODS]
    return [f"{mean(values):.1f}" if values else "" for values in scores]


def curves(results: Results) -> str:
    """The picture of the README: mIoU over a long run, as SVG."""
    series: dict[str, list[tuple[float, float]]] = {}
    for figure in results[CURVES].figures:
        series.setdefault(figure.subject, []).append(
            (int(figure.quantity.split()[0]), figure.value)
        )
    title = "VOC animals, 28 labels: mIoU (%) after so many steps"
    return svg(line_chart(title, series, y_range=(20, 60)))


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
PICTURES: dict[str, Callable[[Results], str]] = {"docs/curves.svg": curves}
"""By the file that each is written to."""
