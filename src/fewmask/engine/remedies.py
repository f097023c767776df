"""What a user can change about a problem, limited to the options that the run really has."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

from pydantic import BaseModel


class Remedy(NamedTuple):
    """A change of an option, in words."""

    verb: str
    option: str
    to: str = ""
    most: float | None = None  # the value from which it cannot be raised


def raise_(option: str, most: float | None = None) -> Remedy:
    """Raising an option; not offered at its largest value."""
    return Remedy("raise", option, most=most)


def lower(option: str) -> Remedy:
    """Lowering an option; not offered at 0."""
    return Remedy("lower", option)


def turn_on(option: str, to: str) -> Remedy:
    """Giving a value to an option that is off; not offered otherwise."""
    return Remedy("set", option, f"={to}")


class Remedies:
    """Knows the options of a run, so that no advice names one that does not exist.

    Args:
        values: the value of each option, by dotted name.
        method: how the section `method` is called: in a comparison, `methods.NAME`, so that a
            remedy changes no other method.
    """

    def __init__(self, values: dict[str, Any], method: str = "method"):
        self.values, self.method = values, method

    @classmethod
    def of(cls, **sections: BaseModel) -> Self:
        """The options of some sections of a recipe.

        Example:
            Remedies.of(training=recipe.training).values["training.steps"]  # 20000
        """
        return cls(
            {path: v for name, config in sections.items() for path, v in _walk(name, config)}
        )

    def suggest(self, remedies: Sequence[Remedy], otherwise: str) -> str:
        """A sentence with the remedies that apply to this run.

        Args:
            remedies: the best one first.
            otherwise: what can be done in every run, such as `train longer`.
        """
        known = [remedy for remedy in remedies if self._applies(remedy)]
        words = [f"{remedy.verb} {self._named(remedy.option)}{remedy.to}" for remedy in known]
        text = f"{', '.join(words)}, or {otherwise}" if words else otherwise
        return f"{text[0].upper()}{text[1:]}."

    def _named(self, option: str) -> str:
        """An option as the user's command takes it."""
        section, _, rest = option.partition(".")
        return f"{self.method}.{rest}" if section == "method" else option

    def _applies(self, remedy: Remedy) -> bool:
        if remedy.option not in self.values:
            return False
        value = self.values[remedy.option]
        is_on, is_full = bool(value), remedy.most is not None and value == remedy.most
        # 0 cannot be lowered, and what is on need not be turned on.
        return {"raise": not is_full, "lower": is_on, "set": not is_on}[remedy.verb]


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The options in a config by dotted name, those of nested configs included."""
    if not isinstance(value, BaseModel):
        yield path, value
        return
    for name in type(value).model_fields:
        yield from _walk(f"{path}.{name}", getattr(value, name))
