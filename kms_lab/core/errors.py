"""Every error the lab can answer with, named as AWS names it.

::

    KMSError                                what a client raises; the whole of AWS's answer
    ├── AccessDeniedException               carries the verdict
    ├── ValidationException                 a parameter breaks AWS's model
    ├── ThrottlingException
    ├── NotAuthorizedException
    ├── ModelledError                       the errors that AWS's service model lists
    │   ├── NotFoundException, DisabledException, KMSInvalidStateException, ...
    │   ├── CustomKeyStoreError             the errors of CloudHSM and external key stores
    │   └── ServerError                     AWS's own faults, safe to retry: HTTP 5xx
    └── UnsupportedByLab                    ours: AWS can do this, the lab cannot (yet)
    ParameterError                          ours: refused before it is sent, as boto3 does
    LabError                                ours: the lab itself was asked for something it cannot do

Source: names and faults, botocore's KMS model; HTTP 400 for every client error, recordings of real answers.
"""

from typing import Any


class LabError(Exception):
    """The lab was asked for something that it cannot do. Not an answer of AWS."""


class ParameterError(LabError, ValueError):
    """A call that never leaves the client, because its parameters do not fit the operation.

    boto3 raises ``ParamValidationError`` with the same text here; nothing is logged, nothing is billed.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("Parameter validation failed:\n" + "\n".join(problems))
        self.problems = problems


class KMSError(Exception):
    """An answer of KMS that is not a success, in the shape of botocore's ``ClientError``.

    Attributes:
        response: ``{"Error": {"Code", "Message"}, "ResponseMetadata": {...}}`` and, for modelled errors, ``message``.
        operation_name: the operation called, or "" until the pipeline has filled it in.
        evidence: what the lab knows beyond AWS's text (the key's state, the verdict, the limit ...), for
            explanations and widgets. AWS gives none of it.
    """

    http_status = 400

    def __init__(self, message: str = "", **evidence: Any) -> None:
        super().__init__(message)
        self.message = message
        self.evidence = evidence
        self.operation_name = ""
        self.request_id = ""

    @property
    def code(self) -> str:
        return type(self).__name__

    @property
    def response(self) -> dict[str, Any]:
        return {
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": {
                "RequestId": self.request_id,
                "HTTPStatusCode": self.http_status,
                "RetryAttempts": 0,
            },
        }

    def __str__(self) -> str:
        return f"An error occurred ({self.code}) when calling the {self.operation_name} operation: {self.message}"


class AccessDeniedException(KMSError):
    """The policies do not allow this call. ``error.verdict`` says which of them decided, and why.

    ``error.explain()`` is AWS's message and under it the whole reason as indented text, layer by layer. Neither the
    message nor the response holds any of it, for AWS tells none of it; a traceback has a note that says how to ask::

        >>> print(error.explain())                                                  # doctest: +SKIP
        An error occurred (AccessDeniedException) when calling the Decrypt operation: User: ... is not authorized ...
        <BLANKLINE>
        DENY (implicit-deny)
        The key policy lets IAM decide, and no identity policy of dana allows kms:Decrypt on this key.
        ...
    """

    def __init__(self, message: str = "", **evidence: Any) -> None:
        super().__init__(message, **evidence)
        if self.verdict is not None:
            self.add_note("error.explain() tells which policies were asked, and what each of them said.")

    def explain(self) -> str:
        """AWS's message, and under it the verdict as indented text; the message alone where no policy was asked."""
        return str(self) if self.verdict is None else f"{self}\n\n{self.verdict.explain()}"

    @property
    def verdict(self) -> Any:
        """The evaluator's ``Verdict``; None where no key was found whose policies could be asked."""
        return self.evidence.get("verdict")


class NotAuthorizedException(KMSError):
    """The name is reserved for AWS.

    # unverified: seen in other emulators only; not in AWS's model.
    """


class ThrottlingException(KMSError):
    """Too many requests a second. Back off and try again."""


class ValidationException(KMSError):
    """A parameter breaks a rule of AWS's service model."""


class RequestError(KMSError):
    """A request over the wire that no operation gets to see. It leaves no entry in the log.

    Source: names and texts, AWS's answers quoted in public issues. # unverified: that KMS answers all of them with
    HTTP 400.
    """


class SerializationException(RequestError):
    """The body is not the JSON that AWS's model describes: bad JSON, bad base64, or a value of the wrong type."""


class UnknownOperationException(RequestError):
    """The request names no operation of KMS."""


class MissingAuthenticationTokenException(RequestError):
    """The request is not signed."""


class IncompleteSignatureException(RequestError):
    """The signature lacks something, or is not of Signature Version 4."""


class UnrecognizedClientException(RequestError):
    """Nobody has this access key, or the session token is not the one that belongs to it."""


class InvalidSignatureException(RequestError):
    """The signature is not the one that the access key's secret gives for this request."""


class ExpiredTokenException(RequestError):
    """The session's credentials have ended. Assume the role again."""


class UnsupportedByLab(KMSError):
    """AWS can do this; the lab cannot, and says so instead of guessing."""


class ModelledError(KMSError):
    """An error that AWS's service model lists; its answer carries the text a second time, as ``message``."""

    @property
    def response(self) -> dict[str, Any]:
        return {**super().response, "message": self.message}


class AlreadyExistsException(ModelledError):
    """An alias of this name, or a replica in this Region, is already there."""


