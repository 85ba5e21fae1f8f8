"""JSON schemas of what others read and write: the report, the registry, results."""

from pydantic import BaseModel, ConfigDict, Field

from lindecay.claims.assumptions import Assumptions
from lindecay.claims.judge import Row
from lindecay.claims.registry import Registry
from lindecay.results import Result


class CheckOutput(BaseModel):
    """What `lindecay check --json` prints."""

    model_config = ConfigDict(extra="forbid")

    schema_: int = Field(alias="schema")
    profile: str
    claims: list[Row]
    ours: list[Row]
    tally: dict[str, int]
    cited: int
    problems: list[dict[str, str]]
    notes: list[str]


class ResultFile(BaseModel):
    """What `lindecay check --with FILE` reads."""

    schema_: int = Field(alias="schema")
    results: list[Result]


def schemas() -> dict[str, dict]:
    """JSON schema (draft 2020-12) of each face, by name.

    >>> sorted(schemas())
    ['assumptions', 'check', 'registry', 'results']
    """
    models = {
        "check": CheckOutput,
        "results": ResultFile,
        "registry": Registry,
        "assumptions": Assumptions,
    }
    return {name: model.model_json_schema() for name, model in models.items()}
