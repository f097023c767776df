"""Pools of unlabeled images: folders, lists, tar shards on disk and behind a URL."""

import errno
import functools
import http.server
import io
import json
import os
import pickle
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fewmask
from fewmask.batch import Views
from fewmask.cli.words import recipe_from_words
from fewmask.data import BatchStream, LoaderConfig
from fewmask.data.lists.published import identify
from fewmask.data.loader import load_batches
from fewmask.data.pool import name_index, shard_files
from fewmask.data.pool.name_index import NameIndex
from fewmask.data.pool.opening import open_pool
from fewmask.data.pool.shard_files import Downloads, list_shards, shard_sizes
from fewmask.data.pool.shards import MIXED, ShardPool
from fewmask.errors import UserError
from fewmask.runs.build import open_data
from fewmask.tasks.predict import pseudo_labels as export_pseudo_labels
from fewmask.tasks.rank import rank
from tests.conftest import TINY_WORDS


def picture(number: int) -> Image.Image:
    """A PNG whose first pixel is its number."""
    pixels = np.random.default_rng(number).integers(0, 255, (40, 52, 3)).astype(np.uint8)
    pixels[0, 0] = number % 256
    return Image.fromarray(pixels)


def write_folder(folder: Path, count: int) -> Path:
    for i in range(count):
        file = folder / f"part{i % 3}" / f"{i:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(i).save(file)
    (folder / "readme.txt").write_text("not an image")
    return folder


def write_shards(folder: Path, sizes: list[int]) -> Path:
    """Shards whose images are numbered through, with a JSON beside each, as WebDataset has it."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for shard, size in enumerate(sizes):
        with tarfile.open(folder / f"{shard:03}.tar", "w") as tar:
            for _ in range(size):
                content = io.BytesIO()
                picture(number).save(content, "PNG")
                for suffix, data in (("png", content.getvalue()), ("json", b"{}")):
                    member = tarfile.TarInfo(f"{number:04}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
                number += 1
    return folder


def opened(place: Path | str, told: list[str] | None = None, disk_gb: float = 1.0):
    tell = (told if told is not None else []).append
    return open_pool(str(place), None, 3, disk_gb, tell)


def number_of(pool, index: int) -> int:
    return int(pool.image(index)[0, 0, 0])


@pytest.fixture
def served(tmp_path):
    """Serves a folder of the test on localhost; gives its address and the paths asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/secret/") and not self.path.endswith(".tar"):
                self.send_error(403)  # what some servers say of files that are not there
            else:
                super().do_GET()

        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


# Names on disk


def test_names_are_sorted_found_and_known_by_their_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setattr(name_index, "CHUNK", 7)  # many runs to merge
    names = [f"ordner {i % 4}/bild-ä{i}" for i in range(50)]
    index = NameIndex.build(names, tmp_path, "x")
    assert list(index) == sorted(names) == [index[i] for i in range(50)]
    assert index[-1] == sorted(names)[-1] and index[3:5] == sorted(names)[3:5]
    assert names[13] in index and "nothing" not in index and 3 not in index
    assert identify(index) == identify(names)
    with pytest.raises(IndexError):
        index[50]


def test_names_travel_to_other_processes_as_a_path(tmp_path):
    index = NameIndex.build((f"{i:06}" for i in range(100_000)), tmp_path, "x")
    content = pickle.dumps(index)
    assert len(content) < 400
    assert pickle.loads(content)[77_777] == "077777"


def test_a_damaged_index_is_made_anew(tmp_path):
    folder = write_folder(tmp_path / "pool", 5)
    names = list(opened(folder).names)
    for file in ("names", "ends", "facts.json"):
        index = opened(folder).names.folder
        (index / file).write_bytes(b"")
        assert list(opened(folder).names) == names


