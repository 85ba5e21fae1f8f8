"""One macro: its size, its cell, its layout, and how row tiles merge."""

from dataclasses import dataclass

from lindecay.settings import Fault


@dataclass(frozen=True)
class MacroSpec:
    """One macro: size, cell and how row tiles merge."""

    rows: int = 256
    cols: int = 256
    ports: int = 2  # read ports: 2 for the 10T cell, 1 for 8T
    merge: str = "tree"  # or "star": every row tile straight into home, in turn
    deal: str = "turn"  # or "blocks": neighbouring inputs in one row tile
    layout: str = "A"  # bit-serial columns; B words; C adder tree
    signed_beta: bool = False  # β of the exponential leak in signed digits
    update: str = "in-place"  # or, in layout C, "row" or "word": near memory

    def __post_init__(self):
        for name, low, high in (("rows", 1, 65536), ("cols", 1, 65536)):
            if not low <= getattr(self, name) <= high:
                raise Fault(
                    f"macro {name} out of range",
                    expected=f"{low} to {high}",
                    found=getattr(self, name),
                )
        choices = {"ports": (1, 2), "merge": ("tree", "star")}
        choices |= {"deal": ("turn", "blocks"), "layout": ("A", "B", "C")}
        near = ("in-place", "row", "word") if self.layout == "C" else ("in-place",)
        choices["update"] = near
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise Fault(
                    f"unknown {name} of a macro",
                    expected=" or ".join(map(str, known)),
                    found=repr(getattr(self, name)),
                )
