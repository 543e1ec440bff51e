"""The boto3-shaped client: the names, shapes and errors that code written for boto3 relies on."""

import inspect

import boto3
import botocore
import botocore.session
import pytest

from kms_lab import KMSError, Lab, ParameterError
from kms_lab.core.errors import UnsupportedByLab
from kms_lab.service.operation import OPERATIONS

SESSION = botocore.session.get_session()
MODEL = SESSION.get_service_model("kms")


@pytest.fixture(scope="module")
def real():
    """boto3's own client. It is looked at, and never sends anything."""
    return boto3.client("kms", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def lab():
    return Lab(seed=7)


@pytest.fixture
def kms(lab):
    return lab.client()


class TestMethods:
    @pytest.mark.parametrize("operation", MODEL.operation_names)
    def test_every_operation_has_its_method(self, kms, operation):
        """
        Each of the 56 operations is a method of boto3's name; those the lab lacks say so when called.
        """
        method = getattr(kms, botocore.xform_name(operation))

        assert method.__name__ == botocore.xform_name(operation)
        assert method.__doc__
        if operation not in OPERATIONS:
            with pytest.raises(KMSError) as refused:
                method(Anything=1)
            assert refused.value.code == "UnsupportedByLab"
            assert refused.value.operation_name == operation

    def test_completion(self, kms, real):
        """
        Completion offers the lab's operations, all of them boto3's.
        """
        offered = {name for name in dir(kms) if not name.startswith("_")}

        assert {row.method for row in OPERATIONS.values()} <= offered
        assert offered <= set(dir(real))

    @pytest.mark.parametrize("operation", sorted(OPERATIONS))
    def test_signature_and_documentation(self, kms, operation):
        """
        A method shows AWS's parameters as keywords, the required ones first, and AWS's words about them.
        """
        method = getattr(kms, OPERATIONS[operation].method)
        shape = MODEL.operation_model(operation).input_shape
        signature = inspect.signature(method).parameters

        assert set(signature) == set(shape.members)
        assert list(signature)[: len(shape.required_members)] == list(shape.required_members)
        for name in shape.members:
            assert name in method.__doc__

    def test_unknown_method(self, kms):
        """
        What KMS does not have is an AttributeError that helps.
        """
        with pytest.raises(AttributeError, match="no operation 'encript'"):
            kms.encript
        assert not hasattr(kms, "_encrypt")

    def test_an_operation_newer_than_the_lab(self, lab, kms, monkeypatch):
        """
        An operation that AWS has and the lab does not is refused by name, and leaves nothing in the log.
        """
        monkeypatch.delitem(OPERATIONS, "GenerateMac")
        entries = len(lab.world.log)

        with pytest.raises(UnsupportedByLab, match="GenerateMac") as refused:
            kms.generate_mac(KeyId="alias/x")

        assert refused.value.operation_name == "GenerateMac"
        assert len(lab.world.log) == entries

    def test_positional_arguments(self, kms):
        """
        Like boto3's, methods take keywords only.
        """
        with pytest.raises(TypeError):
            kms.describe_key("alias/x")

    def test_meta(self, lab):
        """
        The client knows its Region and service as boto3's does.
        """
        kms = lab.client(region="eu-west-1")

        assert kms.meta.region_name == "eu-west-1"
        assert kms.meta.service_model.service_name == "kms"
        assert "eu-west-1" in repr(kms)


class TestExceptions:
    def test_names(self, kms, real):
        """
        client.exceptions has every name that boto3's has.
        """
        theirs = {name for name in dir(real.exceptions) if name.endswith("Exception")} | {"ClientError"}

        assert len(theirs) == 49
        assert theirs <= set(vars(kms.exceptions))

    def test_caught_by_name(self, kms):
        """
        An error is caught by its name and by ClientError, and tells its code as botocore's does.
        """
        for name in ("NotFoundException", "ClientError"):
            with pytest.raises(getattr(kms.exceptions, name)) as caught:
                kms.describe_key(KeyId="alias/none")
            assert caught.value.response["Error"]["Code"] == "NotFoundException"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            assert caught.value.operation_name == "DescribeKey"

    def test_text(self, kms):
        """
        An error prints as botocore's ClientError does.
        """
        with pytest.raises(KMSError) as caught:
            kms.describe_key(KeyId="alias/none")

        theirs = botocore.exceptions.ClientError(caught.value.response, "DescribeKey")
        assert str(caught.value) == str(theirs)

    def test_unsent(self, lab, kms):
        """
        What boto3 would not send is a ValueError with boto3's words, and leaves no trace in the log.
        """
        with pytest.raises(ValueError) as refused:
            kms.encrypt(KeyID="x")

        shape = MODEL.operation_model("Encrypt").input_shape
        report = botocore.validate.ParamValidator().validate({"KeyID": "x"}, shape).generate_report()
        assert isinstance(refused.value, ParameterError)
        assert str(refused.value) == str(botocore.exceptions.ParamValidationError(report=report))
        assert len(lab.world.log) == 0


class TestPaginators:
    def test_same_as_boto3(self, kms, real):
        """
        A method can be paged exactly if boto3 has a paginator for it, among the operations of the lab.
        """
        for row in OPERATIONS.values():
            assert kms.can_paginate(row.method) == real.can_paginate(row.method)

    @pytest.mark.parametrize(
        "operation",
        sorted(SESSION.get_component("data_loader").load_service_model("kms", "paginators-1")["pagination"]),
    )
    def test_members(self, operation):
        """
        The members with which a page is asked for and answered are those of boto3's paginators.
        """
        if operation in OPERATIONS:
            pager = SESSION.get_component("data_loader").load_service_model("kms", "paginators-1")["pagination"][
                operation
            ]
            shape = OPERATIONS[operation].model

            assert pager["input_token"] == "Marker"
            assert pager["limit_key"] == "Limit"
            assert {pager["input_token"], pager["limit_key"]} <= set(shape.members)
            assert {pager["output_token"], pager["more_results"], pager["result_key"]} <= set(shape.output_members)

    def test_no_pages(self, kms):
        """
        A method without pages has no paginator.
        """
        with pytest.raises(ValueError, match="does not answer page by page"):
            kms.get_paginator("describe_key")


class TestAnswers:
    def test_metadata(self, lab, kms):
        """
        Every answer has a request id, that of its log entry, and status 200.
        """
        first, second = kms.list_keys(), kms.list_aliases()

        for index, response in enumerate((first, second)):
            assert response["ResponseMetadata"] == {
                "RequestId": lab.world.log.request_id(index),
                "HTTPStatusCode": 200,
                "RetryAttempts": 0,
            }

    def test_answers_are_the_callers(self, kms):
        """
        Changing an answer changes nothing in the lab.
        """
        key = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
        key["EncryptionAlgorithms"].clear()
        key["KeyState"] = "Broken"
        kms.list_resource_tags(KeyId=key["KeyId"])["Tags"].clear()

        again = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        assert again["EncryptionAlgorithms"] == ["SYMMETRIC_DEFAULT"]
        assert again["KeyState"] == "Enabled"
        assert kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [{"TagKey": "a", "TagValue": "b"}]

    def test_lone_surrogates(self, lab, kms):
        """
        Text that no wire could carry works with our own client, as any other text does; boto3 refuses to send it.
        """
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        context = {"name": "\ud800"}
        blob = kms.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext=context)["CiphertextBlob"]

        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"p"
        with pytest.raises(Exception, match=r"surrogates|SerializationException"):
            lab.boto3_client().encrypt(KeyId=key, Plaintext=b"p", EncryptionContext=context)

    def test_a_lab_hears_every_call(self, lab, kms):
        """
        The lab remembers the verdict on the last call, allowed or not.
        """
        assert lab.last_verdict is None
        kms.list_keys()
        assert lab.last_verdict.allowed

        with pytest.raises(KMSError) as refused:
            lab.client(principal=lab.iam.create_role("App")).list_keys()
        assert lab.last_verdict.request.action == refused.value.verdict.request.action == "kms:ListKeys"
        assert not lab.last_verdict.allowed
        assert not lab.last_verdict.allowed


class TestRealPaginators:
    def test_settings_search_and_full_result(self, kms):
        """
        PaginationConfig, search and build_full_result are boto3's: pages are cut, continued and gathered.
        """
        keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)]
        paginator = kms.get_paginator("list_keys")

        assert [len(page["Keys"]) for page in paginator.paginate(PaginationConfig={"PageSize": 2})] == [2, 2, 1]
        first = paginator.paginate(PaginationConfig={"MaxItems": 3}).build_full_result()
        rest = paginator.paginate(PaginationConfig={"StartingToken": first["NextToken"]}).build_full_result()
        assert [one["KeyId"] for one in first["Keys"] + rest["Keys"]] == keys
        assert list(paginator.paginate().search("Keys[].KeyId")) == keys

    def test_close(self, kms):
        """
        A client can be closed, as boto3's can, and goes on working.
        """
        kms.close()
        assert kms.list_keys()["Keys"] == []