def test_odd_folders_are_listed_or_refused(tmp_path):
    folder = write_folder(tmp_path / "pool", 3)
    (folder / "itself").symlink_to(folder)
    (folder / "album.png").mkdir()
    picture(7).save(folder / "album.png" / "übung 1.png")
    os.mkfifo(folder / "pipe.png")
    assert [Path(name).name for name in opened(folder).names] == [
        "übung 1.png", "000.png", "001.png", "002.png"
    ]  # fmt: skip
    (folder / "a\nb").mkdir()
    picture(8).save(folder / "a\nb" / "c.png")
    with pytest.raises(UserError, match="cannot be written into a list"):
        opened(folder)


def test_a_list_names_an_image_in_one_way(tmp_path):
    write_folder(tmp_path / "pool", 3)
    (tmp_path / "list.txt").write_text("./pool/part0/000.png\npool/part1/../part1/001.png\n")
    assert list(opened(tmp_path / "list.txt").names) == ["pool/part0/000.png", "pool/part1/001.png"]
    (tmp_path / "list.txt").write_text("./pool/part0/000.png\npool/part0/000.png\n# more\n")
    with pytest.raises(UserError, match="named twice"):
        opened(tmp_path / "list.txt")


def test_images_and_shards_in_one_folder_are_refused(tmp_path):
    folder = write_shards(tmp_path / "pool", [3])
    picture(1).save(folder / "001.png")
    with pytest.raises(UserError, match="both images and shards"):
        opened(folder)


def test_pseudo_labels_stay_in_their_folder(tmp_path):
    folder = write_folder(tmp_path / "pool", 3)
    before = sorted(folder.rglob("*"))
    (tmp_path / "list.txt").write_text("".join(f"{f}\n" for f in folder.rglob("*.png")))
    words = [*TINY_WORDS, "model.encoder=test_resnet", f"data.pool={tmp_path / 'list.txt'}"]
    words += ["method=imas", "training.steps=2"]
    run = fewmask.train("synthetic", *words, out=tmp_path / "run")
    export_pseudo_labels(run.folder, tmp_path / "out", 0.0)
    assert sorted(folder.rglob("*")) == before
    assert len(list((tmp_path / "out" / "masks").rglob("*.png"))) == 3


def test_an_image_named_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match="'b' is named twice"):
        NameIndex.build(["a", "b", "c", "b"], tmp_path, "x")
    assert list(tmp_path.iterdir()) == []


# Folders and lists


def test_a_folder_is_listed_once_until_it_changes(tmp_path):
    folder, told = write_folder(tmp_path / "pool", 10), []
    pool = opened(folder, told)
    assert len(pool) == 10 and pool.names[0] == "part0/000.png"
    assert {number_of(pool, i) for i in range(10)} == set(range(10))
    assert len(told) == 1
    assert opened(folder, told).names.sha256 == pool.names.sha256 and len(told) == 1
    picture(99).save(folder / "part1" / "099.png")
    assert len(opened(folder, told)) == 11 and len(told) == 2
    assert len(pool.names) == 10 and pool.names[0] == "part0/000.png"  # still readable


def test_a_list_names_images_from_its_folder_or_from_the_root(tmp_path):
    folder = write_folder(tmp_path / "pool", 4)
    lines = ["# all of them", "", "pool/part1/001.png", str(folder / "part0/000.png")]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    pool = opened(tmp_path / "list.txt")
    assert {number_of(pool, i) for i in range(len(pool))} == {0, 1}


def test_a_pool_takes_the_place_of_the_sources_own_images(tmp_path, capsys):
    folder = write_folder(tmp_path / "pool", 9)
    recipe = recipe_from_words(["synthetic", *TINY_WORDS, "method=imas", f"data.pool={folder}"])
    data = open_data(recipe)
    assert len(data.unlabeled) == 9
    assert "9 unlabeled images, in place of the 7" in capsys.readouterr().out


def test_image_labels_name_a_pool_s_images_with_or_without_suffix(tmp_path):
    folder = write_folder(tmp_path / "pool", 3)
    (tmp_path / "labels.csv").write_text("part0/000,disc\npart1/001.png,\n002,ring;disc\n")
    words = [*TINY_WORDS, f"data.pool={folder}", f"data.image_labels={tmp_path / 'labels.csv'}"]
    data = open_data(recipe_from_words(["synthetic", *words, "method=pseudoseg"]))
    assert data.image_labels.sum(axis=1).tolist() == [1, 0, 2]


