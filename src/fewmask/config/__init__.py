"""Settings: strict and typed, from YAML files and by name; and whose names are followed."""

from fewmask.config.finding import find, find_class
from fewmask.config.settings import (
    BaseConfig,
    ascending,
    merge,
    parse_yaml,
    read_yaml,
    validate,
)
from fewmask.config.trust import allow

__all__ = [
    "BaseConfig",
    "allow",
    "ascending",
    "find",
    "find_class",
    "merge",
    "parse_yaml",
    "read_yaml",
    "validate",
]
