"""From a network to numbers."""

from fewmask.evaluation.evaluator import evaluate
from fewmask.evaluation.metrics import Scores
from fewmask.evaluation.protocols import EvaluationConfig

__all__ = ["EvaluationConfig", "Scores", "evaluate"]
