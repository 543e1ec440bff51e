"""kms_lab: an AWS KMS that you can hold in your hand, and a course about it. Not affiliated with AWS.

Start here::

    from kms_lab import Lab

    lab = Lab()
    kms = lab.client()
"""

from kms_lab.core.errors import KMSError, LabError, ParameterError
from kms_lab.lab import Lab

__version__ = "0.1.0"
__all__ = ["KMSError", "Lab", "LabError", "ParameterError", "__version__"]
