"""The command `lindecay`: every door of the house, one line of help each.

Rooms are imported inside the commands, so that `lindecay --help` is quick and the
light install (without the book's packages) still has the commands it can serve.
Exit codes: 0 good, 1 red (a claim moved, a proof differs, a chapter raised), 2 the
input was wrong.
"""

import errno
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

PLACES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
PLACES += (errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG)

Profile = Annotated[str, typer.Option("--profile", "-p", help="quick or paper")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object, nothing else")]


def main() -> None:
    """Entry point: a Fault is one line on standard error and exit code 2."""
    try:
        app()
    except Fault as fault:
        print(f"lindecay: {fault}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:  # a disk that is full, a folder that may not be written
        if error.errno not in PLACES:
            raise
        where = f" in {error.filename}" if error.filename else ""
        print(
            f"lindecay: cannot read or write: {error.strerror}{where}", file=sys.stderr
        )
        raise SystemExit(2) from None
    except ModuleNotFoundError as error:
        if (error.name or "lindecay").startswith("lindecay"):
            raise
        told = f"lindecay: this command needs the package {error.name!r}"
        print(f"{told}; {_how_to_get(error.name)}", file=sys.stderr)
        raise SystemExit(2) from None


def _how_to_get(package: str) -> str:
    """The extra that brings a package, and not much more: never `all`."""
    from importlib.metadata import requires

    name = {"sklearn": "scikit-learn"}.get(package, package.replace("_", "-"))
    asked = re.compile(rf"{name}\W.*extra == ['\"](?!all\b)(\w+)['\"]", re.I)
    extra = next(filter(None, map(asked.match, requires("lindecay") or [])), None)
    how = f'`pip install ".[{extra[1]}]"`' if extra else f"`pip install {name}`"
    return f"{how} brings it, `make setup` everything"


def _version(asked: bool) -> None:
    if asked:
        from lindecay import __version__

        print(f"lindecay {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


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
    assume: Annotated[str, typer.Option(help="other choices than ours, a file")] = "",
    force: Annotated[bool, typer.Option(help="run even what did not change")] = False,
    book: Annotated[bool, typer.Option("--book", help="then render the pages")] = False,
    knob: Annotated[
        list[str] | None, typer.Option("-P", help="another value: name=value")
    ] = None,
) -> None:
    """Run the chapters that changed. Example: lindecay run 04 --book"""
    if assume:
        return _assumed(assume, profile_name, keep=True)
    from lindecay.settings import root
    from lindecay.site import build, knobs
    from lindecay.site.chapters import select

    select(root(), chapters or [])  # a wrong word need not wait for another build
    given = knobs.parsed(knob or [])
    try:
        with build.alone():
            if knob:
                rows = build.run_turned(chapters or [], profile_name, given)
                return _columns(rows or [{"id": "no number moved"}])
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
    import lindecay.questions.asked  # noqa: F401  they make themselves known
    from lindecay.studies import protocol

    _least("--workers", workers, 1)
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
    layout: Annotated[str, typer.Option(help="A, B or C")] = "A",
    seed: int = 0,
    rtl: Annotated[bool, typer.Option("--rtl", help="the Verilog, one clip")] = False,
    train: Annotated[bool, typer.Option("--train", help="train it if need be")] = False,
    as_json: AsJson = False,
) -> None:
    """Training = integers = array, every bit. Example: lindecay prove nmnist --json"""
    from lindecay.prove import prove as proof

    _least("--seed", seed, 0)
    _known(layout, ["A", "B", "C"], "no such layout")
    _will_train(name, profile(profile_name), arm, seed, train)
    told = {"arm": arm, "seed": seed, "rtl": rtl, "layout": layout}
    found = proof(name, profile(profile_name).name, **told)
    if as_json:
        say(found)
    else:
        _columns(found["layers"], f"{name}: {found['clips']} clips, {found['source']}")
        for key in ("membranes_compared", "spikes_compared", "differences"):
            print(f"{key}: {found[key]:,}")
        for key, value in found.get("rtl", {}).items():
            print(f"rtl {key}: {value:,}")
    raise typer.Exit(1 if found["differences"] else 0)


@app.command()
def rtl(
    checkpoint: Annotated[str, typer.Argument(help="an integer checkpoint, .npz")],
    out: Annotated[str, typer.Option(help="a new folder")],
    clips: Annotated[int, typer.Option(help="clips that it must get right")] = 1,
    steps: Annotated[int, typer.Option(help="of the first clip only; 0: all")] = 0,
    vcd: Annotated[bool, typer.Option("--vcd", help="run it, keep the waves")] = False,
    as_json: AsJson = False,
) -> None:
    """A network as Verilog. Example: lindecay rtl mine.npz --out rtl --clips 1"""
    from lindecay import rtl as room

    found = room.written(checkpoint, out, clips, steps, vcd)
    say(found) if as_json else _columns([found])
    raise typer.Exit(1 if found.get("differences") else 0)


@app.command()
def gates(
    again: Annotated[
        bool, typer.Option("--again", help="measure, do not read")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="commit the rows")] = False,
    as_json: AsJson = False,
) -> None:
    """Ratios of datapaths in real cells. Example: lindecay gates --json"""
    from lindecay.energy import hardware, mapped

    def tell(row) -> None:
        print(row, file=sys.stderr, flush=True)

    found = mapped.report(again or keep, keep, tell)
    if keep:
        hardware.keep(hardware.measure(tell))
    say(found) if as_json else _columns(found["scopes"], found["source"])


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
    because: Annotated[str, typer.Option(help="why a verdict may move")] = "",
    markdown: Annotated[bool, typer.Option("--markdown")] = False,
    badge: Annotated[bool, typer.Option("--badge")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="JSON schemas")] = False,
    assume: Annotated[str, typer.Option(help="other choices than ours, a file")] = "",
    keys: Annotated[bool, typer.Option("--keys", help="a file to fill in")] = False,
    why: Annotated[str, typer.Option(help="claim: its chain, link by link")] = "",
    as_json: AsJson = False,
) -> None:
    """Judge every published number. Example: lindecay check --json"""
    from lindecay import claims

    _one_of({"--json": as_json, "--markdown": markdown, "--badge": badge})
    if accept and with_file:
        what = "somebody else's numbers cannot become the committed verdicts"
        raise Fault(what, found="--accept --with", do="leave one of them out")
    if schema:
        return say(claims.schemas())
    if keys:
        return print(claims.assume.template(), end="")
    if assume:
        return _assumed(assume, profile_name, as_json)
    if why:
        return _why(why, profile_name, as_json)
    if against:
        moves = [str(move) for move in claims.against(against)]
        return (
            say({"schema": 1, "moved": moves}) if as_json else print(*moves, sep="\n")
        )
    report = claims.check(profile_name, with_file or None)
    if accept:
        print(f"accepted: {claims.accept(report, because=because)}", file=sys.stderr)
        report = claims.check(profile_name, with_file or None)
    if as_json:
        print(report.to_json())
    elif markdown or badge:
        print(report.to_markdown()) if markdown else say(report.badge())
    else:
        _report(report)
    raise typer.Exit(report.exit_code)


