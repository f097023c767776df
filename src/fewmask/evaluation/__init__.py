"""From a network to numbers."""

from fewmask.evaluation.evaluator import EvaluationConfig, evaluate
from fewmask.evaluation.metrics import Scores

__all__ = ["EvaluationConfig", "Scores", "evaluate"]
