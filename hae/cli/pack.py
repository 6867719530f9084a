"""``hae-audit data pack`` and ``data verify``: decode once, and see that nothing has changed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hae.cli.evaluate import DATA_HELP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hae.data.core import Manifest
    from hae.data.crop import Crop
    from hae.data.packs.info import PackInfo

Option = typer.Option
Workers = Annotated[int | None, Option(min=1, help="Threads; default: all cores.")]
_REASONS = 5


def data_pack(
    data: Annotated[str, typer.Argument(metavar="NAME:ROOT", help=DATA_HELP)],
    out: Annotated[Path, Option(metavar="DIR", help="The folder to write.")],
    size: Annotated[int, Option(min=1, help="Side of the packed faces, pixels.")],
    split: Annotated[str | None, Option(help="Part of the data set; default: as read.")] = None,
    map_: Annotated[
        list[str] | None,
        Option("--map", metavar="OURS=THEIRS", help="Our name for a column: path=img."),
    ] = None,
    crop: Annotated[
        Literal["image", "box"] | None,
        Option(help="Whole image or the box of the face; default: as the data set says."),
    ] = None,
    margin: Annotated[
        float | None, Option(help="Around the box, as a share of its longer side.")
    ] = None,
    align: Annotated[
        Literal["none", "roll"] | None, Option(help="Whether to turn faces upright.")
    ] = None,
    workers: Workers = None,
) -> None:
    """Decode every face once into DIR, to be read as pack:DIR; an interrupted run goes on.

    A network of 224 pixels that keeps the middle 87.5 % of an image needs --size 256. A face that
    cannot be read keeps its row, with the reason.
    """
    from hae.cli.options import pairs_of
    from hae.cli.progress import bars
    from hae.data.packs.write import write_pack
    from hae.data.readers import read_data
    from hae.predict import check_images

    manifest = read_data(data, split, pairs_of(map_, "--map", "OURS=THEIRS"))
    check_images(manifest)
    cut = _crop(manifest, crop, margin, align)
    with bars(transient=True) as bar:
        task = bar.add_task(f"packing {manifest.label}", total=len(manifest))
        start = time.perf_counter()
        try:
            packed = write_pack(
                manifest,
                out,
                size,
                crop=cut,
                workers=workers,
                progress=lambda done: bar.advance(task, done),
            )
        except KeyboardInterrupt:
            typer.echo(
                "hae-audit: interrupted; finished blocks are kept, the same command goes on",
                err=True,
            )
            raise
    if packed.found:
        typer.echo(f"hae-audit: {out}: is packed already", err=True)
    _tell(out, packed.info, packed.reasons, packed.decoded / (time.perf_counter() - start))


def _crop(
    manifest: Manifest,
    region: Literal["image", "box"] | None,
    margin: float | None,
    align: Literal["none", "roll"] | None,
) -> Crop | None:
    """The crop of the data set with what is asked for in its place; None: nothing is asked."""
    from audit.configs import checked
    from hae.data.crop import MARGIN, Crop

    if region is None and margin is None and align is None:
        return None
    own = manifest.crop
    content: dict[str, object] = {"images": own.images, "region": region or own.region}
    if content["region"] == "box":
        usual = (own.margin, own.align) if own.region == "box" else (MARGIN, "none")
        content |= {"margin": usual[0], "align": usual[1]}
    asked = {"margin": margin, "align": align}
    content |= {name: value for name, value in asked.items() if value is not None}
    return checked(Crop, content, "--crop, --margin and --align")


def _tell(out: Path, info: PackInfo, reasons: Sequence[str], rate: float) -> None:
    from collections import Counter

    failed = Counter(reason for reason in reasons if reason)
    size = info.n * info.face_bytes / 1e6
    shown = f", {rate:,.0f} faces/s" if rate else ""
    typer.echo(
        f"{out}: {info.n:,} faces of {info.size} x {info.size} pixels, "
        f"{failed.total():,} failed, {size:,.1f} MB{shown}"
    )
    for reason, count in failed.most_common(_REASONS):
        typer.echo(f"  {count:,} x {reason}")


def data_verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of data pack.")],
    workers: Workers = None,
) -> None:
    """Read every byte of a pack and compare its checksums; exit code 2 if one differs."""
    from hae.cli.progress import bars
    from hae.data.packs.info import read_info
    from hae.data.packs.write import verify_pack

    with bars(transient=True) as bar:
        task = bar.add_task("verifying", total=read_info(folder).n)
        info = verify_pack(folder, workers=workers, progress=lambda done: bar.advance(task, done))
    typer.echo(f"{folder}: {info.n:,} faces, every checksum fits")