def test_val_images_in_a_pool_are_refused(tmp_path):
    for i in range(6):
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
        picture(i).save(tmp_path / "images" / f"{i}.png")
        mask = Image.fromarray(np.random.default_rng(i).integers(0, 2, (40, 52), np.uint8))
        mask.save(tmp_path / "masks" / f"{i}.png")
    words = [f"data={tmp_path}", "method=imas", "loader.crop=32"]
    with pytest.raises(UserError, match="1 unlabeled image.s. are also in val"):
        open_data(recipe_from_words([*words, f"data.pool={tmp_path / 'images'}"]))


def test_what_cannot_be_read_is_passed_over(tmp_path):
    folder = write_folder(tmp_path / "pool", 30)
    pool = opened(folder)
    data = open_data(recipe_from_words(["synthetic", *TINY_WORDS, f"data.pool={folder}"]))
    damaged = [i for i in range(30) if i % 4 == 1]
    for i in damaged:
        pool.images[i].write_bytes(b"\x89PNG")
    stream = BatchStream(data, LoaderConfig(crop=32, unlabeled_batch=30), Views(), seed=0)
    with pytest.warns(UserWarning, match="Passed over. Cannot read image"):
        numbers = stream[0].unlabeled.image_index.tolist()
    assert set(numbers) == set(range(30)) - set(damaged)


def test_ranking_passes_over_what_cannot_be_read(tmp_path, capsys):
    folder = write_folder(tmp_path / "pool", 12)
    words = [*TINY_WORDS, "model.encoder=test_resnet", f"data.pool={folder}", "method=imas"]
    run = fewmask.train("synthetic", *words, "training.steps=2", out=tmp_path / "run")
    (folder / "part0" / "003.png").write_bytes(b"damaged")
    chosen = rank(run.folder, 3, "entropy", tmp_path / "ranked")
    assert len(chosen) == 3 and "part0/003.png" not in chosen
    assert "Passed over. Cannot read image" in capsys.readouterr().out
    rows = (tmp_path / "ranked" / "rank.csv").read_text().splitlines()
    assert len(rows) == 12  # a head and 11 images


# Shards


def test_shards_hold_what_they_hold(tmp_path):
    folder, told = write_shards(tmp_path / "shards", [5, 0, 3, 7]), []
    pool = opened(folder, told)
    assert [number_of(pool, i) for i in range(len(pool))] == list(range(15))
    assert pool.names[5] == "002/000000" and len(told) == 1
    assert len(opened(f"{folder}/*.tar", told)) == 15 and len(told) == 1
    assert len(opened(f"{folder}/{{002..003}}.tar", told)) == 10


def test_an_epoch_gives_every_image_once_and_few_shards_at_a_time(tmp_path):
    sizes = [4 + i % 3 for i in range(3 * MIXED + 5)]
    pool = opened(write_shards(tmp_path / "shards", sizes))
    orders = [[pool.at(place, (0, 1, e)) for place in range(len(pool))] for e in (0, 1)]
    assert orders[0] != orders[1]
    for order in orders:
        assert sorted(order) == list(range(len(pool)))
        shards = [pool.names.locate(i)[0] for i in order]
        spans = [
            (shards.index(s), len(shards) - 1 - shards[::-1].index(s)) for s in range(len(sizes))
        ]
        in_use = [sum(a <= p <= b for a, b in spans) for p in range(len(order))]
        assert MIXED // 2 < max(in_use) <= MIXED
    assert [pool.at(p, (0, 1, 0)) for p in (40, 3, 100)] == [orders[0][p] for p in (40, 3, 100)]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_from_shards_do_not_depend_on_workers_or_history(tmp_path, workers):
    shards = write_shards(tmp_path / "shards", [4] * 20)
    words = [*TINY_WORDS, "method=imas", f"data.pool={shards}"]
    data = open_data(recipe_from_words(["synthetic", *words]))
    stream = BatchStream(data, LoaderConfig(crop=32), Views(("imas",)), seed=0)
    for step, rounds in enumerate(load_batches([stream], 7, 12, workers, pin=False), 7):
        fresh = BatchStream(data, LoaderConfig(crop=32), Views(("imas",)), seed=0)[step]
        assert torch.equal(rounds[0].unlabeled.weak, fresh.unlabeled.weak)


