"""A verdict's reasons, whole: every policy and grant that was asked, every statement, every clause, as text and as a
table.

The sentence that sums it up is the verdict's own (``Verdict.sentence``); nothing is decided or judged here.
"""

from html import escape

from kms_lab.policy.evaluate import Verdict
from kms_lab.policy.explain import ClauseTrace, GrantTrace, StatementTrace
from kms_lab.views.table import html_table

_MATCHED = {True: "✔ matched", False: "✘ not matched"}
_HEAD = ("Statement", "Effect", "Clause", "The policy wants", "The request has", "Result")


def text(verdict: Verdict) -> str:
    """Return the verdict and its trace as indented text.

    ::

        DENY (implicit-deny)
        Neither the key policy nor an identity policy of role App allows kms:Decrypt on this key.
        request: role session arn:... asks for kms:Decrypt on arn:...
          key policy
            statement 1 (Allow): does not apply
              ✘ not matched  Principal: wants arn:..., has arn:...
    """
    request = verdict.request
    lines = [
        f"{verdict.decision} ({verdict.reason})",
        verdict.sentence,
        f"request: {request.principal.arn} asks for {request.action} on {request.resource}",
    ]
    for name in verdict.missing_context:
        lines.append(f"the request had no {name}")
    for policy in verdict.trace.policies:
        lines.append(f"  {policy.policy}")
        for statement in policy.statements:
            lines.append(f"    {_title(statement)} ({statement.effect}): {_outcome(statement)}")
            lines += [f"      {_MATCHED[clause.matched]}  {_clause(clause)}" for clause in statement.clauses]
    return "\n".join(lines)


def table(verdict: Verdict) -> str:
    """Return the verdict's sentence, and its trace as one accessible HTML table for each policy."""
    request = verdict.request
    head = (
        f"<p><strong>{escape(verdict.decision)}</strong> ({escape(verdict.reason)}): {escape(verdict.sentence)}</p>"
        f"<p>{escape(request.principal.arn)} asks for {escape(request.action)} on {escape(request.resource)}.</p>"
    )
    return head + "".join(
        html_table(
            f"{policy.policy[:1].upper()}{policy.policy[1:]}, clause by clause",
            _HEAD,
            [row for statement in policy.statements for row in _rows(statement)],
        )
        for policy in verdict.trace.policies
    )


def _rows(statement: StatementTrace) -> list[tuple[str, ...]]:
    name = f"{_title(statement)}: {_outcome(statement)}"
    return [
        (name, statement.effect, clause.element, _values(clause.wanted), _found(clause), _MATCHED[clause.matched])
        for clause in statement.clauses
    ]


def _title(statement: StatementTrace) -> str:
    if isinstance(statement, GrantTrace):
        return "the grant"
    return f'statement "{statement.sid}"' if statement.sid else f"statement {statement.index}"


def _outcome(statement: StatementTrace) -> str:
    return "applies" if statement.applies else "does not apply"


def _clause(clause: ClauseTrace) -> str:
    return f"{clause.element}: wants {_values(clause.wanted)}; the request has {_found(clause)}"


def _found(clause: ClauseTrace) -> str:
    return "nothing" if clause.found is None else _values(clause.found)


def _values(values: tuple[str, ...]) -> str:
    return ", ".join(values) if values else "nothing"