@app.command(name="new-claims")
def new_claims(
    folder: Annotated[str, typer.Argument(help="a new folder")],
    title: Annotated[str, typer.Option(help="of the paper")] = "",
) -> None:
    """Claims of another paper, to fill in. Example: lindecay new-claims mine"""
    from lindecay.claims import scaffold

    home = scaffold.new(folder, title)
    print(f"{home}: cd there, then lindecay run; lindecay check; README.md says more")


def _assumed(
    path: str, profile_name: str, as_json: bool = False, keep: bool = False
) -> None:
    """Claims of energy under other choices; `keep` writes their results as a file."""
    from lindecay.claims import assume

    found = assume.judged(path, profile_name)
    say(found.to_dict()) if as_json else print(*found.lines(), sep="\n")
    if keep:
        print(f"results: {assume.kept(found)}", file=sys.stderr)


def _why(id: str, profile_name: str, as_json: bool) -> None:
    """The chain of a claim: quote, data, rows, statistic, verdict."""
    from lindecay.claims import why

    links = why.chain(id, profile_name)
    say({"schema": 1, "claim": id, "links": links}) if as_json else print(
        *why.lines(links), sep="\n"
    )


@app.command()
def bill(
    network: Annotated[str, typer.Option(help="MLP-1, MLP-2 or CNN; all")] = "",
    profile_name: Profile = "quick",
    as_json: AsJson = False,
) -> None:
    """Joules and time of every network. Example: lindecay bill --network MLP-1"""
    from lindecay.energy import bills

    rows = bills.rows(profile_name, network)
    say({"schema": 1, "rows": rows}) if as_json else _columns(bills.brief(rows))


def _report(report) -> None:
    from rich.console import Console

    Console().print(report.to_table())
    if report.ours:
        Console().print(report.to_own_table())
    print(", ".join(f"{n} {verdict}" for verdict, n in report.tally.items() if n))
    for note in report.notes:
        print(f"note: {note}")
    for problem in report.problems:
        print(f"red: {problem}")