class ConflictException(ModelledError):
    """A rotation is running, or an automatic one is due within 20 minutes."""


class DisabledException(ModelledError):
    """The key is disabled: it can be managed but not used.

    The next step is EnableKey. A disabled key has lost nothing; only deletion destroys.
    """


class DryRunOperationException(ModelledError):
    """Good news in the shape of an error: without ``DryRun`` this call would have succeeded."""


class ExpiredImportTokenException(ModelledError):
    """An import token lives for 24 hours; this one is older."""


class IncorrectKeyException(ModelledError):
    """The key named is not the key that made this ciphertext."""


class IncorrectKeyMaterialException(ModelledError):
    """The bytes offered are not the material that this key had, or are not new where new ones are needed."""


class InvalidAliasNameException(ModelledError):
    """The alias name is not allowed."""


class InvalidArnException(ModelledError):
    """The ARN is malformed, or an alias stands where only a key is taken."""


class InvalidCiphertextException(ModelledError):
    """The ciphertext is damaged, or the encryption context is not the one it was made with.

    AWS gives no text and no hint which of the two it was: a caller must not learn it by trying.
    """


class InvalidGrantIdException(ModelledError):
    """No grant has this id."""


class InvalidGrantTokenException(ModelledError):
    """The grant token is not valid."""


class InvalidImportTokenException(ModelledError):
    """The import token is damaged, or belongs to another key."""


class InvalidKeyUsageException(ModelledError):
    """The key's usage or spec does not fit the operation or the algorithm."""


class InvalidMarkerException(ModelledError):
    """The pagination marker is not one that this listing gave out."""


class KMSInvalidMacException(ModelledError):
    """The MAC does not belong to this message and key."""


class KMSInvalidSignatureException(ModelledError):
    """The signature does not belong to this message and key. Verify never answers False."""


class KMSInvalidStateException(ModelledError):
    """The key's state does not allow this call."""


class LimitExceededException(ModelledError):
    """A quota or a length limit is reached."""


class MalformedPolicyDocumentException(ModelledError):
    """The policy is not well formed, names an unknown principal, or would lock its writer out."""


class NotFoundException(ModelledError):
    """No such key, alias, grant or policy."""


class TagException(ModelledError):
    """A tag is not allowed: a duplicate, one too many, or under the reserved prefix."""


class UnsupportedOperationException(ModelledError):
    """This kind of key, or this parameter, does not work with the operation."""


class CustomKeyStoreError(ModelledError):
    """Something is wrong with a custom key store, or with what stands behind it."""


class CloudHsmClusterInUseException(CustomKeyStoreError):
    """The cluster already backs a key store."""


class CloudHsmClusterInvalidConfigurationException(CustomKeyStoreError):
    """The cluster lacks subnets, ports or HSMs."""


class CloudHsmClusterNotActiveException(CustomKeyStoreError):
    """The cluster is not active."""


class CloudHsmClusterNotFoundException(CustomKeyStoreError):
    """No such cluster."""


class CloudHsmClusterNotRelatedException(CustomKeyStoreError):
    """The new cluster carries another certificate."""


class CustomKeyStoreHasCMKsException(CustomKeyStoreError):
    """The key store still holds keys."""


class CustomKeyStoreInvalidStateException(CustomKeyStoreError):
    """The key store's connection state does not allow the call."""


class CustomKeyStoreNameInUseException(CustomKeyStoreError):
    """The name is taken."""


class CustomKeyStoreNotFoundException(CustomKeyStoreError):
    """No such key store."""


class IncorrectTrustAnchorException(CustomKeyStoreError):
    """The trust anchor certificate is not the cluster's."""


class XksKeyAlreadyInUseException(CustomKeyStoreError):
    """The external key already backs a KMS key."""


class XksKeyInvalidConfigurationException(CustomKeyStoreError):
    """The external key is not configured as KMS needs it."""


class XksKeyNotFoundException(CustomKeyStoreError):
    """The proxy knows no such external key."""


class XksProxyIncorrectAuthenticationCredentialException(CustomKeyStoreError):
    """The proxy refuses the credential."""


class XksProxyInvalidConfigurationException(CustomKeyStoreError):
    """The proxy is not configured as KMS needs it."""


class XksProxyInvalidResponseException(CustomKeyStoreError):
    """The proxy's answer cannot be read."""


class XksProxyUriEndpointInUseException(CustomKeyStoreError):
    """The proxy's endpoint serves another key store."""


class XksProxyUriInUseException(CustomKeyStoreError):
    """The proxy's address serves another key store."""


class XksProxyUriUnreachableException(CustomKeyStoreError):
    """The proxy cannot be reached."""


class XksProxyVpcEndpointServiceInUseException(CustomKeyStoreError):
    """The endpoint service serves another key store."""


class XksProxyVpcEndpointServiceInvalidConfigurationException(CustomKeyStoreError):
    """The endpoint service is not configured as KMS needs it."""


class XksProxyVpcEndpointServiceNotFoundException(CustomKeyStoreError):
    """No such endpoint service."""


class ServerError(ModelledError):
    """A fault of AWS, not of the caller.

    # unverified: the model gives no number for these; any 5xx would do.
    """

    http_status = 500


class DependencyTimeoutException(ServerError):
    """Something behind KMS timed out. Safe to retry."""


class KMSInternalException(ServerError):
    """KMS failed. Safe to retry."""


class KeyUnavailableException(ServerError):
    """The key cannot be reached for the moment. Safe to retry."""
