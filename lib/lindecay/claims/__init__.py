"""Claims: every published number, our value for it, and a verdict with its reason.

`check` judges a build's results, `text` feeds the {claim} role, `accept` rewrites
the committed verdicts on purpose, `against` tells what moved since a commit.

    the registry   registry assumptions inventory       what is printed, what is open
    judging        judge rules drops printed statistics assume    from results to rows
    guarding       audit follows sealed stamps typed               what turns CI red
    what moved     history changelog
    another paper  scaffold template
    telling        sets words page cards report faces why         rows for people
"""

from lindecay.claims import assume, changelog, why
from lindecay.claims.audit import Problem
from lindecay.claims.display import text
from lindecay.claims.history import against
from lindecay.claims.registry import VERDICTS, Claim, claim, load
from lindecay.claims.report import Report, accept, check, report_on
from lindecay.claims.schemas import schemas

__all__ = [
    "VERDICTS",
    "Claim",
    "Problem",
    "Report",
    "accept",
    "assume",
    "against",
    "changelog",
    "check",
    "claim",
    "load",
    "report_on",
    "schemas",
    "text",
    "why",
]
