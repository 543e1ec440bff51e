"""How AWS services use KMS: each a short script of KMS calls that one can read, with real bytes encrypted.

The simulated services keep just enough to show what they ask of KMS, with which encryption context, and when.
"""
