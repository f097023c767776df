"""The recipe of a stranger's run leads to no code, no URL and no other folder."""

import pytest
import yaml

from fewmask.config import allow
from fewmask.errors import UserError
from fewmask.recipes import load_recipe, load_run_recipe
from fewmask.recipes.foreign import followed

pytestmark = pytest.mark.usefixtures("newcomer")


@pytest.fixture
def run(tmp_path):
    """Writes the recipe of a run with some values of its own."""

    def write(**sections):
        values = yaml.safe_load(load_recipe("synthetic").to_yaml())
        for section, options in sections.items():
            values[section] |= options
        file = tmp_path / "recipe.yaml"
        file.write_text(yaml.safe_dump(values))
        return file

    return write


@pytest.mark.parametrize(
    "sections",
    [
        {"data": {"pool": "http://there/{0..9}.tar"}},
        {"data": {"cache": "/home/me/.config"}},
        {"data": {"image_labels": "/etc/passwd"}},
        {"model": {"pretrained": "/etc/passwd"}},
        {"method": {"name": "pcr", "ablation": {"initialization": "/home/me/secret.npy"}}},
        {"method": {"name": "evil:Method"}},
        {"model": {"encoder": "evil:Encoder"}},
        {"model": {"decoder": {"name": "evil:Decoder"}}},
        {"loader": {"labeled_view": "evil:view"}},
        {"logging": {"sinks": ["evil:Sink"]}},
    ],
)
def test_nothing_is_followed_until_it_is_trusted(run, sections):
    file = run(**sections)
    with pytest.raises(UserError, match="may come from a stranger"):
        load_run_recipe(file)


def test_what_the_user_types_is_their_own_wish(run, tmp_path):
    file = run(data={"pool": "http://there/0.tar"})
    assert load_run_recipe(file, {"data": {"pool": None}}).data.pool is None
    typed = {"data": {"pool": "http://there/0.tar"}}
    assert load_run_recipe(file, typed).data.pool == "http://there/0.tar"
    with pytest.raises(UserError, match="data.pool=http://there/0.tar"):
        load_run_recipe(file)  # it was not remembered
    allow(tmp_path)
    assert load_run_recipe(file).data.pool == "http://there/0.tar"


def test_a_recipe_without_a_wish_needs_no_trust(run):
    file = run(model={"pretrained": "timm"})
    assert followed(yaml.safe_load(file.read_text())) == {}
    assert load_run_recipe(file).model.pretrained == "timm"


def test_the_recipe_of_a_run_has_no_base(run):
    file = run()
    file.write_text(f"base: other.yaml\n{file.read_text()}")
    with pytest.raises(UserError, match="the recipe of a run is complete"):
        load_run_recipe(file)


def test_a_link_in_a_run_leads_to_no_file_outside(run, tmp_path):
    file = run()
    (tmp_path / "weights").mkdir()
    (tmp_path / "inside").symlink_to("weights")
    load_run_recipe(file)
    (tmp_path / "weights" / "last.pt").symlink_to("../../mine.pt")
    with pytest.raises(UserError, match=r"weights/last.pt \(a link beside it\)=.*/mine.pt"):
        load_run_recipe(file)
    allow(tmp_path)
    load_run_recipe(file)


@pytest.mark.parametrize("section", ["model", "data", "method"])
@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_a_section_that_holds_no_options_is_one_message(section, value, run):
    file = run()
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), section: value}))
    with pytest.raises(UserError, match=f"{section}=.*expected options|Which images"):
        load_run_recipe(file)
