"""From files to batches."""

from fewmask.data.classes import Classes
from fewmask.data.dataset import Chosen, Dataset
from fewmask.data.files import Files
from fewmask.data.label_table import LabelTable
from fewmask.data.opening import open_data
from fewmask.data.source import Data, DataSource
from fewmask.data.sources import SOURCES
from fewmask.data.stream import BatchStream, LoaderConfig

__all__ = [
    "SOURCES",
    "BatchStream",
    "Chosen",
    "Classes",
    "Data",
    "DataSource",
    "Dataset",
    "Files",
    "LabelTable",
    "LoaderConfig",
    "open_data",
]
