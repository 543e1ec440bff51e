"""The boto3-shaped client: one method per operation, AWS's parameter names, boto3's dictionaries and error shapes.

Code written for ``boto3.client("kms")`` runs on it. Methods are made when they are first used, with AWS's own
documentation, so that completion and ``help`` work.
"""

import html
import inspect
import re
import textwrap
from collections.abc import Callable
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any

from kms_lab.core import errors, model
from kms_lab.core.circumstances import DIRECT, Circumstances
from kms_lab.core.errors import ParameterError, UnsupportedByLab
from kms_lab.core.names import Principal
from kms_lab.core.world import World
from kms_lab.doors.credentials import signed_with
from kms_lab.service.operation import OPERATIONS, Call, Row
from kms_lab.service.pipeline import handle

Method = Callable[..., dict[str, Any]]
#: told of every call as it sets out; the call then fills with what the gates find
Listener = Callable[[Call], None]

_MEMBER_TEXT = 400
_TEXT = textwrap.TextWrapper(96, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
_PARAMETER = textwrap.TextWrapper(96, initial_indent="    ", subsequent_indent="        ", break_on_hyphens=False)


class Client:
    """A caller's view of KMS in one Region: ``client.encrypt(KeyId=..., Plaintext=...)``.

    Args:
        world: where the keys are.
        principal: who calls.
        region: where.
        how: how the calls reach KMS, such as the service that makes them on the principal's behalf.
        listener: given each ``Call`` that is sent; the lab remembers the last verdict this way.

    Raises (from every method):
        KMSError: AWS refused; the class is AWS's error code.
        ParameterError: the parameters do not fit, so the call was never sent.
    """

    def __init__(
        self,
        world: World,
        principal: Principal,
        region: str,
        listener: Listener | None = None,
        how: Circumstances = DIRECT,
    ) -> None:
        self._world = world
        self._principal = principal
        self._how = signed_with(principal, how)
        self._listener = listener
        self.meta = SimpleNamespace(region_name=region, service_model=SimpleNamespace(service_name="kms"))

    def __repr__(self) -> str:
        via = f" through {self._how.via}" if self._how.via else ""
        return f"<KMS client of {self._principal.arn} in {self.meta.region_name}{via}>"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(row.method for row in OPERATIONS.values())]

    def __getattr__(self, name: str) -> Method:
        operation = _operation_of(name)
        if operation is None:
            raise AttributeError(f"KMS has no operation {name!r}; press Tab after the dot to see those it has")
        row = OPERATIONS.get(operation)
        method = self._missing(operation) if row is None else self._method(row)
        setattr(self, name, method)
        return method

    @cached_property
    def exceptions(self) -> SimpleNamespace:
        """AWS's error classes by name, for ``except kms.exceptions.NotFoundException``."""
        known = {n: c for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, errors.KMSError)}
        return SimpleNamespace(**known, ClientError=errors.KMSError)

    def can_paginate(self, operation_name: str) -> bool:
        """Say whether a method answers page by page."""
        operation = _operation_of(operation_name)
        return operation in model.paginators()

    def get_paginator(self, operation_name: str) -> Any:
        """Return boto3's own paginator for a listing method: ``.paginate(PaginationConfig={"MaxItems": 5})``.

        Raises:
            ValueError: the method does not answer page by page.
        """
        operation = _operation_of(operation_name)
        if operation is None or operation not in model.paginators():
            raise ValueError(f"{operation_name} does not answer page by page; list_keys does, for example")
        from botocore.model import ServiceModel  # here, because botocore costs every other use of the lab its start
        from botocore.paginate import Paginator

        shape = ServiceModel(model.load(), "kms").operation_model(operation)
        return Paginator(getattr(self, operation_name), model.paginators()[operation], shape)

    def close(self) -> None:
        """Do nothing: there is no connection to close. It is here because boto3's clients have it."""

    def _method(self, row: Row) -> Method:
        shape = row.model
        accepts = shape.accepts
        world, principal, region, listener, how = (
            self._world,
            self._principal,
            self.meta.region_name,
            self._listener,
            self._how,
        )

        def method(**params: Any) -> dict[str, Any]:
            checked = accepts(params)
            if not checked:
                problems = shape.client_problems(params)
                if problems:
                    raise ParameterError(problems)
                params = shape.coerced(params)
            call = Call(row, world, principal, region, params, checked)
            if how is not DIRECT:
                call.how = how
            if listener is not None:
                listener(call)
            return handle(call)

        method.__name__ = method.__qualname__ = row.method
        method.__doc__ = _docstring(row.name)
        method.__signature__ = _signature(shape)  # type: ignore[attr-defined]
        return method

    def _missing(self, operation: str) -> Method:
        def method(**_params: Any) -> dict[str, Any]:
            error = UnsupportedByLab(f"AWS has {operation}; the lab does not have it yet.")
            error.operation_name = operation
            raise error

        method.__name__ = model.snake_case(operation)
        method.__doc__ = f"AWS has {operation}; the lab does not have it yet."
        return method


@cache
def _operation_of(method: str) -> str | None:
    if method.startswith("_"):
        return None
    return next((name for name in (*OPERATIONS, *model.operation_names()) if model.snake_case(name) == method), None)


@cache
def _signature(shape: model.Operation) -> inspect.Signature:
    required = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in shape.required]
    optional = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        for name in shape.members
        if name not in shape.required
    ]
    return inspect.Signature(required + optional)


@cache
def _docstring(operation: str) -> str:
    """Return help on an operation: ours first, then AWS's words on the members and the operation."""
    row = OPERATIONS[operation]
    shape = row.model
    parts = [inspect.cleandoc(row.handler.__doc__ or ""), "Parameters (AWS's documentation):"]
    for name in shape.members:
        text = _plain(shape.member_documentation(name))
        short = text if len(text) <= _MEMBER_TEXT else text[:_MEMBER_TEXT].rpartition(" ")[0] + " ..."
        parts.append(_PARAMETER.fill(f"{name}{' (required)' if name in shape.required else ''}: {short}"))
    parts += ["Errors: " + ", ".join(shape.errors), "AWS on the operation:", _TEXT.fill(_plain(shape.documentation))]
    return "\n\n".join(parts)


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup))).strip()
