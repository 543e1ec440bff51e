"""The teaching engine: lessons, exercises, predictions, questions, progress. A notebook needs two names from here."""

from kms_lab.teach.attempt import attempt
from kms_lab.teach.lesson import open_lesson

__all__ = ["attempt", "open_lesson"]
