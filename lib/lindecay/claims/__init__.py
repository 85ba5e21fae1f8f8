"""Claims: every published number, our value for it, and a verdict with its reason.

`check` judges a build's results, `text` feeds the {claim} role, `accept` rewrites
the committed verdicts on purpose, `against` tells what moved since a commit.
"""

from lindecay.claims.audit import Problem
from lindecay.claims.faces import schemas
from lindecay.claims.history import against
from lindecay.claims.registry import VERDICTS, Claim, claim, load
from lindecay.claims.report import Report, accept, check, report_on
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
    "report_on",
    "schemas",
    "text",
]
