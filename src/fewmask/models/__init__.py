"""What is trained."""

from fewmask.models.segmenter import ModelConfig, Output, Segmenter, create_model

__all__ = ["ModelConfig", "Output", "Segmenter", "create_model"]
