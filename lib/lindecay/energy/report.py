"""Energy of the trained network under constants of one's own, as rows for a table.

Every design, and the ratios that the claims are about.
"""

from lindecay import settings
from lindecay.energy import choices, compare, constants, network


def frozen_clips(profile: str):
    """The test clips of the frozen design: the first 100, all where there are fewer."""
    return choices.clips_of(settings.profile(profile))


def report(profile: str = "quick", swap: str = "") -> dict:
    """Designs and ratios; `swap` is NAME=VALUE[,NAME=VALUE] in the rows' own units.

    Returns:
        {"set", "source", "clips", "designs": [rows], "ratios": {name: value}}
    """
    table = constants.swap(constants.load(), **constants.parse_swap(swap))
    clips = frozen_clips(profile)
    measured = network.kept(profile, "ldlif", clips)
    found = compare.designs(measured, constants.values(table))
    ours = found[0]
    ratios = {k: float(x) for k, x in compare.shares(found).items()}
    for chip in ("anpi", "anpg", "loihi", "truenorth"):
        ratios[f"{chip} over ours, raw"] = table[f"{chip}_sop"].value / float(ours.sop)
    return {
        "set": constants.parse_swap(swap),
        "source": clips.source,
        "clips": len(clips),
        "designs": [design.row() for design in found],
        "ratios": ratios,
    }
