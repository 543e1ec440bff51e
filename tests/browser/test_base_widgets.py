"""The widget base in JupyterLab: every control, driven by keyboard, in light and dark and on a phone's width."""

import re
import statistics

import nbformat
import pytest

DEMO = """
from dataclasses import dataclass, replace

from IPython.display import HTML

from kms_lab.teach import svg, theme
from kms_lab.teach.charts import chart, colour
from kms_lab.teach.widgets.base import *

STEPS = ("Ask for a data key", "Encrypt the file", "Forget the plaintext key", "Store both parts")


@dataclass(frozen=True)
class State:
    step: int = 0
    keys: int = 3
    calls: int = 1_000
    region: str = "us-east-1"
    lane: str = "both"
    days: int = 90
    name: str = "orders"
    caching: bool = False
    style: str = "plain"
    enabled: bool = True


class Demo(LabWidget[State]):
    title = "One of everything"

    def controls(self):
        return Controls(
            step=stepper(STEPS),
            keys=slider(1, 100, label="Keys", unit="keys", help="Customer managed keys in one account."),
            calls=log_slider(1e3, 1e9, label="Calls", unit="calls a month"),
            region=choice(["us-east-1", "eu-west-1"], label="Region"),
            lane=choice({"Both": "both", "Sender": "sender", "Reader": "reader"}, look="segments", label="Show"),
            days=number(90, 2560, label="Rotation period", unit="days"),
            name=text_field(40, label="Alias"),
            style=choice({"Plain": "plain", "With notes": "notes"}, look="radio", label="Style"),
            caching=switch(label="Cache data keys"),
            bar=buttons({"reset": "Start again", "boom": "Break"}),
        )

    def view(self, state):
        def draw(width):
            wide = width > 400
            each = (width - 64) / 3 if wide else width - 4
            at = [(2 + i * (each + 30), 10) if wide else (2, 10 + i * 96) for i in range(3)]
            names = [
                ("KMS key", "key", "blue", "never leaves KMS"),
                (state.name, "file", "purple", f"{state.days} days"),
                ("Data key", "lock", "green", "32 bytes"),
            ]
            parts = [svg.box(*at[i], each, 62, n, hue=h, symbol=s, note=t, strong=state.step == i)
                     for i, (n, s, h, t) in enumerate(names)]
            for (x1, y1), (x2, y2) in zip(at, at[1:]):
                right, down = ((x1 + each + 2, y1 + 31), (x2 - 2, y2 + 31)), ((140, y1 + 64), (140, y2 - 2))
                parts.append(svg.arrow(*right) if wide else svg.arrow(*down, "wraps"))
            low = 100 if wide else 294
            parts += [
                svg.action_box(2, low, 120, 42, "Disable", action="disable", enabled=state.enabled, hue="orange"),
                svg.action_box(134, low, 120, 42, "Enable", action="enable", enabled=not state.enabled, hue="green"),
                svg.badge_at(2, low + 54, *(("good", "Enabled") if state.enabled else ("off", "Disabled"))),
            ]
            return svg.drawing(width, low + 82, *parts, title=f"{state.keys} keys", interactive=True)
        badge = ("good", "Enabled") if state.enabled else ("off", "Disabled")
        arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        facts = svg.facts({"Keys": state.keys, "Region": state.region, "ARN": arn, "State": badge}, mono=["ARN"])
        cache = "on" if state.caching else "off"
        more = svg.facts({"A month": state.calls, "Cache": cache, "Show": state.lane, "Style": state.style})
        cards = svg.grid(svg.card("Key", facts, hue="blue"), svg.card("Calls", more, hue="purple"))
        return svg.responsive(draw) + svg.row(svg.button("Add ten keys", "add", "10", primary=True)) + cards

    def summary(self, state):
        what = "enabled" if state.enabled else "disabled"
        return f"{state.keys} keys in {state.region}, {what}; step {state.step + 1}: {STEPS[state.step]}."

    def table(self, state):
        rows = [["Keys", state.keys, ("good", "Allowed")], ["Calls", state.calls, ("bad", "Denied")]]
        return svg.Table("Calls and keys", ["What", "Number", "Verdict"], rows)

    def react(self, state, action, value):
        if action == "boom":
            raise RuntimeError("on purpose")
        if action == "reset":
            return State()
        if action == "add":
            return replace(state, keys=state.keys + int(value))
        if action in ("enable", "disable"):
            return replace(state, enabled=action == "enable")
        return super().react(state, action, value)
"""
TIMELINE = """
def line(width):
    past = [svg.Span(0, 365, "First", "slate"), svg.Span(365, 730, "Second", "slate")]
    lanes = [svg.Lane("Key material", [*past, svg.Span(730, None, "Current", "blue")]),
             svg.Lane("Your file", marks=[svg.Mark(200, "encrypted", "purple"), svg.Mark(800, "decrypted", "green")])]
    years = [(0, "2026"), (365, "2027"), (730, "2028"), (1095, "2029")]
    return svg.timeline(lanes, years, now=(900, "now: 19 June 2028"), title="The file still opens", width=width)


HTML(theme.frame(svg.responsive(line), title="Rotation keeps old key material"))
"""
CHART = """
def draw(axes):
    axes.bar([2026, 2027, 2028, 2029], [1, 2, 3, 3], width=0.6, label="one key")
    axes.plot([2026, 2027, 2028, 2029], [0.3, 0.6, 1.2, 2.4], marker="o", color=colour("orange"), label="its calls")
    axes.set(xlabel="Year", ylabel="Cost (US dollars a month)", xticks=[2026, 2027, 2028, 2029])
    axes.legend()


costs = svg.Table("Cost a month", ["Year", "US dollars"], [["2026", 1], ["2027", 2], ["2028", 3], ["2029", 3]])
HTML(theme.frame(chart(draw, title="After two rotations the price stands still", alt="It rises to 3.", table=costs)))
"""
LIVE, AGAIN, LINE, PLOT = 1, 2, 3, 4


