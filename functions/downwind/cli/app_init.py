"""`downwind app init`: the first catalog file of an application, and its pipelines."""

from pathlib import Path

import click

from downwind.cli.app_template import render
from downwind.cli.catalog_file import read_text
from downwind.cli.strategies import STAGING, STRATEGIES, pipeline_text
from downwind.errors import Refused


@click.command("init")
@click.option("--name", help="The application's name: lower case letters, digits and '-'.")
@click.option("--repository", help="The https address of its git repository.")
@click.option("--image", help="The image that a release is made of: HOST/PATH without tag.")
@click.option("--trigger", help="Its Cloud Build trigger, projects/P/locations/L/triggers/NAME; '' for none.")
@click.option("--namespace", help="The namespace of production; staging gets NAMESPACE-staging.")
@click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), default=Path("downwind.yaml"), show_default=True
)
@click.option(
    "--strategy",
    type=click.Choice(list(STRATEGIES)),
    help="Write the pipelines too, into pipelines/ beside the file: this one for production, rolling for staging.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def init_command(path: Path, *, strategy: str | None, force: bool, **given: str | None) -> None:
    """Write a commented catalog file, and the pipelines of a strategy. What no option gives is asked for.

    \b
    Examples:
      downwind app init
      downwind app init --name shop --repository https://github.com/acme/shop.git \\
        --image us-central1-docker.pkg.dev/acme/apps/shop --trigger '' --namespace shop --strategy canary
    """
    folder = path.parent / "pipelines"
    pipelines = {folder / f"deploy-{name}.yaml": name for name in ("staging", "production")} if strategy else {}
    for each in (path, *pipelines):
        if each.exists() and not force:
            raise Refused(f"{each} is there already", fix="take another --file, or overwrite it with --force")
    name = _asked("name", given, "Name of the application")
    text = render(
        file=str(path),
        name=name,
        repository=_asked("repository", given, "Address of its git repository (https://…)"),
        image=_asked("image", given, "Image, without tag (HOST/PATH)"),
        trigger=_asked("trigger", given, "Cloud Build trigger (empty for none)", default=""),
        namespace=(namespace := _asked("namespace", given, "Kubernetes namespace of production", default=name)),
        parts=STRATEGIES[strategy].parts if strategy else None,
    )
    problems = read_text(str(path), text.encode()).problems
    if problems:
        raise Refused("; ".join(f"{each.field}: {each.message}, {each.fix}" for each in problems))
    texts = {path: text}
    for each, environment in pipelines.items():
        where = namespace if environment == "production" else f"{namespace}-staging"
        chosen = str(strategy) if environment == "production" else STAGING
        texts[each] = pipeline_text(chosen, application=name, environment=environment, namespace=where)
    for each, content in texts.items():
        try:
            if each in pipelines:
                folder.mkdir(exist_ok=True)
            each.write_text(content, encoding="utf-8")
        except OSError as error:
            raise Refused(f"{each} cannot be written: {error.strerror}", fix="take another --file") from error
    click.echo(f"{path} written. Look through it, then: downwind app check {path}")
    if pipelines:
        click.echo(f"{folder} written. Look through it, then: downwind pipelines check {folder}/*.yaml")
        for part, place in STRATEGIES[str(strategy)].parts.items():
            there = any(path.parent.joinpath(place).glob("*"))
            what = "what is there is its manifests" if there else "put its manifests there"
            click.echo(f"Part {part!r} of production's bundle is {place}/: {what}")
    click.echo("Into an installation: downwind app apply. Into a local world: downwind local add DIRECTORY")


def _asked(name: str, given: dict[str, str | None], question: str, default: str | None = None) -> str:
    value = given[name]
    if value is not None:
        return value
    try:
        return str(click.prompt(question, default=default, show_default=bool(default), err=True))
    except click.Abort:
        raise click.UsageError(f"nobody answered; give --{name}") from None
