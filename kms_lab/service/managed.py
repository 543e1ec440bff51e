"""AWS managed keys: the keys that AWS makes in an account when one of its services first needs one.

They are called ``alias/aws/...``, and belong to the account, which sees and audits them and can change nothing: their
policy lets everybody in the account use them, through the one service only. They rotate every year.

Source: AWS KMS Developer Guide, "AWS managed keys" and "Rotate AWS KMS keys".
"""

from typing import Final

from kms_lab.core import material, names
from kms_lab.core.clock import DAY_US
from kms_lab.core.keys import FIRST, Alias, Key, KeyMaterial
from kms_lab.core.names import AWS_ALIAS_PREFIX
from kms_lab.core.world import World
from kms_lab.policy.defaults import aws_managed_default

ROTATION_DAYS: Final = 365

#: By the last part of the alias: the service's name in endpoints, and the key's description.
# The descriptions were seen in accounts. unverified: DynamoDB's, worded alike
SERVICES = {
    "dynamodb": ("dynamodb", "Default key that protects my DynamoDB data when no other key is defined"),
    "ebs": ("ec2", "Default key that protects my EBS volumes when no other key is defined"),
    "lambda": ("lambda", "Default key that protects my Lambda functions when no other key is defined"),
    "rds": ("rds", "Default key that protects my RDS database volumes when no other key is defined"),
    "s3": ("s3", "Default key that protects my S3 objects when no other key is defined"),
    "secretsmanager": (
        "secretsmanager",
        "Default key that protects my Secrets Manager data when no other key is defined",
    ),
    "sns": ("sns", "Default key that protects my SNS data when no other key is defined"),
    "sqs": ("sqs", "Default key that protects my SQS messages when no other key is defined"),
    "ssm": ("ssm", "Default key that protects my SSM parameters when no other key is defined"),
}


def first_needed(world: World, account: str, region: str, alias: str, via: str) -> Key | None:
    """Make the AWS managed key behind an alias, if it is the one of the service that asks for it.

    The key is made by AWS, not by a call: neither the log nor the bill has an entry of it.
    # unverified: what CloudTrail tells of it on AWS
    """
    service, description = SERVICES.get(alias.removeprefix(AWS_ALIAS_PREFIX), ("", ""))
    if not service or service != via:
        return None
    digits = world.entropy.take(48).hex()
    key_id = names.key_id(digits)
    now = world.clock.now_us
    key = Key(
        key_id,
        names.key_arn(region, account, key_id),
        account,
        region,
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        "AWS_KMS",
        now,
        aws_managed_default(service, account, region),
        description=description,
        manager="AWS",
        rotation_enabled=True,
        rotation_period_days=ROTATION_DAYS,
        next_rotation_us=now + ROTATION_DAYS * DAY_US,
    )
    secret = material.generate(key.spec, world.entropy.take)
    key.materials.append(KeyMaterial(digits[32:], now, FIRST, secret))
    shelf = world.shelf(account, region)
    shelf.keys[key_id] = key
    shelf.put_alias(Alias(alias, names.alias_arn(region, account, alias), key_id, now, now))
    world.clock.schedule(now + ROTATION_DAYS * DAY_US, "rotate", key.arn)
    return key
