"""Audit of predictions by group: metrics with intervals by person, gaps, and a record of both."""

from audit.compare import compare
from audit.comparison import Comparison
from audit.declared import read_policy
from audit.errors import InputError
from audit.predictions import Predictions, predictions_from_frame, read_predictions
from audit.result import AuditResult
from audit.run import audit

__all__ = [
    "AuditResult",
    "Comparison",
    "InputError",
    "Predictions",
    "audit",
    "compare",
    "predictions_from_frame",
    "read_policy",
    "read_predictions",
]
