"""Answers to lesson 00's exercises: right, right in another way, and wrong in each named way."""

_KEY = 'lab.key("alias/orders").arn'


def _put(action: str, resource: str = _KEY) -> str:
    statement = f'{{"Effect": "Allow", "Action": {action}, "Resource": {resource}}}'
    return (
        f'lab.iam.put_policies(lesson.given.intern, [{{"Version": "2012-10-17", "Statement": [{statement}]}}])\n'
        "lesson.q3.check()"
    )


ANSWERS = {
    "q1": {
        "right": 'with attempt():\n    kms.encrypt(KeyId="alias/orders", Plaintext=b"hello")\nlesson.q1.check()',
        "also_right": (
            "kms.encrypt(KeyId=lesson.given.orders, Plaintext=b'x', EncryptionContext={'a': 'b'})\nlesson.q1.check()",
        ),
        "wrong": {
            "any-key-will-do": 'new = kms.create_key()["KeyMetadata"]["KeyId"]\n'
            'kms.encrypt(KeyId=new, Plaintext=b"hello")\nlesson.q1.check()',
            "alias-without-prefix": 'with attempt():\n    kms.encrypt(KeyId="orders", Plaintext=b"hello")\n'
            "lesson.q1.check()",
            "data-key-is-encrypt": 'kms.generate_data_key(KeyId="alias/orders", KeySpec="AES_256")\nlesson.q1.check()',
        },
    },
    "q2": {
        "right": "trail = lab.trail()\n"
        'caller = trail.loc[trail["errorCode"].notna() & (trail["eventName"] == "Decrypt"), '
        '"principal"].iloc[0]\nlesson.q2.check(caller)',
        "also_right": (  # the role's own ARN, with a blank that came along when it was copied
            'row = next(r for r in lab.trail().itertuples() if r.errorCode == "AccessDenied")\n'
            'name = row.principal.split("/")[1]\n'
            'lesson.q2.check(f" arn:aws:iam::111122223333:role/{name}")',
        ),
        "wrong": {
            "success-is-refusal": (
                "lesson.q2.check(lesson.given.app)",
                'lesson.q2.check("arn:aws:iam::111122223333:user/Admin")',
            ),
            "half-a-row": "lesson.q2.check(lesson.given.intern)",
        },
    },
    "q3": {
        "right": _put('"kms:Decrypt"'),
        "also_right": (
            _put('["kms:Decr*"]'),
            "import json\n"
            f"arn = {_KEY}\n"
            'policy = json.loads(kms.get_key_policy(KeyId=arn)["Policy"])\n'
            'policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": lesson.given.intern},'
            ' "Action": "kms:Decrypt", "Resource": "*"})\n'
            "kms.put_key_policy(KeyId=arn, Policy=json.dumps(policy))\nlesson.q3.check()",
        ),
        "wrong": {
            "encrypt-includes-decrypt": _put('"kms:Encrypt"'),
            "any-name-in-a-policy": (
                _put('"kms:Decrypt"', '"alias/orders"'),
                _put('"kms:Decrypt"', '"arn:aws:kms:us-east-1:111122223333:alias/orders"'),
            ),
            "key-opens-itself": _put('"kms:DescribeKey"'),
            "broad-is-fine": (
                _put('"kms:*"'),
                _put('["kms:Encrypt", "kms:Decrypt"]'),
                _put('"kms:Decrypt"', '"*"'),
            ),
        },
    },
    "q4": {
        "right": "lab.clock.travel(days=31)\nlesson.q4.check()",
        "also_right": (
            "from datetime import timedelta\n"
            "lab.clock.travel(to=lab.clock.now + timedelta(weeks=6))\nlesson.q4.check()",
        ),
        "wrong": {
            "units": "lab.clock.travel(hours=31)\nlesson.q4.check()",
            "calls-move-time": "kms.create_key()\nlesson.q4.check()",
        },
    },
}