def test_a_run_from_shards_resumes_exactly(tmp_path):
    shards = write_shards(tmp_path / "shards", [6] * 3)
    words = [*TINY_WORDS, "model.encoder=test_resnet", "method=imas", f"data.pool={shards}"]
    words += ["training.schedule=constant", "training.evaluate_every=2"]
    longer = fewmask.train("synthetic", *words, "training.steps=6", out=tmp_path / "longer")
    half = fewmask.train("synthetic", *words, "training.steps=4", out=tmp_path / "half")
    again = fewmask.resume(half.folder, "training.steps=6")
    assert again.scores["teacher"].miou == longer.scores["teacher"].miou
    one, two = (
        torch.load(run.folder / "weights" / "last.pt", weights_only=False)["method"]
        for run in (again, longer)
    )
    assert all(torch.equal(one[key], two[key]) for key in one)
    facts = json.loads((half.folder / "splits" / "facts.json").read_text())
    assert facts["unlabeled"]["count"] == 18
    assert "18 images of data.pool" in (half.folder / "splits" / "unlabeled.txt").read_text()
    write_shards(tmp_path / "shards", [6] * 4)
    with pytest.raises(UserError, match="unlabeled images of .* have changed"):
        fewmask.resume(half.folder, "training.steps=8")


def header_at(file: Path, image: int) -> int:
    with tarfile.open(file) as tar:
        return tar.getmembers()[2 * image].offset


def flip_header(file: Path, image: int) -> None:
    content = bytearray(file.read_bytes())
    content[header_at(file, image) + 5] ^= 255
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:3000]), "damaged or no plain tar"),
        (lambda f: f.write_bytes(b"no tar at all" * 100), "damaged or no plain tar"),
        (lambda f: flip_header(f, 2), "no header at byte"),
        (lambda f: f.write_bytes(f.read_bytes()[: header_at(f, 3)]), "no header at byte"),
        (lambda f: f.unlink(), "there is no shard"),
    ],
)
def test_a_damaged_shard_is_named(tmp_path, damage, message):
    folder = write_shards(tmp_path / "shards", [5])
    damage(folder / "000.tar")
    with pytest.raises(UserError, match=message):
        opened(folder / "000.tar")


def test_sizes_that_are_not_true_are_found_out(tmp_path):
    folder = write_shards(tmp_path / "shards", [5, 5])
    (folder / "sizes.json").write_text('{"000.tar": 5, "001.tar": 9}')
    pool = opened(folder)
    assert len(pool) == 14
    with pytest.raises(UserError, match="holds 5 images, but 9 were counted"):
        pool.image(7)
    for wrong in ("[5, 5]", '{"000.tar": -1}', '{"000.tar": 2.5}', '{"000.tar": Infinity}', "{"):
        (folder / "sizes.json").write_text(wrong)
        with pytest.raises(UserError, match="is not like"):
            opened(folder)


# Behind a URL


def test_shards_stream_through_a_small_disk(tmp_path, served):
    url, asked = served
    folder = write_shards(tmp_path / "shards", [4] * 40)
    bytes_of_one = (folder / "000.tar").stat().st_size
    downloads = Downloads(tmp_path / "kept", limit=2 * MIXED * bytes_of_one)
    urls = list_shards(f"{url}/shards/{{000..039}}.tar")
    (folder / "sizes.json").write_text(json.dumps({f"{i:03}.tar": 4 for i in range(40)}))
    pool = ShardPool(urls, shard_sizes(urls, downloads, tmp_path / "facts", print), downloads)
    assert [path for path in asked if path.endswith(".tar")] == []  # opened without reading any
    numbers, most = [], 0
    for place in range(len(pool)):
        numbers.append(number_of(pool, pool.at(place, (0, 1, 0))))
        most = max(most, len(list((tmp_path / "kept").glob("*.tar"))))
    assert sorted(numbers) == list(range(160))
    assert most <= 2 * MIXED + 1
    fetched = [path for path in asked if path.endswith(".tar")]
    assert len(fetched) == len(set(fetched)) == 40  # each once in an epoch


