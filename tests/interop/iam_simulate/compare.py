"""Ask iam-simulate the questions of ``tests/policy/scenarios``, and explain every answer that differs.

iam-simulate (npm package @cloud-copilot/iam-simulate) is AGPL-3.0. It is no part of this project and not needed by its
tests: install it in a folder of your own, and name the folder.

    mkdir /tmp/peer && cd /tmp/peer && npm install @cloud-copilot/iam-simulate
    python tests/interop/iam_simulate/compare.py --node-modules /tmp/peer            # exit status 1: news
    python tests/interop/iam_simulate/compare.py --node-modules /tmp/peer --speed

The expected answers are AWS's: each case names its page. Compared are the decision, and whether a refusal is an
explicit deny. A case cannot be asked where grants take part (iam-simulate has none) or where it refuses the input.
"""

import argparse
import collections
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SCENARIOS = ROOT / "tests" / "policy" / "scenarios"
sys.path[:0] = [str(ROOT), str(HERE), str(SCENARIOS)]

from departures import DEPARTURES, Answer, explained, is_pair  # noqa: E402

Document = dict[str, Any]


def cases() -> list[tuple[str, Any]]:
    """Return every case with the name of its module."""
    modules = sorted(path.stem for path in SCENARIOS.glob("*.py") if path.stem != "build")
    return [(name, case) for name in modules for case in importlib.import_module(name).CASES]


def unasked(scenario: Document) -> str | None:
    """Return why a scenario cannot be put to iam-simulate, or None."""
    if any(check["action"] == "kms:RetireGrant" for check in (scenario["request"], *scenario.get("also", ()))):
        return "RetireGrant is decided by the grant"
    if scenario.get("grants") or any(check.get("grants") for check in scenario.get("also", ())):
        return "it has no grants"
    return None


def expected(decision: str, reason: str) -> str:
    """Say our answer in iam-simulate's words."""
    if decision == "ALLOW":
        return "Allowed"
    return "ExplicitlyDenied" if reason == "explicit-deny" else "ImplicitlyDenied"


def node(folder: Path, question: Document) -> Document:
    """Run ``run.mjs`` and return what it prints."""
    command = ["node", str(HERE / "run.mjs"), str(folder)]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"node could not run iam-simulate from {folder}:\n{done.stderr}")
    answer: Document = json.loads(done.stdout)
    return answer


def compare(folder: Path, say: Any = print) -> int:
    """Print one line a case and a summary. Returns how many disagreements nothing explains, or no page tells."""
    everything = cases()
    asked = [(module, case) for module, case in everything if unasked(case.scenario) is None]
    run = node(folder, {"scenarios": [case.scenario for _, case in asked]})
    answers = {id(case): _answer(given) for (_, case), given in zip(asked, run["answers"], strict=True)}
    blind = [case for _, case in asked if any(is_pair(name) for name in answers[id(case)].ignored)]
    again = node(folder, {"scenarios": [without_pairs(case.scenario) for case in blind]})
    retold = {id(case): _answer(given) for case, given in zip(blind, again["answers"], strict=True)}
    tally: dict[str, collections.Counter[str]] = {}
    shown: collections.Counter[str] = collections.Counter()
    for module, case in everything:
        verdict, detail = _judge(case, answers.get(id(case)), retold.get(id(case)))
        tally.setdefault(module, collections.Counter())[verdict] += 1
        if verdict == "explained":
            shown[detail] += 1
        say(f"{verdict:15} {module}: {case.id}" + (f": {detail}" if detail else ""))
    _summary(run["version"], tally, shown)
    page = (ROOT / "docs" / "simulators.md").read_text(encoding="utf-8")
    untold = [row.what for row in DEPARTURES if row.what not in page]
    for what in untold:
        print(f"docs/simulators.md does not tell: {what}")
    return len(untold) + sum(counts["UNEXPLAINED"] for counts in tally.values())


def _answer(given: Document) -> Answer:
    return Answer(given["result"], tuple(given["ignored"]), given["error"])


def without_pairs(scenario: Document) -> Document:
    """Write the encryption context as tags of the caller, which iam-simulate keeps: then all else can be compared."""
    told = json.loads(json.dumps(scenario).replace("kms:EncryptionContext:", "aws:PrincipalTag/"))
    for check in (told["request"], *told.get("also", ())):
        pairs = check.pop("encryption_context", None)
        if pairs:
            context = dict(check.get("context", told["request"]["context"]))
            check["context"] = {
                **{f"aws:PrincipalTag/{key}": value for key, value in pairs.items()},
                "kms:EncryptionContextKeys": list(pairs),
                **context,
            }
    return told  # type: ignore[no-any-return]


def _judge(case: Any, answer: Answer | None, retold: Answer | None) -> tuple[str, str]:
    """Return agrees, explained, UNEXPLAINED or "not expressible", and the detail."""
    if answer is None:
        return "not expressible", unasked(case.scenario) or ""
    if answer.error is not None:
        return "not expressible", f"it refuses the input: {answer.error}"
    if any(name.startswith("example:") for name in answer.ignored):
        return "not expressible", "it takes no invented condition keys"
    wanted = expected(case.decision, case.reason)
    if answer.result == wanted:
        return "agrees", ""
    row = explained(case.scenario, case.reason, answer)
    if retold is not None and retold.result != wanted:  # the encryption context is not all that differs
        answer, row = retold, explained(case.scenario, case.reason, retold)
    if row is not None:
        return "explained", row.what
    return "UNEXPLAINED", f"expected {wanted} ({case.reason}), it says {answer.result}: {case.why} [{case.source}]"


def _summary(version: str, tally: dict[str, collections.Counter[str]], shown: collections.Counter[str]) -> None:
    columns = ("agrees", "explained", "UNEXPLAINED", "not expressible")
    print(f"\niam-simulate {version}")
    print(f"{'module':24}" + "".join(f"{name:>17}" for name in columns))
    for module, counts in {**tally, "all": sum(tally.values(), collections.Counter())}.items():
        print(f"{module:24}" + "".join(f"{counts[name]:17}" for name in columns))
    print("\nDisagreements that AWS's text settles against iam-simulate:")
    for row in DEPARTURES:
        note = "" if row.told else " (it has no input for this)"
        print(f"{shown[row.what]:5}  {row.what}{note}")


def speed(folder: Path) -> None:
    """Print questions a second, iam-simulate and ours in turns."""
    from speed import measure

    for name, rate in measure(lambda document, repeat: node(folder, {"scenarios": [document], "repeat": repeat})):
        print(f"{rate:12,.0f} a second  {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node-modules", type=Path, required=True, metavar="FOLDER", help="where npm install was run")
    parser.add_argument("--speed", action="store_true", help="measure instead of comparing")
    parser.add_argument("--quiet", action="store_true", help="show only what does not agree, and the summary")
    options = parser.parse_args()
    folder = options.node_modules.resolve()
    folder = folder.parent if folder.name == "node_modules" else folder
    if options.speed:
        speed(folder)
        return 0
    news = compare(folder, _loud if options.quiet else print)
    return 1 if news else 0


def _loud(line: str) -> None:
    if not line.startswith(("agrees", "not expressible")):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
