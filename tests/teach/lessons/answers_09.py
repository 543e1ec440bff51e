"""What learners might write in the exercise cells of lesson 09: right, right in another way, and wrong by name."""

from typing import Any


def fill(template: str, **parts: str) -> str:
    """Put parts in the places of their names."""
    for name, part in parts.items():
        template = template.replace("{" + name + "}", part)
    return template


_SAID = """
said = {"key-policy": {KEY}, "identity-policy": {IAM}, "decides": {BY}}
lesson.q1.check(said)
"""

_REPAIR = """
admin = {"Effect": "Allow", "Principal": {"AWS": lesson.given.admin}, "Action": "kms:*", "Resource": "*"}
more = {MORE}
repaired = {"Version": "2012-10-17", "Statement": [admin, *more]}
kms.put_key_policy(KeyId=lesson.given.payroll, Policy=json.dumps(repaired))
lesson.q2.check()
"""

_TEAM = """
given = lesson.given
manage = [f"kms:{name}" for name in ("DescribeKey", "GetKeyPolicy", "PutKeyPolicy", "EnableKey", "DisableKey")]
manage += ["kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"]
use = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
tax = {"StringEquals": {"kms:EncryptionContext:purpose": "tax"}}


def allow(who, what, resource="*", **more):
    return {"Effect": "Allow", "Principal": {"AWS": who}, "Action": what, "Resource": resource, **more}


keeper = {KEEPER}
app = {APP}
auditor = {AUDITOR}
adviser = {ADVISER}
team = {"Version": "2012-10-17", "Statement": [keeper, app, auditor, adviser, *{MORE}]}
lesson.q3.check(team)
"""
_GOOD = {
    "KEEPER": "allow(given.keeper, manage)",
    "APP": "allow(given.app, use)",
    "AUDITOR": 'allow(given.auditor, ["kms:DescribeKey", "kms:GetKeyPolicy"])',
    "ADVISER": 'allow(given.adviser, "kms:Decrypt", Condition=tax)',
    "MORE": "[]",
}


def team(**parts: str) -> str:
    """The policy of a team, with other statements in the place of the good ones."""
    return fill(_TEAM, **{**_GOOD, **parts})


_JOB = """
grant = kms.create_grant(
    KeyId=lesson.given.archive,
    GranteePrincipal=lesson.given.worker,
    Operations={OPERATIONS},
    {MORE}
)
worker = lab.client(principal=lesson.given.worker)
{WAIT}
with attempt():
    worker.decrypt(
        CiphertextBlob=lesson.given.year_end, EncryptionContext={"purpose": "year-end"}, {TOKEN}
    )
{END}
lesson.q4.check()
"""
_CONSTRAINT = 'Constraints={"EncryptionContextEquals": {"purpose": "year-end"}},'
_RETIRING = "RetiringPrincipal=lesson.given.worker,"
_GOOD_JOB = {
    "OPERATIONS": '["Decrypt"]',
    "MORE": _CONSTRAINT + _RETIRING,
    "WAIT": "",
    "TOKEN": 'GrantTokens=[grant["GrantToken"]]',
    "END": 'worker.retire_grant(GrantToken=grant["GrantToken"])',
}


def job(**parts: str) -> str:
    """A job done under a grant, with other parts in the place of the good ones."""
    return fill(_JOB, **{**_GOOD_JOB, **parts})


_NODES = """
nodes = {"A": {A}, "B": {B}, "C": {C}}
lesson.q5.check(nodes)
"""
_GOOD_NODES = {"A": '("scp", "KeysStay")', "B": '("boundary", None)', "C": '("key-policy", "KnownPurposes")'}


def nodes(**parts: str) -> str:
    """Three nodes, with others in the place of the right ones."""
    return fill(_NODES, **{**_GOOD_NODES, **parts})


_COUNTER = """
def counter_example(lab):
    kms, key = lab.client(), lesson.given.archive
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    {BODY}


lesson.q6.check(counter_example)
"""

