"""`scripts/spinnaker-images`: which digests the images of one Spinnaker release have, as values for the chart."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click
import yaml

from downwind.adapters.registry import OciRegistry
from downwind.errors import DownwindError, Refused
from downwind.ports import Registry

VALUES = Path(__file__).parents[3] / "infra/charts/spinnaker/values.yaml"
STORES = {"postgresql": "15", "redis": "7.2"}
"""Tags of what is not Spinnaker's: PostgreSQL as in Spinnaker's own tests, and Redis of the line 7.2."""


def in_mirror(repository: str, mirror: str) -> str:
    """As the chart's images.mirror has it: it takes the place of the host."""
    return f"{mirror.rstrip('/')}/{repository.partition('/')[2]}" if mirror else repository


def digests(
    registry: Registry, repositories: Mapping[str, str], tag_of: Callable[[str], str], mirror: str = ""
) -> dict[str, str]:
    """By image, what its tag points to now. Refused, naming every tag that is not there; the registry's own errors besides."""
    places = {image: (in_mirror(name, mirror), tag_of(image)) for image, name in repositories.items()}
    found = {image: registry.digest(*place) for image, place in places.items()}
    missing = sorted(f"{name}:{tag}" for image, (name, tag) in places.items() if found[image] is None)
    if missing:
        raise Refused(
            f"no such tag: {', '.join(missing)}", field="images", fix="name a release that is out, or fill the mirror"
        )
    return {image: digest for image, digest in found.items() if digest is not None}


@click.command(name="spinnaker-images", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("version")
@click.option("--output", type=click.Path(path_type=Path), help="A file to write; without it they are printed.")
@click.option("--mirror", default="", help="Ask this mirror, HOST/PATH, and have the chart use it.")
@click.option("--postgresql", default=STORES["postgresql"], show_default=True, help="Its tag.")
@click.option("--redis", default=STORES["redis"], show_default=True, help="Its tag.")
def main(version: str, output: Path | None, mirror: str, postgresql: str, redis: str) -> None:
    """Ask the registries which digests the images of Spinnaker VERSION have, and write them as values for the chart.

    \b
    scripts/spinnaker-images 2026.2.4 --output images.yaml
    helm upgrade --install spinnaker infra/charts/spinnaker --values images.yaml …
    """
    images = yaml.safe_load(VALUES.read_text(encoding="utf-8"))["images"]
    repositories = {name: image["repository"] for name, image in images.items() if isinstance(image, dict)}
    tags = {"postgresql": postgresql, "redis": redis}
    registry = OciRegistry()
    try:
        found = digests(registry, repositories, lambda image: tags.get(image, version), mirror)
    except DownwindError as error:
        raise click.ClickException(str(error)) from error
    finally:
        registry.close()
    values = {"version": version, "images": {"mirror": mirror, **{name: {"digest": found[name]} for name in found}}}
    text = f"# Written by scripts/spinnaker-images {version}\n" + yaml.safe_dump(values, sort_keys=False)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{len(found)} digests in {output}", err=True)


if __name__ == "__main__":
    main()
