"""From the text of a GenBank record to a drawing of its features; knows nothing of workflows.

The same record gives the same bytes: a repeated delivery writes the same drawing again.
"""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from typing import Any

# In a function only the temporary directory can be written; matplotlib keeps its list of fonts there.
os.environ.setdefault("MPLCONFIGDIR", tempfile.gettempdir())

import matplotlib as mpl
from Bio import BiopythonParserWarning, SeqIO
from Bio.SeqRecord import SeqRecord
from dna_features_viewer import BiopythonTranslator
from matplotlib import pyplot

mpl.use("agg")  # the placement of labels needs a canvas that can measure text; SVG is written from it

WIDTH_INCHES = 10.0
PNG_DOTS_PER_INCH = 100

COLOURS = {
    "promoter": "#e8a33d",
    "RBS": "#f2d16b",
    "CDS": "#4f8ac9",
    "terminator": "#b5504b",
    "rep_origin": "#7c6bb0",
    "primer_bind": "#5aa469",
}
OTHER_COLOUR = "#c2c2c2"

WHOLE_RECORD = "source"
"""Type of the feature that only says what the whole record is; drawing it says nothing."""


class InvalidRecordError(ValueError):
    """The input is not one readable GenBank record with features."""


class Translator(BiopythonTranslator):
    """Colours by type of feature, on top of the library's choice of labels."""

    ignored_features_types = (WHOLE_RECORD,)

    def compute_feature_color(self, feature: Any) -> str:
        """The colour of a feature's type."""
        return COLOURS.get(feature.type, OTHER_COLOUR)


def read_record(body: bytes) -> SeqRecord:
    """The one record of a GenBank file.

    Raises:
        InvalidRecordError: It is not text, not GenBank, damaged, holds several records, or has nothing to draw.
    """
    try:
        with warnings.catch_warnings():
            # The parser only warns of a sequence that ends too early or a place that it cannot read.
            warnings.simplefilter("error", BiopythonParserWarning)
            records = list(SeqIO.parse(io.StringIO(body.decode()), "genbank"))
    except UnicodeDecodeError as error:
        raise InvalidRecordError(f"the record is not text (byte {error.start} is not UTF-8).") from error
    except (BiopythonParserWarning, ValueError, AssertionError, IndexError, KeyError, StopIteration) as error:
        # What the parser raises depends on where a record is damaged.
        raise InvalidRecordError(f"the record is damaged: {error or type(error).__name__}") from error
    if len(records) != 1:
        raise InvalidRecordError(f"the input holds {len(records)} GenBank records, and one is expected.")
    record = records[0]
    if all(feature.type == WHOLE_RECORD for feature in record.features):
        raise InvalidRecordError(f"record '{record.id}' has no features to draw.")
    return record


def draw(record: SeqRecord, picture_format: str) -> bytes:
    """The features along the sequence, as ``svg`` (labels stay text) or ``png`` (1,000 pixels wide)."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": record.id}):
        axes, _ = Translator().translate_record(record).plot(figure_width=WIDTH_INCHES)
        figure = axes.figure
        axes.set_title(f"{record.id}, {len(record)} bp", loc="left")
        stream = io.BytesIO()
        # Without dates and versions, which would make two equal drawings differ.
        metadata = {"Date": None} if picture_format == "svg" else {"Software": None}
        figure.savefig(stream, format=picture_format, dpi=PNG_DOTS_PER_INCH, metadata=metadata)
        pyplot.close(figure)  # containers live on, and figures with them
    return stream.getvalue()
