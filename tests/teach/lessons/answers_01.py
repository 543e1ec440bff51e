"""Answers to lesson 01's exercises: right, right in another way, and wrong in each named way."""

_NEW = 'new = kms.create_key(Description="another")["KeyMetadata"]\n'
_ID = 'key = kms.describe_key(KeyId="alias/newsletter")["KeyMetadata"]["KeyId"]\n'
_REFUSED = 'with attempt():\n    kms.encrypt(KeyId=key, Plaintext=b"x")\n'

ANSWERS = {
    "q1": {
        "right": _NEW + 'kms.create_alias(AliasName="alias/tickets", TargetKeyId=new["KeyId"])\nlesson.q1.check()',
        "also_right": (
            _NEW + 'kms.create_alias(AliasName="alias/tickets", TargetKeyId=new["Arn"])\nlesson.q1.check()',
            'kms.create_alias(AliasName="alias/tickets", TargetKeyId=lesson.given.orders)\n'
            + _NEW
            + 'kms.update_alias(AliasName="alias/tickets", TargetKeyId=new["KeyId"])\nlesson.q1.check()',
            _NEW  # a slip, mended
            + 'kms.create_alias(AliasName="alias/ticket", TargetKeyId=new["KeyId"])\n'
            + 'kms.create_alias(AliasName="alias/tickets", TargetKeyId=new["KeyId"])\nlesson.q1.check()',
            'new = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]\n'
            'kms.create_alias(AliasName="alias/tickets", TargetKeyId=new)\nlesson.q1.check()',
        ),
        "wrong": {
            "label-is-alias": 'kms.create_key(Description="alias/tickets")\nlesson.q1.check()',
            "any-name-will-do": (
                _NEW + 'kms.create_alias(AliasName="alias/ticket", TargetKeyId=new["KeyId"])\nlesson.q1.check()',
                _NEW + 'with attempt():\n    kms.create_alias(AliasName="tickets", TargetKeyId=new["KeyId"])\n'
                "lesson.q1.check()",
            ),
            "alias-makes-key": (
                'kms.create_alias(AliasName="alias/tickets", TargetKeyId=lesson.given.orders)\nlesson.q1.check()',
                'kms.create_alias(AliasName="alias/tickets", TargetKeyId=menu["KeyId"])\nlesson.q1.check()',
            ),
        },
    },
    "q2": {
        "right": _ID + "kms.disable_key(KeyId=key)\n" + _REFUSED + "kms.enable_key(KeyId=key)\nlesson.q2.check()",
        "also_right": (
            "key = lesson.given.newsletter\nkms.disable_key(KeyId=key)\n"
            'with attempt():\n    kms.generate_data_key(KeyId="alias/newsletter", KeySpec="AES_256")\n'
            "kms.enable_key(KeyId=key)\nlesson.q2.check()",
            "key = lesson.given.newsletter\nkms.disable_key(KeyId=key)\n"
            "try:\n    kms.encrypt(KeyId=key, Plaintext=b'x')\nexcept kms.exceptions.DisabledException:\n    pass\n"
            "kms.schedule_key_deletion(KeyId=key)\nkms.cancel_key_deletion(KeyId=key)\n"
            "kms.enable_key(KeyId=key)\nlesson.q2.check()",
        ),
        "wrong": {
            "back-by-itself": _ID + "kms.disable_key(KeyId=key)\n" + _REFUSED + "lesson.q2.check()",
            "disabled-is-dead": _ID + "kms.disable_key(KeyId=key)\nwith attempt():\n    kms.describe_key(KeyId=key)\n"
            "kms.enable_key(KeyId=key)\nlesson.q2.check()",
            "delete-to-disable": (
                _ID + "kms.schedule_key_deletion(KeyId=key)\n" + _REFUSED + "lesson.q2.check()",
                _ID + "kms.schedule_key_deletion(KeyId=key)\n" + _REFUSED + "kms.cancel_key_deletion(KeyId=key)\n"
                "kms.enable_key(KeyId=key)\nlesson.q2.check()",
                _ID + "kms.schedule_key_deletion(KeyId=key)\nlab.clock.travel(days=31)\nlesson.q2.check()",
            ),
            "alias-everywhere": 'with attempt():\n    kms.disable_key(KeyId="alias/newsletter")\nlesson.q2.check()',
        },
    },
    "q3": {
        "right": 'key = kms.decrypt(CiphertextBlob=lesson.given.letter)["KeyId"]\nlesson.q3.check(key)',
        "also_right": (
            'arn = kms.decrypt(CiphertextBlob=lesson.given.letter)["KeyId"]\nlesson.q3.check(arn.split("/")[1])',
            "for one in kms.list_keys()['Keys']:\n    try:\n        "
            "kms.decrypt(KeyId=one['KeyId'], CiphertextBlob=lesson.given.letter)\n        found = one['KeyArn']\n"
            "    except Exception:\n        continue\nlesson.q3.check(found)",
            'trail = lab.trail()\nby_ana = trail[(trail["eventName"] == "Encrypt") & '
            'trail["principal"].astype(str).str.contains("Ana")]\nlesson.q3.check(str(by_ana["keyArn"].iloc[0]))',
            'key = kms.decrypt(CiphertextBlob=lesson.given.letter)["KeyId"]\n'
            "kms.disable_key(KeyId=key)\nlesson.q3.check(key)",
        ),
        "wrong": {
            "label-decides": (
                'lesson.q3.check("alias/letters")',
                'key = kms.describe_key(KeyId="alias/letters")["KeyMetadata"]["Arn"]\nlesson.q3.check(key)',
            ),
            "any-key-opens": (
                'lesson.q3.check(first["KeyId"])',
                'key = kms.describe_key(KeyId="alias/payroll")["KeyMetadata"]["KeyId"]\nlesson.q3.check(key)',
                'key = lab.client(region="eu-west-1").list_keys()["Keys"][0]["KeyArn"]\nlesson.q3.check(key)',
            ),
        },
    },
    "q4": {
        "right": _NEW + 'kms.update_alias(AliasName="alias/orders", TargetKeyId=new["KeyId"])\nlesson.q4.check()',
        "also_right": (
            _NEW + 'kms.delete_alias(AliasName="alias/orders")\n'
            'kms.create_alias(AliasName="alias/orders", TargetKeyId=new["Arn"])\nlesson.q4.check()',
            'kms.update_alias(AliasName="alias/orders", TargetKeyId=menu["KeyId"])\n'
            'kms.enable_key(KeyId=menu["KeyId"])\n'
            "lesson.q4.check()",
        ),
        "wrong": {
            "new-key-new-name": _NEW + 'kms.create_alias(AliasName="alias/orders-2", TargetKeyId=new["KeyId"])\n'
            "lesson.q4.check()",
            "alias-is-key": (
                'kms.delete_alias(AliasName="alias/orders")\nlesson.q4.check()',
                _NEW + 'kms.update_alias(AliasName="alias/orders", TargetKeyId=new["KeyId"])\n'
                'kms.disable_key(KeyId=new["KeyId"])\nlesson.q4.check()',
            ),
            "old-key-is-done": (
                _NEW + 'kms.update_alias(AliasName="alias/orders", TargetKeyId=new["KeyId"])\n'
                "kms.disable_key(KeyId=lesson.given.orders)\nlesson.q4.check()",
                _NEW + 'kms.update_alias(AliasName="alias/orders", TargetKeyId=new["KeyId"])\n'
                "kms.schedule_key_deletion(KeyId=lesson.given.orders)\nlab.clock.travel(days=31)\nlesson.q4.check()",
            ),
            "keys-are-shared": 'photos = kms.describe_key(KeyId="alias/photos")["KeyMetadata"]["KeyId"]\n'
            'kms.update_alias(AliasName="alias/orders", TargetKeyId=photos)\nlesson.q4.check()',
        },
    },
    "q5": {
        "right": 'key = eu.create_key()["KeyMetadata"]["KeyId"]\n'
        'eu.create_alias(AliasName="alias/orders", TargetKeyId=key)\nlesson.q5.check()',
        "also_right": (
            'key = eu.list_keys()["Keys"][0]["KeyId"]\neu.create_alias(AliasName="alias/orders", TargetKeyId=key)\n'
            "lesson.q5.check()",
            'other = lab.client(region="eu-west-1")\nkey = other.create_key()["KeyMetadata"]["Arn"]\n'
            'other.create_alias(AliasName="alias/x", TargetKeyId=key)\n'
            'other.create_alias(AliasName="alias/orders", TargetKeyId=key)\nlesson.q5.check()',
        ),
        "wrong": {
            "key-is-everywhere": (
                'with attempt():\n    eu.create_alias(AliasName="alias/orders", TargetKeyId=lesson.given.orders)\n'
                "lesson.q5.check()",
                'eu.create_key(Description="Orders")\nlesson.q5.check()',
            ),
            "name-taken": (
                'key = eu.create_key()["KeyMetadata"]["KeyId"]\n'
                'eu.create_alias(AliasName="alias/orders-eu", TargetKeyId=key)\nlesson.q5.check()',
                'kms.delete_alias(AliasName="alias/orders")\nkey = eu.create_key()["KeyMetadata"]["KeyId"]\n'
                'eu.create_alias(AliasName="alias/orders", TargetKeyId=key)\nlesson.q5.check()',
            ),
        },
    },
}
