"""Strict typed configuration: base class, YAML files, errors one can act on."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from fewmask.atomic import read_text
from fewmask.errors import MANY, UserError, did_you_mean


class BaseConfig(BaseModel):
    """Settings of one thing: frozen, typed, unknown keys refused, one sentence under each field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True,
        allow_inf_nan=False)  # fmt: skip

    @field_validator("*", mode="before")
    @classmethod
    def _is_within_reason(cls, value: Any) -> Any:
        """Refuses numbers beyond 64 bits and NUL bytes, which would fail somewhere deep inside."""
        for one in _leaves(value):
            if (isinstance(one, (int, float)) and abs(one) >= 2**63) or "\0" in str(one):
                raise ValueError("expected numbers of at most 18 digits, and no NUL bytes")
        return value


def ascending(pair: tuple[float, float]) -> tuple[float, float]:
    """A pair, unless the first is larger."""
    if pair[0] > pair[1]:
        raise ValueError(f"expected the smaller number first: [{pair[1]:g}, {pair[0]:g}]")
    return pair


def _leaves(value: Any) -> list[Any]:
    items = [*value, *value.values()] if isinstance(value, Mapping) else value
    if not isinstance(items, (list, tuple)):
        return [value]
    return [leaf for item in items for leaf in _leaves(item)]


LONGEST = 300
"""Characters of a wrong value that are shown."""

Config = TypeVar("Config", bound=BaseConfig)


def validate(config_class: type[Config], values: Mapping[str, Any], where: str = "") -> Config:
    """Builds a config from plain values.

    Args:
        config_class: the class that knows the fields.
        values: field name to plain value, as read from YAML or the command line.
        where: the dotted prefix that the user typed, for messages: `method`, `data` ...

    Raises:
        UserError: naming every wrong key or value by its dotted path, the value received and what
            is allowed; an unknown key comes with the nearest known one.
    """
    try:
        return config_class.model_validate(dict(values))
    except ValidationError as error:
        prefix = f"{where}." if where else ""
        # One wrong value of an option with several types is an error for each of the types.
        items: dict[tuple[Any, ...], list[Any]] = {}
        for item in error.errors():
            place = tuple(part for part in item["loc"] if not _is_type(part)) or item["loc"]
            items.setdefault(place, []).append({**item, "loc": place})
        shown = [*items.values()][:MANY]
        lines = [_explain(_joined(alike), config_class, prefix) for alike in shown]
        more = [f"... and {len(items) - MANY} more."] if len(items) > MANY else []
        raise UserError("\n".join([*lines, *more])) from None


def _is_type(part: Any) -> bool:
    """Whether a part of a location is pydantic's name for a type, and not a name of ours."""
    return isinstance(part, str) and ("[" in part or part.startswith("constrained-"))


def _joined(items: list[Any]) -> Any:
    """Errors about one value as one error."""
    first, *others = items
    if not others or any("ctx" in item and "error" in item["ctx"] for item in items):
        return first
    messages = dict.fromkeys(item["msg"] for item in items)
    return {**first, "type": "union", "msg": ", or ".join(messages)}


def _explain(item: Any, config_class: type[BaseConfig], prefix: str) -> str:
    path = prefix + ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        owner = _owner(config_class, item["loc"][:-1])
        section, _, name = path.rpartition(".")
        hint = did_you_mean(name, owner.model_fields)
        if section:  # the whole key, as it is typed
            hint = hint.replace("mean '", f"mean '{section}.")
        return f"{path}: unknown option. {hint}"
    if item["type"] == "missing":
        return f"{path}: is needed and was not given. Add {path}=..."
    if item["type"] == "value_error":
        message = item["msg"].removeprefix("Value error, ").rstrip(".")
        return f"{path}: {message}" + ("" if message.endswith("?") else ".")
    if item["type"] in ("tuple_type", "list_type"):
        return f"{path}={_shown(item['input'])}: expected several values: [a, b]."
    if item["type"] == "string_type" and item["input"] is None:
        return f"{path}: expected a word. If it is the word null: put it in quotes, 'null'."
    if item["type"] == "string_type" and isinstance(item["input"], (bool, int, float)):
        return (
            f"{path}={_shown(item['input'])}: expected a word. Put it in quotes: '{item['input']}'."
        )
    return f"{path}={_shown(item['input'])}: {item['msg']}."


def _shown(value: Any) -> str:
    """A value as the user wrote it, but not a whole file of it."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _owner(config_class: type[BaseConfig], path: tuple[Any, ...]) -> type[BaseModel]:
    """The nested config class at a path of field names."""
    owner: type[BaseModel] = config_class
    for part in path:
        field = owner.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            break
        if issubclass(field.annotation, BaseModel):
            owner = field.annotation
    return owner


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values of `base`, with those of `over` on top.

    A section whose `name` changes starts afresh: the options of one method mean nothing to another.
    """
    merged = dict(base)
    if "name" in over and "name" in base and over["name"] != base["name"]:
        merged = {}
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


class _Loader(yaml.SafeLoader):
    """The safe loader of PyYAML, with values as people expect them.

    As in YAML 1.2, `yes` is no boolean. A key may be given once, and aliases may not be nested.
    """

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Counts the aliases on the way."""
        event, before = self.peek_event(), self.aliases  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        has_aliases = self.aliases > before
        self.aliases += isinstance(event, yaml.AliasEvent)
        if self.aliases > 60 or (has_aliases and event.anchor):
            raise yaml.YAMLError("too many aliases (*name), or one inside of another")
        return node


PLAIN = {
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "tag:yaml.org,2002:int": (r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}
"""What unquoted text may be, by its tag: a pattern, and first characters."""

_Loader.yaml_implicit_resolvers = {}
for tag, (pattern, first) in PLAIN.items():
    _Loader.add_implicit_resolver(tag, re.compile(f"^(?:{pattern})$"), first)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, (str, int, float, bool, type(None))):
            raise yaml.YAMLError(f"a key cannot be a list or a mapping{key_node.start_mark}")
        if key in seen:
            raise yaml.YAMLError(f"{key} is given twice, in line {key_node.start_mark.line + 1}")
        seen.add(key)
    return dict(loader.construct_pairs(node, deep=True))


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def parse_yaml(text: str) -> Any:
    """The value that a text stands for; yaml.YAMLError if it is none, or gives a key twice."""
    try:
        return yaml.load(text, _Loader)  # a safe loader
    except (RecursionError, ValueError):  # a number may have more digits than Python reads
        raise yaml.YAMLError("it is nested too deeply, or a number is too long") from None
    except yaml.YAMLError as error:
        if re.search(r"[{\[,:]\s*#", text):
            raise yaml.YAMLError("# begins a comment: put colors in quotes, '#ff0000'") from error
        if pattern := re.search(r"\{name\}\S+", text):
            raise yaml.YAMLError(f"put patterns in quotes, '{pattern[0]}'") from error
        raise


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file that holds one mapping; a UserError says why it cannot be read."""
    if not path.is_file():
        raise UserError(f"There is no file {path}. (A folder, a pipe or a device is none.)")
    try:
        values = parse_yaml(read_text(path))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"Cannot read {path} as YAML: {error}") from None
    if not isinstance(values, dict) or any(not isinstance(key, str) for key in values):
        raise UserError(f"{path} holds no settings: expected lines like 'key: value'.")
    return values
