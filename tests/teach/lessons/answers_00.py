"""Answers to lesson 00's exercises: right, right in another way, and wrong in each named way."""

_LET = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": %s, "Resource": "*"}]}'


def _put(action: str) -> str:
    return f"lab.iam.put_policies(lesson.given.intern, [{_LET % action}])\nlesson.q3.check()"


ANSWERS = {
    "q1": {
        "right": 'kms.encrypt(KeyId="alias/orders", Plaintext=b"hello")\nlesson.q1.check()',
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
    "q2": {
        "right": "trail = lab.trail()\n"
        'caller = trail.loc[trail["errorCode"].notna() & (trail["eventName"] == "Decrypt"), '
        '"principal"].iloc[0]\nlesson.q2.check(str(caller))',
        "also_right": ("lesson.q2.check(lesson.given.intern)",),
        "wrong": {
            "success-is-refusal": "lesson.q2.check(lesson.given.app)",
            "refusals-leave-no-trace": 'lesson.q2.check("arn:aws:iam::111122223333:user/Admin")',
        },
    },
    "q3": {
        "right": _put('"kms:Decrypt"'),
        "also_right": (
            'lab.iam.put_policies(lesson.given.intern, [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
            '"Action": ["kms:Decrypt", "kms:DescribeKey"], "Resource": lab.key("alias/orders").arn}]}])\n'
            "lesson.q3.check()",
        ),
        "wrong": {
            "encrypt-includes-decrypt": _put('"kms:Encrypt"'),
            "key-opens-itself": _put('"kms:DescribeKey"'),
            "broad-is-fine": _put('"kms:*"'),
        },
    },
}
