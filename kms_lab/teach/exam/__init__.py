"""Exam practice: the formats of the exams. Questions are made by the same engine as those of the lessons."""
