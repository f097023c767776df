"""The report: one page that opens anywhere, says what is so, and harms nobody."""

import re
import shutil
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from fewmask import api
from fewmask.errors import UserError
from fewmask.runs.run import Run, open_runs
from fewmask.tasks import report
from tests.program import TINY_PHOTOS, fewmask

EVIL = "<img src=x onerror=document.title='harm'>"


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A supervised and an iMAS run on photos whose names and classes mean harm."""
    rng = np.random.default_rng(0)
    base = tmp_path_factory.mktemp("report")
    for kind in ("images", "masks"):
        (base / "photos" / kind).mkdir(parents=True)
    for i in range(12):
        name = f"{EVIL}{i}".replace("/", "")
        pixels = rng.integers(0, 255, (40, 50, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(base / "photos" / "images" / f"{name}.png")
        if i < 8:
            mask = np.tile(np.arange(50) > 20, (40, 1)).astype(np.uint8)
            Image.fromarray(mask).save(base / "photos" / "masks" / f"{name}.png")
    folders = []
    for method in ("supervised", "imas"):
        words = (f"data={base / 'photos'}", f"method={method}", *TINY_PHOTOS)
        names = f"data.names=['{EVIL.replace(chr(39), '')}', b]"
        folders.append(api.train(*words, names, out=base / method).folder)
    return folders


def test_one_page_holds_everything_and_needs_no_network(runs):
    file = report.report(open_runs(runs[1:]))
    text = file.read_text()
    assert file == runs[1] / "report.html" and len(text) < 5_000_000
    assert not re.search(r"(src|href)=\"(?!data:)", text) and "@import" not in text
    for heading in (
        "Scores", "What the terms mean", "Training curves", "Are the pseudo-labels correct?",
        "IoU by class", "Confusion matrix", "Is the confidence reliable?",
        "Hard and easy unlabeled images", "Time and memory", "Validation images, worst first",
    ):  # fmt: skip
        assert heading in text
    assert "teacher" in text and "selected on these same validation images" in text


def test_plots_are_pictures_of_their_own(runs):
    report.report(open_runs(runs[1:]))
    plots = {file.name: ElementTree.parse(file) for file in (runs[1] / "plots").iterdir()}
    assert {"miou-on-val.svg", "losses.svg", "pseudo-labels-on-val.svg"} <= plots.keys()
    texts = [
        e.text for e in plots["pseudo-labels-on-val.svg"].iter("{http://www.w3.org/2000/svg}text")
    ]
    assert texts[0] == "pseudo-labels on val" and texts[-3:] == ["used", "accuracy", "confidence"]


def test_several_runs_stand_beside_the_labeled_only_baseline(runs, tmp_path):
    file = report.report(open_runs(runs), tmp_path / "both.html", ["imas helped: +1."])
    text = file.read_text()
    assert "Settings that differ between the runs" in text and "method.threshold" in text
    assert "Did the unlabeled images help?" in text and "imas helped: +1." in text
    assert text.count("<section") == 2 and ">supervised</th>" in text


def test_names_are_escaped(runs):
    text = report.report(open_runs(runs[1:])).read_text()
    assert "<img src=x" not in text and "&lt;img src=x" in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_works_in_a_browser(runs, tmp_path):
    """Opens it, moves every slider, chooses every layer, and looks for errors."""
    text = report.report(open_runs(runs), tmp_path / "page.html").read_text()
    catch = "<script>window.caught = []; window.onerror = m => window.caught.push(m);</script>"
    click = """<script>
      const shown = [];
      for (const choice of document.querySelectorAll("[data-show]")) {
        choice.click();
        const layers = [...choice.closest(".case").querySelectorAll(".over:not([hidden])")];
        shown.push(layers.length === 1 && layers[0].dataset.layer === choice.value);
      }
      for (const slider of document.querySelectorAll("[data-cut]")) {
        slider.value = 80; slider.dispatchEvent(new Event("input"));
        const stack = slider.closest(".case").querySelector(".stack");
        shown.push(stack.style.getPropertyValue("--cut") === "80%");
      }
      const broken = [...document.images].filter(i => i.complete && !i.naturalWidth).length;
      document.body.dataset.verdict =
        `${window.caught.length} errors, ${shown.filter(x => !x).length} wrong ` +
        `of ${shown.length}, ${broken} broken, ${document.title}`;
    </script>"""
    page = tmp_path / "tested.html"
    page.write_text(text.replace("<head>", "<head>" + catch).replace("</body>", click + "</body>"))
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{page}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    verdict = re.search(r'data-verdict="([^"]*)"', done.stdout)
    assert verdict is not None
    assert re.fullmatch(r"0 errors, 0 wrong of \d\d+, 0 broken, fewmask: 2 runs", verdict[1])


def test_the_command_and_its_mistakes(runs, tmp_path):
    text = fewmask("report", runs[0], "--out", tmp_path / "sub" / "r.html")
    assert "Report:" in text and (tmp_path / "sub" / "r.html").is_file()
    assert "is not a run folder" in fewmask("report", tmp_path, code=2)
    with pytest.raises(UserError):
        report.report([Run(tmp_path)])


def test_it_tells_how_far_it_has_come(runs, talkative, capsys):
    report.report(open_runs(runs))
    said = capsys.readouterr().out
    for run in ("supervised", "imas"):
        assert f"{run}: examining image 1/" in said and f"{run}: drawing image 1/" in said