@app.command()
def bench(
    what: Annotated[str, typer.Argument(help="neurons, networks, array, data")],
    device: Annotated[str, typer.Option(help="cpu, or cuda for neurons")] = "cpu",
    page: Annotated[str, typer.Option("--html", help="a table to write")] = "",
    against: Annotated[str, typer.Option(help="a bench that --json kept")] = "",
    as_json: AsJson = False,
) -> None:
    """Time and memory beside peers.

    Examples: lindecay bench neurons --json

    lindecay bench neurons --device cuda
    """
    from lindecay import bench as rooms
    from lindecay import events
    from lindecay.bench import array, table
    from lindecay.bench import device as on

    works = {
        "neurons": rooms.neurons,
        "networks": rooms.networks,
        "array": array.bench,
        "data": events.bench,
    }
    _known(what, list(works), "no such benchmark")
    if on.find(device).type == "cuda":
        _known(what, ["neurons"], "no such benchmark on CUDA")
        works["neurons"] = on.neurons
    before = table.kept(against) if against else None  # minutes before it is needed
    page = table.target(page) if page else None
    found = works[what]()
    say(found) if as_json else _columns(
        [{"work": name, **work} for name, work in found.items()]
    )
    if page:
        table.write(found, page)
    if before:
        print(*table.compared(found, before), sep="\n", file=sys.stderr)


@app.command("array")
def array_(
    network: Annotated[
        str, typer.Argument(help="FILE.nir, CHECKPOINT.npz, module:attribute")
    ],
    events: Annotated[
        str,
        typer.Argument(help="FILE.npz, .npy, .h5, or nmnist, shd/train, dvsgesture"),
    ],
    layout: Annotated[str, typer.Option(help="A, B or C")] = "A",
    bits: Annotated[str, typer.Option(help="bits of weights, membranes: 4,16")] = "",
    leak: Annotated[str, typer.Option(help="linear or as-is")] = "as-is",
    labels: Annotated[str, typer.Option(help="a .npy with a class a clip")] = "",
    reset: Annotated[str, typer.Option(help="of NIR: zero or subtract")] = "",
    clips: Annotated[int, typer.Option(help="the first of them; 0: all, 100")] = 0,
    dt_us: Annotated[int, typer.Option(help="width of a bin, of .h5 and sets")] = 0,
    steps: Annotated[int, typer.Option(help="number of bins, of .h5 and sets")] = 0,
    report: Annotated[str, typer.Option(help="the page")] = "array-report.html",
    as_json: AsJson = False,
) -> None:
    """Somebody's network on the array: accuracy, cycles, joules and a report page.

    Files are read as data; module:attribute imports the module, which runs its code.

    Examples: lindecay array net.nir nmnist --dt-us 1000 --steps 300 --bits 4,16

    lindecay array mine:net clips.npz --leak linear
    """
    from lindecay import deploy

    found = deploy.visit(
        deploy.network(network),
        *deploy.events(events, clips or None, dt_us or None, steps or None, labels),
        layout=layout,
        bits=deploy.bits(bits),
        leak=leak,
        reset=reset or None,
        progress=deploy.Progress() if sys.stderr.isatty() else None,
        title=f"{network} on {events}",
    )
    written = deploy.page(found, report)
    if as_json:
        return say(found.face)
    deploy.table(found)
    print(f"report: {written}")


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


def _least(option: str, given: int, least: int) -> None:
    if given < least:
        raise Fault(option, expected=f"a whole number from {least}", found=given)


def _one_of(options: dict[str, bool]) -> None:
    given = [name for name, on in options.items() if on]
    if len(given) > 1:
        raise Fault(
            "one form of output at a time", expected="one", found=" ".join(given)
        )


def _will_train(name: str, size, arm: str, seed: int, allowed: bool) -> None:
    """Say what a proof trains first; a seed that no chapter uses only if asked."""
    from lindecay import training
    from lindecay.subjects import SUBJECTS

    if name not in SUBJECTS:
        return  # told by the proof
    plan = SUBJECTS[name].plan(size.name, arm, seed)
    if training.trained(plan):
        return
    told = (
        f"{name} {arm} seed {seed} is not trained yet; it takes about {MINUTES[name]}"
    )
    if seed not in size.seeds and not allowed:
        seeds = ", ".join(map(str, size.seeds))
        raise Fault(told, expected=f"seed {seeds}", found=seed, do="or add --train")
    print(f"lindecay: {told}; training", file=sys.stderr)


MINUTES = {"nmnist": "half a minute", "shd": "a minute", "dvsgesture": "a minute"}
