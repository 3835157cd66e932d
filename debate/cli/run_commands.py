"""Commands on a configuration: `run`, `probe`, `validate`, `power` and `bench`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from debate.bench import TITLES
from debate.errors import InputError
from debate.interrupts import run_to_end
from debate.terminal import make_console

if TYPE_CHECKING:
    from debate.config.loader import LoadedRun


def complete_config(incomplete: str) -> list[str]:
    """Return the shipped configurations that begin so; where none does, shells complete files."""
    from debate.config.references import list_shipped

    return sorted(name for name in list_shipped("configs") if name.startswith(incomplete))


BUDGET_SPENT = 3
"""The exit code of a run that its budget has stopped."""

ConfigArgument = Annotated[
    str,
    typer.Argument(
        help="A YAML file, or the name of a shipped configuration.", autocompletion=complete_config
    ),
]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", metavar="A.B=VALUE", help="Change one field; repeatable."),
]
NoCustomCodeOption = Annotated[
    bool,
    typer.Option(
        "--no-custom-code",
        help="Refuse a configuration that names code of its own or of installed packages: "
        "protocols, decisions, engines, plug-ins, runtimes and the like.",
    ),
]
AllowKeyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="With --no-custom-code: let a model send this environment variable, although its name "
        "ends in neither KEY nor TOKEN; repeatable.",
    ),
]
NoPreflightOption = Annotated[
    bool, typer.Option("--no-preflight", help="Do not try each endpoint by one call first.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress display.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
CustomCodeOption = Annotated[
    bool, typer.Option("--custom-code", help="Import the run's custom code.")
]
PartsOption = Annotated[
    list[str],
    typer.Option(
        help="Parts to measure, with commas or one an option: "
        + "; ".join(f"({part}) {title}" for part, title in TITLES.items())
    ),
]


def _load(
    config: str, override: list[str] | None, no_custom_code: bool, allow_key: list[str] | None
) -> LoadedRun:
    from debate.config.loader import load_run

    _refuse_run_directory(config)
    allowed = allow_key or ()
    return load_run(config, override or (), custom_code=not no_custom_code, allowed_keys=allowed)


def _refuse_run_directory(config: str) -> None:
    """Raise InputError for a run's directory in place of its configuration, with what to type."""
    from debate.config.references import list_shipped
    from debate.log.files import MANIFEST
    from debate.log.manifest import read_manifest

    if not (Path(config) / MANIFEST).is_file():
        return
    manifest = read_manifest(Path(config))
    name = str(manifest.spec.get("name", "run"))
    files = [each for each in (f"{name}.yaml", f"{name}.yml") if Path(each).is_file()]
    shipped = [name] if name in list_shipped("configs") else []
    written = [*files, *shipped, "CONFIG.yaml"][0]
    go_on = shlex.join(["debate", "run", written, "--out", config])
    read = shlex.join(["debate", "summarise", config])
    raise InputError(
        f"{config} is the directory of a run ({manifest.status}), not its configuration; to go on "
        f"with the run: `{go_on}`; to read it: `{read}`"
    )


def run(
    config: ConfigArgument,
    out: Annotated[Path | None, typer.Option(help="Run directory; default runs/NAME.")] = None,
    override: OverrideOption = None,
    quiet: QuietOption = False,
    no_custom_code: NoCustomCodeOption = False,
    allow_key: AllowKeyOption = None,
    no_preflight: NoPreflightOption = False,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going",
            help="Where a model fails again and again, go on with the others and try it later.",
        ),
    ] = False,
    no_report: Annotated[
        bool,
        typer.Option("--no-report", help="Write no page; `debate report` does it afterwards."),
    ] = False,
) -> None:
    """Run a configuration, or go on with it where it was interrupted.

    Exits with 3 where its budget has stopped it: the same command with a larger one goes on.
    """
    from debate.runner.execute import execute, get_run_directory, raise_if_failed
    from debate.runner.plan import make_plan
    from debate.runner.report_run import report_run

    changes = [*(override or ()), *(["keep_going=true"] if keep_going else [])]
    plan = make_plan(_load(config, changes, no_custom_code, allow_key))
    directory, console = get_run_directory(plan.spec, out), make_console(stderr=True)
    outcome = run_to_end(
        execute(plan, directory, console=console, quiet=quiet, preflight=not no_preflight)
    )
    report_run(outcome, make_console(overflows=True), with_page=not no_report)
    raise_if_failed(outcome, min_completed=plan.spec.min_completed)
    if outcome.is_stopped:
        raise typer.Exit(BUDGET_SPENT)


