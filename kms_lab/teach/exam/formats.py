"""The certification exams that ask about KMS: how long, how many questions, which domain KMS belongs to.

DVA-C02 ends on 2026-11-30 (some pages say 12-01). Of its successor DVA-C03 only the domain's weight was seen (Security,
26 %), so it has no row yet.

Source: the exams' public guides and pages that quote them, read 2026-11-23. Real scaling of scores is not published.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ExamFormat:
    """One exam.

    Attributes:
        questions: all of them; ``unscored`` of these do not count.
        minutes: time allowed.
        pass_score: on AWS's scale from 100 to 1,000.
        kms_domain: the domain that holds most KMS questions, with its weight in per cent.
    """

    code: str
    questions: int
    unscored: int
    minutes: int
    pass_score: int
    kms_domain: tuple[str, int]

    @property
    def seconds_per_question(self) -> float:
        """How long one question may take."""
        return self.minutes * 60 / self.questions


_ROWS = (
    ExamFormat("CLF-C02", 65, 15, 90, 700, ("Security and Compliance", 30)),
    ExamFormat("SAA-C03", 65, 15, 130, 720, ("Design Secure Architectures", 30)),
    ExamFormat("DVA-C02", 65, 15, 130, 720, ("Security", 26)),
    ExamFormat("SOA-C03", 65, 15, 130, 720, ("Security and Compliance", 16)),
    ExamFormat("SCS-C03", 65, 15, 170, 750, ("Data Protection", 18)),
)

EXAMS = MappingProxyType({row.code: row for row in _ROWS})
