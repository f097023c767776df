"""The lists of labeled images that `compare --lists` names, and the scores published on them."""

from collections.abc import Mapping, Sequence

from fewmask.cli.words import recipe_from_words, split_words
from fewmask.data.lists.published import recognize_dataset
from fewmask.errors import UserError
from fewmask.recipes.shipped import list_of, published_score
from fewmask.report.comparison import Comparison


def list_words(words: Sequence[str], lists: Sequence[str]) -> dict[str, list[str]]:
    """The words of the comparison on each list, by the name of its folder.

    Args:
        words: of the command, without a list.
        lists: as the user names them; a number may mean a published list.

    Raises:
        UserError: if a list is named twice, or its files are not there: better now than after the
            days that the other lists take.

    Example:
        list_words(["voc/imas", "data.root=VOC"], ["92"])
        # {"92": ["voc/imas", "data.root=VOC", "data.labeled=voc/unimatch/92"]}
    """
    base, options = split_words(words)
    given = next((option for option in options if option.startswith("data.labeled=")), None)
    if given is not None:
        raise UserError(f"{given}: with --lists, all lists are named there.")
    names = [name.strip() for name in lists]
    if "" in names:
        raise UserError("--lists: expected lists separated by commas, such as 92,183.")
    found = {_folder(name): [*words, f"data.labeled={list_of(base, name)}"] for name in names}
    if len({own[-1] for own in found.values()}) < len(names):
        raise UserError("--lists names a list twice, or two lists of the same name.")
    for own in found.values():
        recipe_from_words(own).source().open()
    return found


def _folder(name: str) -> str:
    """The folder for a list: its name, which may be that of a file."""
    return name.removesuffix(".txt").replace("\\", "/").replace("/", "-").strip("-.")


def published_rows(
    each: Mapping[str, Sequence[str]], done: Mapping[str, Comparison]
) -> dict[str, list[float | None]]:
    """The published scores of each method on each list.

    Only those count that have the encoder and the output stride of the runs.

    Args:
        each: the words for each list.
        done: what they have led to.
    """
    rows: dict[str, list[float | None]] = {}
    for name, comparison in done.items():
        recipe = recipe_from_words(each[name])
        lists = [p.name for p in recognize_dataset(comparison.data.labeled).published]
        network = recipe.model.encoder, recipe.model.output_stride
        for row in comparison.rows:
            score = published_score(f"{recipe.data.name}/{row.method}", lists, *network)
            rows.setdefault(row.method, []).append(score)
    return rows
