"""From files to batches."""

from fewmask.data.dataset import Classes, Data, DataSource
from fewmask.data.loader import BatchStream, LoaderConfig
from fewmask.data.sources import SOURCES

__all__ = ["SOURCES", "BatchStream", "Classes", "Data", "DataSource", "LoaderConfig"]
