"""Charts: named, labelled, themed, and twinned with a table."""

import re
import subprocess
import sys

import pytest

from kms_lab.teach import theme
from kms_lab.teach.charts import SERIES, chart, colour
from kms_lab.teach.svg import Table

TABLE = Table("Cost by month", ["Month", "US dollars"], [["January", 1], ["February", 3]])


def bars(axes):
    axes.bar(["January", "February"], [1, 3], label="keys")
    axes.plot([0, 1], [2, 1], marker="o", color=colour("orange"), label="calls")
    axes.set_xlabel("Month")
    axes.set_ylabel("Cost (US dollars)")
    axes.legend()


@pytest.fixture(scope="module")
def shown():
    return chart(bars, title="Cost & keys grow", alt="From 1 to 3.", table=TABLE)


def test_it_has_a_finding_a_name_and_a_table(shown):
    """A chart has its finding as caption, finding and alternative text as name, and its numbers as a table."""
    assert "<figcaption>Cost &amp; keys grow</figcaption>" in shown
    assert 'role="img" aria-label="Cost &amp; keys grow From 1 to 3."' in shown
    assert TABLE.html() in shown


def test_its_words_are_words(shown):
    """Axis labels, ticks and legend are text, not outlines."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", shown)
    assert {"Month", "Cost (US dollars)", "January", "keys", "calls"} <= set(texts)


def test_its_colours_are_the_themes(shown):
    """Every colour of the chart is a theme variable, so it follows light and dark."""
    assert re.findall(r"(?<!, )#[0-9a-f]{6}(?=[;\"])", shown) == []
    assert theme.var(SERIES[0]) in shown
    assert theme.var("orange") in shown


def test_it_changes_nothing_else_on_the_page(shown):
    """The chart carries no style sheet and no document head of its own."""
    for leak in ("<style", "<?xml", "<!DOCTYPE", "<metadata"):
        assert leak not in shown


def test_the_same_chart_is_the_same_text(shown):
    """Drawing again on the reused figure gives the same bytes: nothing of the last chart is left over."""
    chart(lambda axes: (axes.plot([5], [5]), axes.set(xlabel="x", ylabel="y")), title="t", alt="a", table=TABLE)
    assert chart(bars, title="Cost & keys grow", alt="From 1 to 3.", table=TABLE) == shown


@pytest.mark.parametrize("labels", [{}, {"xlabel": "Month"}, {"ylabel": "US dollars"}])
def test_axes_need_labels(labels):
    """A chart whose axes are not both labelled is refused."""
    with pytest.raises(ValueError, match="label both axes"):
        chart(lambda axes: (axes.plot([1, 2]), axes.set(**labels)), title="t", alt="a", table=TABLE)


def test_matplotlib_waits_for_the_first_chart():
    """Importing the chart module does not import matplotlib."""
    code = "import sys, kms_lab.teach.charts; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