ANSWERS: dict[str, dict[str, Any]] = {
    "q1": {
        "right": fill(_SAID, KEY='"silent"', IAM='"allow"', BY='"key-policy"'),
        "also_right": (
            """
verdict = lab.may(lesson.given.dana, "kms:Decrypt", lesson.given.board)
said = {layer.layer: layer.outcome for layer in verdict.trace.layers}
said["decides"] = verdict.decided_by.layer
lesson.q1.check(said)
""",
            fill(_SAID, KEY='"Silent"', IAM='"it allows"', BY='"the key policy"'),
            fill(_SAID, KEY='"silent"', IAM='"allow"', BY="lab.last_verdict.decided_by"),
        ),
        "wrong": {
            "silence-denies": fill(_SAID, KEY='"deny"', IAM='"allow"', BY='"key-policy"'),
            "iam-alone": (
                fill(_SAID, KEY='"none"', IAM='"allow"', BY='"identity-policy"'),
                fill(_SAID, KEY='"allow"', IAM='"allow"', BY='"key-policy"'),
            ),
            "refused-by-all": (
                fill(_SAID, KEY='"silent"', IAM='"silent"', BY='"key-policy"'),
                fill(_SAID, KEY='"silent"', IAM='"allow"', BY='"identity-policy"'),
            ),
        },
    },
    "q2": {
        "right": fill(
            _REPAIR,
            MORE='[{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, '
            '"Action": "kms:*", "Resource": "*"}]',
        ),
        "also_right": (
            # the digits, and only what the pay office needs
            fill(
                _REPAIR,
                MORE='[{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, '
                '"Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}]',
            ),
            # the default again
            """
root = {"AWS": "arn:aws:iam::111122223333:root"}
default = {"Sid": "Enable IAM", "Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
kms.put_key_policy(
    KeyId=lesson.given.payroll, Policy=json.dumps({"Version": "2012-10-17", "Statement": [default]})
)
lesson.q2.check()
""",
        ),
        "wrong": {
            "iam-alone": """
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
lab.iam.put_policies(lesson.given.dana, [everything])
lesson.q2.check()
""",
            "star-is-us": (
                fill(_REPAIR, MORE='[{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}]'),
                fill(
                    _REPAIR,
                    MORE='[{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*", '
                    '"Condition": {"StringEquals": {"kms:CallerAccount": "111122223333"}}}]',
                ),
            ),
            "names-delegate": fill(
                _REPAIR,
                MORE='[{"Effect": "Allow", "Principal": {"AWS": lesson.given.dana}, "Action": "kms:Decrypt", '
                '"Resource": "*"}]',
            ),
        },
    },
    "q3": {
        "right": team(),
        "also_right": (
            # the other account as a whole, JSON text, the console's list of actions, an auditor who may look at all
            team(
                APP='allow(given.app, ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", '
                '"kms:DescribeKey"])',
                AUDITOR='allow(given.auditor, ["kms:Describe*", "kms:Get*", "kms:List*"])',
                ADVISER='allow("444455556666", "kms:Decrypt", Condition=tax)',
            ).replace("check(team)", "check(json.dumps(team))"),
            # the account, and a deny for all but the team
            team(
                MORE='[allow("111122223333", "kms:*"), {"Effect": "Deny", "Principal": "*", "Action": "kms:*", '
                '"Resource": "*", "Condition": {"ArnNotEquals": {"aws:PrincipalArn": '
                "[given.keeper, given.app, given.auditor, given.adviser]}}}]",
            ),
            # everybody, on condition that it is one
            team(
                APP='allow("*", use, Condition={"ArnEquals": {"aws:PrincipalArn": given.app}})',
            ),
            # wide, and narrowed again by denies
            team(
                KEEPER='allow(given.keeper, ["kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", '
                '"kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:ScheduleKeyDeletion", '
                '"kms:CancelKeyDeletion"])',
                ADVISER='allow(given.adviser, "kms:Decrypt")',
                MORE='[{"Effect": "Deny", "Principal": {"AWS": given.adviser}, "Action": "kms:*", "Resource": "*", '
                '"Condition": {"StringNotEquals": {"kms:EncryptionContext:purpose": "tax"}}}]',
            ),
        ),
        "wrong": {
            "root-gives-all": """
root = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}
keeper = {"Effect": "Allow", "Principal": {"AWS": lesson.given.keeper}, "Action": "kms:*", "Resource": "*"}
lesson.q3.check({"Version": "2012-10-17", "Statement": [keeper, root]})
""",
            "root-is-harmless": (
                team(MORE='[allow("arn:aws:iam::111122223333:root", "kms:*")]'),
                # it may manage, but not use: still more than nothing, whatever IAM policies say
                team(MORE='[allow("111122223333", manage)]'),
            ),
            "star-is-us": (
                team(MORE='[{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}]'),
                team(AUDITOR='allow("*", ["kms:DescribeKey", "kms:GetKeyPolicy"])'),
            ),
            "admins-are-locked-out": (
                team(KEEPER='allow(given.keeper, [*manage, "kms:Create*"])'),
                team(KEEPER='allow(given.keeper, "kms:*")'),
            ),
            "wide-is-short": (
                team(APP='allow(given.app, "kms:*")'),
                team(AUDITOR='allow(given.auditor, ["kms:D*", "kms:Get*"])'),
                team(ADVISER='allow(given.adviser, "kms:*crypt", Condition=tax)'),
            ),
            "context-guards": (
                team(ADVISER='allow(given.adviser, "kms:Decrypt")'),
                team(
                    ADVISER='allow(given.adviser, "kms:Decrypt", Condition={"ForAllValues:StringEquals": '
                    '{"kms:EncryptionContextKeys": ["purpose"]}})'
                ),
            ),
            "alias-is-resource": (
                team(APP='allow(given.app, use, resource="arn:aws:kms:us-east-1:111122223333:alias/slips")'),
                team(KEEPER='allow(given.keeper, manage, resource="arn:aws:kms:us-east-1:111122223333:alias/slips")'),
            ),
        },
    },
    "q4": {
        "right": job(),
        "also_right": (
            job(
                OPERATIONS='["Decrypt", "RetireGrant"]',
                MORE='Constraints={"EncryptionContextSubset": {"purpose": "year-end"}}, Name="year-end",',
                END='worker.retire_grant(KeyId=lesson.given.archive, GrantId=grant["GrantId"])',
            ),
            # first without the token, then with it
            job(
                WAIT="with attempt():\n"
                "    worker.decrypt(\n"
                '        CiphertextBlob=lesson.given.year_end, EncryptionContext={"purpose": "year-end"}\n'
                "    )"
            ),
            # a first try that went wrong, revoked, and a second one
            """
first = kms.create_grant(
    KeyId=lesson.given.archive, GranteePrincipal=lesson.given.worker, Operations=["Decrypt"]
)
kms.revoke_grant(KeyId=lesson.given.archive, GrantId=first["GrantId"])
"""
            + job(),
        ),
        "wrong": {
            "grants-end-themselves": (
                job(END=""),
                # ended well, but an older try is still there
                "kms.create_grant(KeyId=lesson.given.archive, GranteePrincipal=lesson.given.worker, "
                'Operations=["Decrypt"])\n' + job(),
            ),
            "grant-is-for-the-job": (
                job(MORE=_RETIRING),
                job(OPERATIONS='["Decrypt", "Encrypt", "GenerateDataKey"]'),
            ),
            "grants-work-at-once": job(TOKEN=""),
            "grants-need-waiting": (
                job(TOKEN="", WAIT="lab.clock.travel(minutes=5)"),
                job(WAIT="lab.clock.travel(hours=1)"),
            ),
            "only-admins-end": (
                job(END='kms.revoke_grant(KeyId=lesson.given.archive, GrantId=grant["GrantId"])'),
                job(END='kms.retire_grant(GrantToken=grant["GrantToken"])'),
            ),
            "grantees-retire": job(
                MORE=_CONSTRAINT, END='with attempt():\n    worker.retire_grant(GrantToken=grant["GrantToken"])'
            ),
        },
    },
    "q5": {
        "right": nodes(),
        "also_right": (
            """
from kms_lab.policy.scenario import decide

lesson.q5.check({name: decide(ticket).decided_by for name, ticket in lesson.given.tickets.items()})
""",
            nodes(A='("SCPs of level 2", 1)', B='"permissions boundary"', C='["Key policy", "statement 2"]'),
            nodes(
                A='("SCP Finance", "KeysStay")',
                B='("Permission boundaries", "silent")',
                C="""("key policy", 'statement "KnownPurposes" of the key policy')""",
            ),
        ),
        "wrong": {
            "iam-is-the-top": (nodes(A='("identity policy", None)'), nodes(A='("key-policy", "Account")')),
            "boundary-gives": nodes(B='("IAM policy", 1)'),
            "grant-beats-deny": nodes(C='("grant", "batch")'),
            "silence-denies": nodes(B='("boundary", "Everyday")'),
            "first-paper-decides": nodes(A='("boundary", None)'),
        },
    },
    "q6": {
        "right": fill(
            _COUNTER,
            BODY='visitor = lab.iam.create_role("Visitor")\n'
            '    kms.create_grant(KeyId=key, GranteePrincipal=visitor, Operations=["Decrypt"])\n'
            "    return visitor",
        ),
        "also_right": (
            fill(
                _COUNTER,
                BODY='who = lab.iam.create_user("Visitor")\n'
                '    policy["Statement"].append(\n'
                '        {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:Decrypt", "Resource": "*"}\n'
                "    )\n"
                "    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))\n"
                "    return who",
            ),
            # somebody who is there, under one context only
            fill(
                _COUNTER,
                BODY="constraint, who = {'EncryptionContextEquals': {'purpose': 'year-end'}}, lesson.given.auditor\n"
                "    kms.create_grant(\n"
                '        KeyId=key, GranteePrincipal=who, Operations=["Decrypt"], Constraints=constraint\n'
                "    )\n"
                "    return lesson.given.auditor",
            ),
            # everybody
            fill(
                _COUNTER,
                BODY='policy["Statement"].append(\n'
                '        {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}\n'
                "    )\n"
                "    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))\n"
                "    return lesson.given.milo",
            ),
        ),
        "wrong": {
            "both-must-allow": (
                fill(
                    _COUNTER,
                    BODY='allow = {"Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]}\n'
                    '    return lab.iam.create_role("Visitor", policies=[{"Version": "2012-10-17", **allow}])',
                ),
                # through a group
                fill(
                    _COUNTER,
                    BODY='allow = {"Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]}\n'
                    '    group = lab.iam.create_group("Visitors", policies=[{"Version": "2012-10-17", **allow}])\n'
                    '    who = lab.iam.create_user("Visitor")\n'
                    "    lab.iam.add_to_group(who, group)\n"
                    "    return who",
                ),
            ),
            "root-gives-all": fill(_COUNTER, BODY='return lab.iam.create_role("Visitor")'),
            "accounts-are-alike": fill(
                _COUNTER,
                BODY='who = lab.iam.create_role("Visitor", account="444455556666")\n'
                '    policy["Statement"].append(\n'
                '        {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:Decrypt", "Resource": "*"}\n'
                "    )\n"
                "    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))\n"
                "    return who",
            ),
        },
    },
}
