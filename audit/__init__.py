"""Audit of predictions by group: metrics with intervals by person, gaps, and a record of both."""

from audit.declared import read_policy
from audit.errors import InputError
from audit.predictions import Predictions, predictions_from_frame, read_predictions
from audit.result import AuditResult
from audit.run import audit

__all__ = [
    "AuditResult",
    "InputError",
    "Predictions",
    "audit",
    "predictions_from_frame",
    "read_policy",
    "read_predictions",
]
