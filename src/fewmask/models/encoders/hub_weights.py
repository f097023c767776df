"""timm's pretrained weights of an encoder: in a local cache, or on the hub."""

import os
import socket
import threading
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from filelock import FileLock

from fewmask.models.encoders.timm_names import weights_of
from fewmask.models.encoders.weight_digests import verified
from fewmask.models.encoders.weights import read_weights

FILE_NAMES = ("model.safetensors", "pytorch_model.bin")
"""Names of weights on the Hugging Face hub, in timm's order of preference."""
PATIENCE = 5.0
"""Seconds that the hub has to answer. Its own client tries for 46 s where there is no network."""

SILENCE = 60.0
"""Seconds without a byte after which a download has failed."""


class Answer(NamedTuple):
    """What the hub says about the weights of an encoder."""

    obstacle: str = ""
    """Why they cannot be downloaded; empty if they can."""
    file_name: str = ""
    """The file on the Hugging Face hub; empty if the weights lie elsewhere."""
    megabytes: float = 0.0
    """The size of the download; 0 if unknown."""


def cached_file(name: str) -> Path | None:
    """The weights in the cache of the Hugging Face hub or of torch.hub, if they are there."""
    from huggingface_hub import try_to_load_from_cache

    weights = weights_of(name)
    for file_name in _file_names(weights) if weights.hf_hub_id else ():
        repository, _, revision = weights.hf_hub_id.partition("@")
        found = try_to_load_from_cache(repository, file_name, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    file = _torch_file(weights)
    return file if file is not None and file.is_file() else None


def ask_hub(name: str) -> Answer:
    """Whether the weights can be downloaded; takes a few seconds at most, and loads nothing."""
    from huggingface_hub import constants

    if not weights_of(name).has_weights:
        return Answer(f"timm knows no weights of {name}")
    if constants.HF_HUB_OFFLINE:
        return Answer("HF_HUB_OFFLINE is set, so the hub was not asked")
    return _asked(name)


@cache
def _asked(name: str) -> Answer:
    """Asks in a thread: a name server or a firewall that never answers ignores all timeouts."""
    answers = [Answer(f"the hub did not answer within {PATIENCE:.0f} s")]
    thread = threading.Thread(target=_ask, args=(weights_of(name), answers), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answers[-1]


def _ask(weights: Any, answers: list[Answer]) -> None:
    try:
        answers.append(_ask_hugging_face(weights) if weights.hf_hub_id else _ask_host(weights))
    except Exception as error:  # a hub and the network in between fail in a dozen ways
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        answers.append(Answer(f"the hub cannot be used ({reason})"))


def _ask_hugging_face(weights: Any) -> Answer:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    repository, _, revision = weights.hf_hub_id.partition("@")
    for file_name in _file_names(weights):
        url = hf_hub_url(repository, file_name, revision=revision or None)
        try:
            size = get_hf_file_metadata(url, timeout=PATIENCE).size
        except EntryNotFoundError:
            continue
        return Answer("", file_name, (size or 0) / 1e6)
    return Answer(f"{repository} on the hub holds no weights")


def _ask_host(weights: Any) -> Answer:
    """Asks the web server of the few weights that are not on the Hugging Face hub."""
    request = urllib.request.Request(weights.url, method="HEAD")
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return Answer("", "", int(response.headers.get("Content-Length") or 0) / 1e6)


def fetch(name: str) -> Path:
    """The weights in a local cache; they are downloaded first if necessary.

    Processes that share the cache wait for the first one, which downloads and shows its progress.

    Raises:
        UserError: if they have changed since their download.
        Exception: of a dozen kinds, if the download fails.
    """
    found = cached_file(name)
    if found is not None:
        return verified(found, is_new=False)
    return verified(_fetch(name), is_new=True)


def _fetch(name: str) -> Path:
    from huggingface_hub import hf_hub_download

    weights = weights_of(name)
    if weights.hf_hub_id:
        repository, _, revision = weights.hf_hub_id.partition("@")
        return Path(hf_hub_download(repository, ask_hub(name).file_name, revision=revision or None))
    return _fetch_by_url(weights)


def _fetch_by_url(weights: Any) -> Path:
    file = _torch_file(weights)
    assert file is not None
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        if not file.is_file():
            before = socket.getdefaulttimeout()
            socket.setdefaulttimeout(SILENCE)  # torch sets none, and a server may never answer
            try:
                torch.hub.download_url_to_file(weights.url, str(file))
            finally:
                socket.setdefaulttimeout(before)
    return file


def timm_options(file: Path) -> dict[str, Any]:
    """Options of `timm.create_model` that load the pretrained weights from a cached file."""
    # Original JAX weights need a loader of their own. All other files are state dicts, which are
    # read here, because older versions of timm run the code in a file.
    if file.suffix == ".npz":
        source = {"file": str(file), "custom_load": True}
    else:
        source = {"state_dict": read_weights(file), "custom_load": False}
    return {"pretrained": True, "pretrained_cfg_overlay": source}


def _file_names(weights: Any) -> tuple[str, ...]:
    return (weights.hf_hub_filename,) if weights.hf_hub_filename else FILE_NAMES


def _torch_file(weights: Any) -> Path | None:
    """Where torch.hub keeps weights with a plain web address."""
    if not isinstance(weights.url, str) or not weights.url:
        return None
    return Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(weights.url)
