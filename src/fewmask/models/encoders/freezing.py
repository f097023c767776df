"""Which modules of a backbone lie before the end of a stage, and so can be frozen with it."""

from torch import nn


def names_up_to(backbone: nn.Module, last: str) -> list[str]:
    """Names of the modules up to and including `last`, in order of definition.

    Where all children of a module qualify, only the module itself is named.
    """
    # timm lists a stage as layers_0 that its module tree calls layers.0.
    place = f"{last}.".replace("_", ".")
    leaves = [(n, m) for n, m in backbone.named_modules() if not [*m.children()]]
    end = max(i for i, (n, _) in enumerate(leaves) if f"{n}.".replace("_", ".").startswith(place))
    before = {id(module) for _, module in leaves[: end + 1]}

    def lies_before(module: nn.Module) -> bool:
        return all(id(m) in before for m in module.modules() if not [*m.children()])

    found = [name for name, module in backbone.named_modules() if lies_before(module)]
    return [name for name in found if not name or name.rpartition(".")[0] not in found]
