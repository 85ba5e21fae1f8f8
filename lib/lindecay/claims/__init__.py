"""Claims: every published number, our value for it, and a verdict with its reason.

`check` judges a build's results, `text` feeds the {claim} role, `accept` rewrites
the committed verdicts on purpose, `against` tells what moved since a commit.
"""

from lindecay.claims.history import against
from lindecay.claims.registry import VERDICTS, Claim, claim, load, registry
from lindecay.claims.report import Problem, Report, accept, check, report
from lindecay.claims.schemas import schemas
from lindecay.claims.words import text

__all__ = [
    "VERDICTS",
    "Claim",
    "Problem",
    "Report",
    "accept",
    "against",
    "check",
    "claim",
    "load",
    "registry",
    "report",
    "schemas",
    "text",
]