@pytest.fixture(scope="module")
def notebook(open_notebook):
    sources = (DEMO, "widget = Demo(State())\nwidget", "widget", TIMELINE, CHART)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s.strip()) for s in sources])
    opened = open_notebook(book, "widgets.ipynb")
    opened.run_all()
    return opened


@pytest.fixture
def shown(notebook):
    """The live widget's output, in its first state."""
    notebook.run_code("widget.set(**State().__dict__)")
    return notebook.output(LIVE)


def control(shown, label, role="slider"):
    return shown.get_by_role(role, name=label, exact=True)


class TestKeyboard:
    def test_arrow_keys_move_a_slider_and_nothing_else(self, notebook, shown):
        """Arrow keys on a slider change the picture and the spoken value; JupyterLab's cell selection stays."""
        keys = control(shown, "Keys")
        assert "6 keys in us-east-1" in notebook.changes(LIVE, lambda: notebook.press(keys, "ArrowRight", 3))
        assert keys.get_attribute("aria-valuetext") == "6 keys"
        assert "1 keys" in notebook.changes(LIVE, lambda: notebook.press(keys, "Home"))
        assert "100 keys" in notebook.changes(LIVE, lambda: notebook.press(keys, "End"))
        assert notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == LIVE

    def test_a_log_slider_steps_through_powers_of_ten(self, notebook, shown):
        """Three steps on a log slider multiply by ten."""
        calls = control(shown, "Calls")
        assert "10,000" in notebook.changes(LIVE, lambda: notebook.press(calls, "ArrowRight", 3))
        assert calls.get_attribute("aria-valuetext") == "10,000 calls a month"

    def test_a_stepper_goes_forth_and_back_and_keeps_the_focus(self, notebook, shown):
        """Next and Back step through the story; at its end Next is unavailable, and still holds the focus."""
        step_on, step_back = control(shown, "Next", "button"), control(shown, "Back", "button")
        assert "step 2: Encrypt" in notebook.changes(LIVE, lambda: notebook.press(step_on, "Enter"))
        assert "step 4: Store" in notebook.changes(LIVE, lambda: notebook.press(step_on, "Enter", 2))
        assert step_on.get_attribute("aria-disabled") == "true"
        assert step_on.evaluate("e => e === document.activeElement")
        assert "step 3: Forget" in notebook.changes(LIVE, lambda: notebook.press(step_back, " "))

    @pytest.mark.parametrize(
        ("role", "label", "key", "words"),
        [
            ("combobox", "Region", "ArrowDown", "3 keys in eu-west-1"),
            ("radio", "Both", "ArrowRight", "sender"),
            ("radio", "Plain", "ArrowDown", "notes"),
            ("switch", "Cache data keys", " ", "Cache\non"),
            ("button", "Disable", "Enter", "disabled"),
            ("button", "Disable", " ", "disabled"),
            ("button", "Add ten keys", "Enter", "13 keys"),
        ],
    )
    def test_every_kind_of_control_answers_its_key(self, notebook, shown, role, label, key, words):
        """Each kind of control, and each button in the picture, changes the picture by its usual key."""
        assert words in notebook.changes(LIVE, lambda: notebook.press(control(shown, label, role), key))

    def test_typing_reaches_the_field_and_not_jupyterlab(self, notebook, shown):
        """Letters that are JupyterLab shortcuts (a, b, dd, m) are only letters in a field; no cell is added or lost."""
        alias = control(shown, "Alias", "textbox")
        alias.fill("")
        assert "abddm" in notebook.changes(LIVE, lambda: alias.press_sequentially("abddm"))
        assert len(notebook.outputs()) == 5

    def test_a_number_outside_its_range_is_explained(self, notebook, shown):
        """A number that is too small is refused with its range, and the picture stays; a good one is taken."""
        days = shown.get_by_label("Rotation period")
        days.fill("5")
        assert shown.get_by_text("A number from 90 to 2,560.").is_visible()
        assert days.get_attribute("aria-invalid") == "true"
        assert "365 days" in notebook.changes(LIVE, lambda: days.fill("365"))
        assert days.get_attribute("aria-invalid") == "false"

    def test_focus_stays_on_a_button_in_the_picture(self, notebook, shown):
        """After a button in the picture changed the picture, it still has the focus, and does nothing twice."""
        disable = control(shown, "Disable", "button")
        notebook.changes(LIVE, lambda: notebook.press(disable, "Enter"))
        assert disable.evaluate("e => e === document.activeElement")
        assert disable.get_attribute("aria-disabled") == "true"
        assert "enabled" in notebook.changes(LIVE, lambda: notebook.press(control(shown, "Enable", "button"), "Enter"))

    def test_no_key_press_is_lost(self, notebook, shown):
        """Thirty quick presses end where thirty steps end, though not each is painted."""
        notebook.changes(LIVE, lambda: notebook.press(control(shown, "Keys"), "ArrowRight", 30))
        shown.get_by_text("33 keys in us-east-1", exact=False).first.wait_for()
        assert control(shown, "Keys").get_attribute("aria-valuetext") == "33 keys"

    def test_quick_clicks_all_count(self, notebook, shown):
        """Three clicks on a button before the first answer are three actions."""
        add = control(shown, "Add ten keys", "button")
        notebook.changes(LIVE, lambda: add.evaluate("b => { b.click(); b.click(); b.click() }"))
        shown.get_by_text("33 keys in us-east-1", exact=False).first.wait_for()


