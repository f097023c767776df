"""Downloads from a local server: broken off, resumed, wrong, and archives that mean harm."""

import hashlib
import io
import tarfile
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from fewmask.data.download import download, unpack
from fewmask.data.lists import published
from fewmask.data.lists.published import recognize
from fewmask.data.sources import camvid, published_dataset
from fewmask.errors import UserError
from fewmask.tasks.prepare import prepare
from tests.data import trees
from tests.data.pools import BACKWARDS

CONTENT = bytes(range(256)) * 4000


MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves files by path; breaks the connection off after `limit` bytes, `breaks` times."""

    def __init__(self, server_state, *args):
        self.state = server_state
        super().__init__(*args)

    def do_GET(self):
        content = self.state["files"].get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = 0
        asked = self.headers.get("Range")
        self.state["ranges"].append(asked)
        if asked and self.state["knows_ranges"]:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content)
        if self.state["breaks"]:
            self.state["breaks"] -= 1
            stop = start + 300_000
        self.wfile.write(content[start:stop])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    state = {"files": {"/big.bin": CONTENT}, "ranges": [], "breaks": 0, "knows_ranges": True}
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, state)) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        state["url"] = f"http://127.0.0.1:{http.server_port}"
        yield state
        http.shutdown()


def test_a_transfer_that_breaks_off_is_continued(server, tmp_path):
    server["breaks"] = 2
    file = download(f"{server['url']}/big.bin", tmp_path / "big.bin", MD5)
    assert file.read_bytes() == CONTENT
    assert server["ranges"] == [None, "bytes=300000-", "bytes=600000-"]
    assert [f.name for f in tmp_path.iterdir()] == ["big.bin"]
    download(f"{server['url']}/big.bin", file, MD5)
    assert len(server["ranges"]) == 3  # what is there and right is not fetched again


def test_a_server_that_keeps_breaking_off_leaves_what_came_for_the_next_call(server, tmp_path):
    server["breaks"] = 5
    server["files"]["/big.bin"] = CONTENT * 2
    with pytest.raises(UserError, match="broke off 5 times"):
        download(f"{server['url']}/big.bin", tmp_path / "big.bin")
    assert [f.name for f in tmp_path.iterdir()] == ["big.bin.download"]
    assert (tmp_path / "big.bin.download").stat().st_size == 1_500_000
    download(f"{server['url']}/big.bin", tmp_path / "big.bin")
    assert (tmp_path / "big.bin").read_bytes() == CONTENT * 2
    assert server["ranges"][-1] == "bytes=1500000-"


def test_a_published_list_that_breaks_off_is_continued(server, tmp_path, monkeypatch):
    ids = [f"2007_{i:09}" for i in range(120_000)]
    server["breaks"], server["files"]["/5.txt"] = 5, "\n".join(ids).encode()
    mine = published.PublishedList("voc/a/5", "labeled", 5, recognize(ids).sha256, "", "", "", "")
    monkeypatch.setattr(published, "published_lists", lambda: (mine,))
    copy = partial(published.copy_published, "voc/a/5", f"{server['url']}/5.txt")
    with pytest.raises(UserError, match="broke off 5 times. Run the same command to continue"):
        copy(tmp_path / "mine.txt")
    monkeypatch.setattr("os.getpid", lambda: 1)  # the same command again is another process
    copy(tmp_path / "mine.txt")
    assert server["ranges"][-1] == "bytes=1500000-"
    assert [f.name for f in tmp_path.iterdir()] == ["mine.txt"]


def test_a_server_without_ranges_starts_again(server, tmp_path):
    server["knows_ranges"] = False
    server["breaks"] = 1
    download(f"{server['url']}/big.bin", tmp_path / "big.bin", MD5)
    assert (tmp_path / "big.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(UserError, match="checksum is wrong"):
        download(f"{server['url']}/big.bin", tmp_path / "big.bin", "0" * 32)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_on_the_server(server, tmp_path):
    with pytest.raises(UserError, match="Cannot download .*404"):
        download(f"{server['url']}/nothing.bin", tmp_path / "nothing.bin")
    assert not list(tmp_path.iterdir())


def tar_with(name, content=b"x"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for member in ("good.txt", name):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def zip_with(name, content=b"x"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member in ("good.txt", name):
            archive.writestr(member, content)
    return stream.getvalue()


@pytest.mark.parametrize("make", [tar_with, zip_with])
def test_archives_cannot_write_outside_their_folder(make, tmp_path):
    inside = tmp_path / "inside"
    archive = tmp_path / "bad.archive"
    archive.write_bytes(make("../outside.txt"))
    with pytest.raises(UserError, match="outside"):
        unpack(archive, inside)
    assert not (tmp_path / "outside.txt").exists() and not list(inside.iterdir())
    archive.write_bytes(make("sub/fine.txt"))
    unpack(archive, inside)
    assert (inside / "sub" / "fine.txt").read_bytes() == b"x"
    assert sorted(f.name for f in inside.iterdir()) == ["good.txt", "sub"]


@pytest.mark.parametrize("make", [tar_with, zip_with])
@pytest.mark.parametrize("name", ["/tmp/absolute", "sub/../../up", "..\\up", "C:\\up", "C:up"])
def test_a_path_that_leads_out_on_any_system_is_refused(make, name, tmp_path):
    (tmp_path / "a.archive").write_bytes(make(name))
    with pytest.raises(UserError, match="points outside the folder. Nothing was unpacked"):
        unpack(tmp_path / "a.archive", tmp_path / "inside")
    assert not list((tmp_path / "inside").iterdir())


def test_encrypted_and_unknown_members_of_a_zip_are_one_message(tmp_path):
    plain = zip_with("secret.txt")
    flag, method = plain.index(b"PK\x01\x02") + 8, plain.index(b"PK\x01\x02") + 10
    for place, value, says in ((flag, 1, "'good.txt' is encrypted"), (method, 99, "compression")):
        changed = bytearray(plain)
        changed[place] = value
        (tmp_path / "a.zip").write_bytes(changed)
        with pytest.raises(UserError, match=f"Cannot unpack .*a.zip: .*{says}"):
            unpack(tmp_path / "a.zip", tmp_path / "inside")
        assert not list((tmp_path / "inside").iterdir())


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("way_out")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    with pytest.raises(UserError, match="'way_out' is a link"):
        unpack(tmp_path / "a.zip", tmp_path / "inside")


@pytest.mark.parametrize("make", [tar_with, zip_with])
def test_a_damaged_archive_leaves_nothing(make, tmp_path):
    archive = tmp_path / "half.archive"
    archive.write_bytes(make("fine.txt", CONTENT)[:-40])
    with pytest.raises(UserError, match="Cannot unpack .*half.archive"):
        unpack(archive, tmp_path / "inside")
    assert not list((tmp_path / "inside").iterdir())


def test_prepare_downloads_unpacks_and_counts(server, tmp_path, monkeypatch):
    source = trees.camvid(tmp_path / "source")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(source / "train", "train")
        tar.add(source / "val", "val")
    server["files"]["/camvid.tgz"] = stream.getvalue()
    md5 = hashlib.md5(stream.getvalue()).hexdigest()
    archive = published_dataset.Archive(f"{server['url']}/camvid.tgz", md5)
    monkeypatch.setattr(camvid.CamVid, "ARCHIVES", (archive,))
    told = []
    for _ in range(2):  # the second call finds everything done
        data, _ = prepare("camvid", tmp_path / "data", True, told.append)
        assert len(data.labeled) == 4 and len(data.val) == 2
    assert server["ranges"] == [None] and "Unpacking camvid.tgz" in told


def test_a_published_list_is_copied_from_a_url(server, tmp_path, monkeypatch):
    ids = [f"2007_0000{i}" for i in range(10, 15)]
    sha256 = recognize(ids).sha256
    mine = published.PublishedList(
        "voc/tiny/5", "labeled", 5, sha256, "a/b", "HEAD", "lists/5.txt", ""
    )
    monkeypatch.setattr(published, "published_lists", lambda: (mine,))
    server["files"]["/lists/5.txt"] = "\n".join(ids).encode()
    for source in (server["url"], f"{server['url']}/lists/5.txt"):
        published.copy_published("voc/tiny/5", source, tmp_path / "5.txt")
        assert (tmp_path / "5.txt").read_text().split() == ids
    server["files"]["/lists/5.txt"] = b"2007_000099"
    with pytest.raises(UserError, match="is not the published list"):
        published.copy_published("voc/tiny/5", server["url"], tmp_path / "other.txt")
    assert [f.name for f in tmp_path.iterdir()] == ["5.txt"]


def test_an_archive_that_leads_back_to_itself_ends(tmp_path):
    (tmp_path / "a.tar").write_bytes(BACKWARDS + bytes(1024))
    with pytest.raises(UserError, match=r"'a.png' has a size below 0. Nothing was unpacked"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