def probe(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    quiet: QuietOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing, and ask nothing.")
    ] = False,
    custom_code: CustomCodeOption = False,
) -> None:
    """Score after a run what its belief probes left out, so that all its cells have one set.

    At each answer, every candidate that anybody stated in any cell; what is on record is not asked
    again, and no answer or decision changes. Kill it whenever you like; the same command goes on.
    """
    from debate.runner.probe_run import probe_run
    from debate.text import clean

    console = make_console(stderr=True)
    found = probe_run(
        directory, console=console, quiet=quiet, custom_code=custom_code, dry_run=dry_run
    )
    for what in found.in_words(dry_run=dry_run):
        typer.echo(clean(what))


def validate(
    config: ConfigArgument,
    override: OverrideOption = None,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Also say how many calls `debate probe` makes afterwards."),
    ] = False,
    pilot: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Debate N of the questions and estimate the whole run from them. They go into "
            "the run directory, and `debate run` makes none of their calls again.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run directory of the pilot; default runs/NAME.")
    ] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Show the prompts of all agents in all cells, whole.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also show agents, models, prompts and who hears whom.")
    ] = False,
    no_preflight: NoPreflightOption = False,
    no_custom_code: NoCustomCodeOption = False,
    allow_key: AllowKeyOption = None,
) -> None:
    """Check a configuration and show what it would do: offline, but for a cluster that it names.

    With a pilot it also asks models.
    """
    from debate.cluster.inquiry import try_to_ask
    from debate.runner.describe import print_plan, print_probe_calls
    from debate.runner.execute import run_pilot
    from debate.runner.plan import make_plan
    from debate.runner.spending import print_budget

    loaded = _load(config, override, no_custom_code, allow_key)
    plan, console = make_plan(loaded), make_console()
    with make_console(stderr=True).status("asking the cluster"):
        asked = try_to_ask(plan.models, plan.spec.cluster)
    print_plan(plan, console, asked, prompts=prompts, everything=everything)
    print_budget(plan, console)
    if probe:
        print_probe_calls(plan, console)
    if pilot is None:
        return
    done = run_pilot(plan, pilot, out, console, preflight=not no_preflight)
    if done.is_stopped:
        raise typer.Exit(BUDGET_SPENT)


def power(
    config: ConfigArgument,
    pilot: Annotated[
        Path,
        typer.Option(
            metavar="RUN",
            help="A run of the same agents and conditions on a few questions, such as "
            "`debate validate CONFIG --pilot N` leaves.",
        ),
    ],
    target: Annotated[
        float, typer.Option(help="The share of runs that is to end with the claimed outcome.")
    ] = 0.8,
    confidence: Annotated[
        str, typer.Option(metavar="SOURCE", help="The estimator, as in `debate analyze`.")
    ] = "confidence",
    override: OverrideOption = None,
    json: JsonOption = False,
    no_custom_code: NoCustomCodeOption = False,
    allow_key: AllowKeyOption = None,
) -> None:
    """Simulate the hypotheses from a pilot: questions, seeds and price to support them."""
    from debate.runner.describe_power import print_power
    from debate.runner.estimate_power import estimate_power
    from debate.runner.plan import make_plan

    plan = make_plan(_load(config, override, no_custom_code, allow_key))
    with make_console(stderr=True).status("simulating the hypotheses"):
        found = estimate_power(plan, pilot, target=target, confidence=confidence)
    if json:
        typer.echo(found.to_json())
    else:
        print_power(found, make_console())


def bench(
    part: PartsOption = [",".join(TITLES)],  # noqa: B006, B008 - typer copies it
    json: Annotated[Path | None, typer.Option(help="Also write everything to this file.")] = None,
    quick: Annotated[bool, typer.Option(help="Smaller: a look, in minutes.")] = False,
    config: Annotated[
        str | None, typer.Option(help="The run to measure in c and d; default: the organisms.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where runs are written; its disk is measured too.")
    ] = None,
) -> None:
    """Measure orchestration, latency, throughput, prefix cache and memory, as ratios of one run."""
    from debate.bench.suite import encode_results, make_table, parse_parts, read_load, run_parts
    from debate.log.manifest import detect_hardware
    from debate.terminal import print_whole

    wanted, load = parse_parts(",".join(part)), read_load()
    results, console = [], make_console(stderr=True)
    with console.status("measuring") as status:
        for result in run_parts(wanted, quick=quick, folder=folder, config=config):
            results.append(result)
            status.update(f"({result.part}) {TITLES[result.part]}: {result.what}")
    print_whole(make_table(results, load=load, cpus=detect_hardware().cpus), make_console())
    if json is not None:
        json.write_bytes(encode_results(results, quick=quick, load=load))
        typer.echo(json)