class TestPicture:
    def test_the_live_widget_wins(self, notebook):
        """With a kernel JupyterLab shows the live widget, not its stored picture, which is there all the same."""
        (output,) = notebook.outputs()[LIVE]
        assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(output["data"])
        assert notebook.output(LIVE).locator(".kl-static").count() == 0

    def test_two_views_stay_equal(self, notebook, shown):
        """The same widget shown twice changes in both places."""
        notebook.changes(AGAIN, lambda: notebook.press(control(shown, "Keys"), "ArrowRight"))
        again = notebook.output(AGAIN)
        assert "4 keys" in again.inner_text()
        assert control(again, "Keys").get_attribute("aria-valuetext") == "4 keys"

    def test_a_displayed_widget_follows_code(self, notebook, shown):
        """Setting a field from code moves the control and changes the picture."""
        assert "50 keys" in notebook.changes(LIVE, lambda: notebook.run_code("widget.set(keys=50)"))
        assert control(shown, "Keys").get_attribute("aria-valuetext") == "50 keys"

    def test_a_finding_is_announced(self, notebook, shown):
        """Once the picture stands still, its finding is in the polite live region."""
        notebook.changes(LIVE, lambda: notebook.press(control(shown, "Keys"), "ArrowRight", 2))
        status = shown.get_by_role("status")
        status.filter(has_text="5 keys in us-east-1").wait_for(state="attached")
        assert status.get_attribute("aria-live") == "polite"

    def test_an_unfolded_table_stays_unfolded(self, notebook, shown):
        """The table twin a reader has opened stays open, and follows."""
        shown.get_by_text("The same as a table").click()
        notebook.changes(LIVE, lambda: notebook.press(control(shown, "Keys"), "ArrowRight", 4))
        assert shown.get_by_role("cell", name="7", exact=True).is_visible()
        shown.get_by_text("The same as a table").click()

    def test_an_error_is_shown_and_passes(self, notebook, shown):
        """A picture that cannot be drawn says why; the next change draws again."""
        seen = notebook.changes(LIVE, lambda: notebook.press(control(shown, "Break", "button"), "Enter"))
        assert "RuntimeError: on purpose" in seen
        assert "3 keys" in notebook.changes(
            LIVE, lambda: notebook.press(control(shown, "Start again", "button"), "Enter")
        )


