"""What is trained."""

from fewmask.models.model import ModelConfig, create_model
from fewmask.models.segmenter import Output, Segmenter

__all__ = ["ModelConfig", "Output", "Segmenter", "create_model"]
