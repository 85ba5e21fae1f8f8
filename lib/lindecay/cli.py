"""The command `lindecay`: every door of the house, one line of help each.

Rooms are imported inside the commands, so that `lindecay --help` is quick and the
light install (without the book's packages) still has the commands it can serve.
Exit codes: 0 good, 1 red (a claim moved, a proof differs, a chapter raised), 2 the
input was wrong.
"""

import json
import re
import sys
from typing import Annotated, Any

import typer

from lindecay.settings import Fault, profile

app = typer.Typer(
    help="Linear-decay spiking neurons, from event recordings to joules.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data = typer.Typer(help="Event recordings: what is here, get, verify.")
app.add_typer(data, name="data", no_args_is_help=True)

Profile = Annotated[str, typer.Option("--profile", "-p", help="quick or paper")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object, nothing else")]


def main() -> None:
    """Entry point: a Fault is one line on standard error and exit code 2."""
    try:
        app()
    except Fault as fault:
        print(f"lindecay: {fault}", file=sys.stderr)
        raise SystemExit(2) from None
    except ModuleNotFoundError as error:
        if (error.name or "lindecay").startswith("lindecay"):
            raise
        told = f"lindecay: this command needs the package {error.name!r}; `make setup`"
        print(f"{told} installs everything", file=sys.stderr)
        raise SystemExit(2) from None


def say(what: Any) -> None:
    """One JSON object on standard output."""
    print(json.dumps(what, indent=1, ensure_ascii=False))


def _columns(rows: list[dict], title: str = "") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None)
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


@data.command("list")
def data_list(as_json: AsJson = False) -> None:
    """The sets this book knows. Example: lindecay data list"""
    from lindecay import events

    rows = events.listing()
    kept = ("name", "title", "sensor", "classes", "licence")
    say({"sets": rows}) if as_json else _columns(
        [{k: r[k] for k in kept} for r in rows]
    )


@data.command("info")
def data_info(as_json: AsJson = False, profile_name: Profile = "quick") -> None:
    """What is here, real or stand-in. Example: lindecay data info --json"""
    from lindecay import events

    found = events.info(profile(profile_name).name)
    if as_json:
        return say(found)
    kept = ("source", "train", "test", "classes")
    rows = [{"set": n} | {k: f.get(k, "") for k in kept} for n, f in found.items()]
    _columns(rows)


@data.command("verify")
def data_verify(
    names: Annotated[list[str] | None, typer.Argument()] = None, as_json: AsJson = False
) -> None:
    """Check what is here, file by file. Example: lindecay data verify nmnist"""
    from lindecay import events

    found = events.verify(names or None)
    bad = [row for one in found.values() for row in one["bad"]]
    if as_json:
        say(found)
    else:
        _columns([{"set": n} | f | {"bad": len(f["bad"])} for n, f in found.items()])
        print("".join(f"bad: {row['file']}: {row['why']}\n" for row in bad), end="")
    raise typer.Exit(1 if bad else 0)


@data.command("get")
def data_get(
    name: str,
    source: Annotated[str, typer.Option("--from", help="a mirror or a folder")] = "",
) -> None:
    """Fetch a set into LINDECAY_DATA. Example: lindecay data get nmnist"""
    from lindecay import events

    found = events.get(name, source or None)
    print(f"{found.name}: {found.source}, {found.counts} in {found.folder}")


@app.command()
def run(
    chapters: Annotated[
        list[str] | None, typer.Argument(help="01, 04_training")
    ] = None,
    profile_name: Profile = "quick",
    force: Annotated[bool, typer.Option(help="run even what did not change")] = False,
    book: Annotated[bool, typer.Option("--book", help="then render the pages")] = False,
) -> None:
    """Run the chapters that changed. Example: lindecay run 04 --book"""
    from lindecay.site import build

    try:
        with build.alone():
            build.run_chapters(chapters or [], profile_name, force)
            if book:
                build.render(profile_name)
    except build.Stopped as stopped:
        details = stopped.details
        if not sys.stderr.isatty():
            details = re.sub(r"\x1b\[[0-9;]*m", "", details)
        print(details, file=sys.stderr)
        print(f"lindecay: {stopped}", file=sys.stderr)
        raise typer.Exit(1) from None


@app.command()
def train(
    name: Annotated[str, typer.Argument()] = "nmnist",
    arm: Annotated[list[str] | None, typer.Option(help="vlif, ldlif, if")] = None,
    profile_name: Profile = "quick",
    as_json: AsJson = False,
) -> None:
    """Train the arms of a network. Example: lindecay train nmnist --arm ldlif"""
    from lindecay import training
    from lindecay.networks import ARMS

    _known(name, ["nmnist"], "no network for this set yet")
    arms = tuple(arm or ["vlif", "ldlif", "if"])
    for given in arms:
        _known(given, list(ARMS), "unknown arm")
    print(profile(profile_name).describe(), file=sys.stderr)
    outcomes = training.compare(profile_name, arms)
    rows = [
        {"arm": a, "accuracy_percent": [round(float(v), 2) for v in o.accuracy]}
        for a, o in outcomes.items()
    ]
    say({"schema": 1, "set": name, "arms": rows}) if as_json else _columns(rows)


@app.command()
def sweep(
    studies: Annotated[
        list[str] | None, typer.Argument(help="names; none: list")
    ] = None,
    scheduler: Annotated[str, typer.Option(help="address of a Dask scheduler")] = "",
    workers: Annotated[int, typer.Option(help="processes, when local")] = 2,
    again: Annotated[bool, typer.Option("--again", help="finished rows too")] = False,
    as_json: AsJson = False,
) -> None:
    """Train whole studies, resumable. Example: lindecay sweep main --workers 2"""
    from lindecay import protocol

    if not studies:
        rows = protocol.listing(protocol.begin(protocol.folder()))
        return say({"schema": 1, "studies": rows}) if as_json else _columns(rows)
    rows = protocol.run(
        studies,
        scheduler or None,
        workers,
        lambda text: print(text, file=sys.stderr, flush=True),
        protocol.begin(protocol.folder()),
        again,
    )
    if as_json:
        say({"schema": 1, "rows": rows})


@app.command()
def prove(
    name: Annotated[str, typer.Argument()] = "nmnist",
    profile_name: Profile = "quick",
    arm: str = "ldlif",
    seed: int = 0,
    as_json: AsJson = False,
) -> None:
    """Training = integers = array, every bit. Example: lindecay prove nmnist --json"""
    from lindecay.prove import prove as proof

    found = proof(name, profile(profile_name).name, arm=arm, seed=seed)
    if as_json:
        say(found)
    else:
        _columns(found["layers"], f"{name}: {found['clips']} clips, {found['source']}")
        for key in ("membranes_compared", "spikes_compared", "differences"):
            print(f"{key}: {found[key]:,}")
    raise typer.Exit(1 if found["differences"] else 0)


@app.command()
def reference(
    profile_name: Profile = "paper",
    studies: Annotated[bool, typer.Option("--studies", help="only sweeps")] = False,
    seal: Annotated[bool, typer.Option("--seal", help="only renew SHA256SUMS")] = False,
) -> None:
    """Keep a finished run as data/reference. Example: lindecay reference -p paper"""
    from lindecay import reference as room
    from lindecay.claims import sealed

    collect = room.studies if studies else lambda: room.collect(name)
    name = profile(profile_name).name
    for path in [] if seal else collect():
        print(path)
    print(sealed.seal())


@app.command()
def check(
    profile_name: Profile = "quick",
    with_file: Annotated[str, typer.Option("--with", help="your results")] = "",
    against: Annotated[str, typer.Option(help="commit: what moved since")] = "",
    accept: Annotated[bool, typer.Option("--accept", help="commit verdicts")] = False,
    markdown: Annotated[bool, typer.Option("--markdown")] = False,
    badge: Annotated[bool, typer.Option("--badge")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="JSON schemas")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge every published number. Example: lindecay check --json"""
    from lindecay import claims

    if schema:
        return say(claims.schemas())
    if against:
        moves = [str(move) for move in claims.against(against)]
        return (
            say({"schema": 1, "moved": moves}) if as_json else print(*moves, sep="\n")
        )
    report = claims.check(profile_name, with_file or None)
    if accept:
        print(f"accepted: {claims.accept(report)}", file=sys.stderr)
        report = claims.check(profile_name, with_file or None)
    if as_json:
        print(report.to_json())
    elif markdown or badge:
        print(report.to_markdown()) if markdown else say(report.badge())
    else:
        _report(report)
    raise typer.Exit(report.exit_code)


def _report(report) -> None:
    from rich.console import Console

    Console().print(report.to_table())
    print(", ".join(f"{n} {verdict}" for verdict, n in report.tally.items() if n))
    for note in report.notes:
        print(f"note: {note}")
    for problem in report.problems:
        print(f"red: {problem}")


@app.command()
def bench(
    what: Annotated[str, typer.Argument(help="neurons, networks, array, data")],
    as_json: AsJson = False,
) -> None:
    """Time and memory beside peers. Example: lindecay bench neurons --json"""
    from lindecay import bench as rooms
    from lindecay import events, sram

    works = {
        "neurons": rooms.neurons,
        "networks": rooms.networks,
        "array": sram.bench,
        "data": events.bench,
    }
    _known(what, list(works), "no such benchmark")
    found = works[what]()
    say(found) if as_json else _columns(
        [{"work": name, **work} for name, work in found.items()]
    )


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """What is missing, and how to get it. Example: lindecay doctor"""
    from lindecay.site import doctor as room

    found = room.examine()
    if as_json:
        say({"schema": 1, "checks": [vars(check) for check in found]})
    else:
        print("\n".join(map(str, found)))
    raise typer.Exit(0 if all(c.good or not c.needed for c in found) else 1)


def _known(given: str, there: list[str], what: str) -> None:
    if given not in there:
        raise Fault(what, expected=" or ".join(there), found=repr(given))