class TestAccess:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing_and_nothing_sticks_out(self, notebook, shown, dark, width):
        """In light and dark, on a laptop and a phone: no critical or serious finding, no sideways scrolling."""
        notebook.theme(dark)
        notebook.width(width)
        name = f"base-{'dark' if dark else 'light'}-{width}"
        for cell, part in ((LIVE, "widget"), (LINE, "timeline"), (PLOT, "chart")):
            notebook.picture(f"{name}-{part}", cell)
        findings, wide = notebook.axe(), notebook.too_wide()
        notebook.theme(False)
        notebook.width(1280)
        assert findings == []
        assert wide == []

    def test_a_notebook_without_a_kernel_still_tells(self, notebook, open_notebook):
        """Opened as somebody else's notebook and not run, outputs show title, settings, finding and table."""
        book = nbformat.v4.new_notebook()
        for i, outputs in enumerate(notebook.outputs()):
            cell = nbformat.v4.new_code_cell(f"# {i}")
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
            book.cells.append(cell)
        reader = open_notebook(book, "read-only.ipynb")
        words = reader.output(LIVE).inner_text()
        assert "One of everything" in words
        assert "Rotation period: 90 days" in words
        assert re.search(r"\d+ keys in us-east-1", words)
        reader.output(LIVE).get_by_text("Calls and keys").wait_for(state="attached")
        reader.assert_clean()

    def test_a_key_press_is_painted_quickly(self, notebook, shown):
        """From the key to the painted picture, through the kernel, the median is below 100 ms."""
        samples = notebook.painted_ms(LIVE, control(shown, "Keys"), ["ArrowRight"] * 15)
        print(f"key to picture: median {statistics.median(samples):.0f} ms, worst {max(samples):.0f} ms")
        assert statistics.median(samples) < 100

    def test_the_page_stayed_clean(self, notebook):
        """All of the above wrote no error to the console and asked for nothing outside the machine."""
        notebook.assert_clean()