def test_without_a_list_of_sizes_each_shard_is_read_once(tmp_path, served):
    url, asked = served
    write_shards(tmp_path / "secret", [3, 4])
    told: list[str] = []
    for _ in range(2):
        pool = opened(f"{url}/secret/{{000..001}}.tar", told)
        assert [number_of(pool, i) for i in range(7)] == list(range(7))
    assert len(told) == 1 and asked.count("/secret/000.tar") == 1
    assert pool.names.sha256 == opened(tmp_path / "secret").names.sha256


def test_a_shard_that_cannot_be_had_is_named(served, tmp_path):
    url, _ = served
    downloads = Downloads(tmp_path / "kept", limit=10**9)
    with pytest.raises(UserError, match="Cannot get http.*none.tar: FileNotFoundError"):
        downloads.open(f"{url}/none.tar")
    with pytest.raises(UserError, match="Cannot get nosuch://.*ValueError"):
        downloads.open("nosuch://bucket/x.tar")


def test_where_the_disk_is_full_shards_of_the_past_go(served, tmp_path, monkeypatch):
    url, _ = served
    write_shards(tmp_path / "shards", [3, 3, 3])
    kept, download, room = tmp_path / "kept", shard_files._download, 2

    def download_while_there_is_room(shard: str, file: Path) -> None:
        if len(list(kept.glob("*.tar"))) >= room:
            raise OSError(errno.ENOSPC, "No space left on device")
        download(shard, file)

    monkeypatch.setattr(shard_files, "_download", download_while_there_is_room)
    downloads = Downloads(kept, limit=10**9)
    for shard in range(3):
        assert downloads.open(f"{url}/shards/{shard:03}.tar").read(1)
    assert [file.name[-7:] for file in kept.glob("*.tar")] == ["002.tar"]
    room = 0
    with pytest.raises(UserError, match="001.tar in .*No space left.*XDG_CACHE_HOME"):
        downloads.open(f"{url}/shards/001.tar")


# Decoded copies


def test_decoded_copies_are_equal_and_follow_the_file(tmp_path):
    folder = write_folder(tmp_path / "images", 4)
    (tmp_path / "images" / "readme.txt").unlink()
    for i in range(3):
        file = tmp_path / "masks" / f"part{i}" / f"{i:03}.png"
        file.parent.mkdir(parents=True)
        labels = np.random.default_rng(i).integers(0, 2, (40, 52), np.uint8)
        Image.fromarray(labels).save(file)
    words = [f"data={tmp_path}", "method=supervised", "data.long_side=26"]
    plain = open_data(recipe_from_words(words))
    kept = open_data(recipe_from_words([*words, f"data.cache={tmp_path / 'kept'}"]))
    for _ in range(2):  # first written, then read
        for part in ("labeled", "val"):
            a, b = getattr(plain, part), getattr(kept, part)
            for i in range(len(a)):
                assert np.array_equal(a.image(i), b.image(i)) and a.image(i).shape[1] == 26
                assert np.array_equal(a.mask(i), b.mask(i))
    copies = list((tmp_path / "kept").rglob("*.npy"))
    assert len(copies) == 6
    for number, copy in enumerate(copies):
        copy.write_bytes(b"damaged" * (number % 2))
    assert np.array_equal(plain.labeled.image(0), kept.labeled.image(0))
    file = plain.labeled.images[0]
    picture(77).save(file)
    os.utime(file, ns=(1, 1))
    assert np.array_equal(plain.labeled.image(0), kept.labeled.image(0))
    assert folder.is_dir()
