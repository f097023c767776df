"""Places that cannot be written to are refused."""

import pytest

from fewmask.errors import UserError
from fewmask.report.output import require_folder, require_page


def test_a_folder_may_be_new_but_not_a_file(tmp_path):
    (tmp_path / "file").touch()
    require_folder(tmp_path)
    require_folder(tmp_path / "new" / "er")
    for inner in ("file", "file/sub/sub"):
        with pytest.raises(UserError, match=f"--out=.*{inner}: .*/file is a file"):
            require_folder(tmp_path / inner)


def test_a_page_replaces_pages_only(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "old.html").touch()
    for name in ("old.html", "new/page.HTM"):
        require_page(tmp_path / name)
    for name, says in (
        ("p.jpg", "the report is an HTML page. Give a name such as .*p.html"),
        ("", "is a folder. Give a file"),
        ("file/page.html", "file is a file"),
    ):
        with pytest.raises(UserError, match=says):
            require_page(tmp_path / name)
