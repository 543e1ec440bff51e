"""The widget base without a browser: controls, state, twins, and the messages of the browser's half."""

import json
from dataclasses import dataclass, replace

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert import HTMLExporter

from kms_lab.teach import svg, theme
from kms_lab.teach.widgets.base import (
    Controls,
    LabWidget,
    buttons,
    choice,
    log_slider,
    number,
    slider,
    stepper,
    switch,
    text_area,
    text_field,
)


@dataclass(frozen=True)
class State:
    keys: int = 3
    calls: int = 1_000
    step: int = 0
    region: str = "us-east-1"
    caching: bool = False
    days: int = 90
    name: str = "orders"
    mode: str = "long"


class Sample(LabWidget[State]):
    """One of every control."""

    title = "Keys & calls"

    def controls(self):
        steps = ("Ask", "Encrypt", "Store") if self.state.mode == "long" else ("Ask", "Encrypt")
        return Controls(
            keys=slider(1, 100, unit="keys"),
            calls=log_slider(1e3, 1e9, unit="calls a month"),
            step=stepper(steps),
            region=choice(["us-east-1", "eu-west-1"]),
            caching=switch(label="Cache data keys"),
            days=number(90, 2560, unit="days"),
            name=text_field(10, label="Alias"),
            mode=choice({"Long way": "long", "Short way": "short"}, look="radio"),
            act=buttons({"more": "One more", "boom": "Break"}),
        )

    def view(self, state):
        return svg.drawing(100, 50, svg.text(0, 20, f"{state.keys} keys"), title="Keys")

    def summary(self, state):
        return f"{state.keys} keys <now>."

    def table(self, state):
        return svg.Table("Counts", ["What", "Number"], [["Keys", state.keys]])

    def react(self, state, action, value):
        if action == "more":
            return replace(state, keys=state.keys + int(value or 1))
        if action == "boom":
            raise RuntimeError("on purpose")
        return super().react(state, action, value)

    def settle(self, state):
        return replace(state, step=min(state.step, 1)) if state.mode == "short" else state


@pytest.fixture
def widget():
    return Sample(State())


class Wire:
    """The browser's end of a widget: says what it would say, and keeps what it hears."""

    def __init__(self, widget):
        self.live = widget.live
        self.count = 0

    def say(self, **message):
        self.count += 1
        self.live._handle_custom_msg({**message, "n": f"test.{self.count}"}, [])
        return self.live.shown

    @property
    def shown(self):
        return self.live.shown


class TestControls:
    def test_a_slider_counts_in_whole_steps(self):
        """A slider of whole numbers gives ints from low to high, both included."""
        keys = slider(1, 100, 3)
        assert keys.values[:3] == (1, 4, 7)
        assert keys.values[-1] == 100
        assert {type(v) for v in keys.values} == {int}

    def test_a_slider_in_tenths_does_not_drift(self):
        """Steps of a tenth are the numbers a person would write."""
        assert slider(0, 1, 0.1).values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

    def test_a_log_slider_goes_by_ones_twos_and_fives(self):
        """A log slider stops at 1, 2 and 5 of each power of ten, and at its two ends."""
        assert log_slider(1, 300).values == (1, 2, 5, 10, 20, 50, 100, 200, 300)
        assert log_slider(0.1, 1).values == (0.1, 0.2, 0.5, 1.0)

    @pytest.mark.parametrize("build", [lambda: slider(0, 10_000), lambda: slider(5, 5), lambda: log_slider(0, 10)])
    def test_a_slider_nobody_could_use_is_refused(self, build):
        """Too many positions, a single one, and a logarithm of nothing are mistakes."""
        with pytest.raises(ValueError, match="slider"):
            build()

    def test_the_steps_of_a_stepper_have_numbers_and_names(self):
        """A screen reader hears which step this is, of how many, and its name."""
        assert stepper(["Ask", "Encrypt"]).texts == ("1 of 2: Ask", "2 of 2: Encrypt")

    def test_a_label_comes_from_the_field(self):
        """A control without a label takes its field's name; each value is said with its unit."""
        made = Controls(data_key_reuse=slider(1, 5, unit="messages"))
        assert made["data_key_reuse"].label == "Data key reuse"
        assert made["data_key_reuse"].say(4) == "4 messages"

    def test_a_text_area_holds_lines(self):
        """A text area takes text as it is, up to its length; in words it says how many lines there are."""
        area = text_area(6, max_length=20, label="Policy")

        assert area.read(area.show("{\n}\n")) == "{\n}\n"
        assert (area.say("{\n}\n"), area.say("{}"), area.say("")) == (
            "2 lines of text",
            "1 line of text",
            "0 lines of text",
        )
        assert area.spec()["rows"] == 6
        with pytest.raises(ValueError, match="at most 20 letters"):
            area.read("x" * 21)

    def test_every_control_can_be_drawn(self, widget):
        """What goes to the browser is JSON, and each control has a name and a kind."""
        spec = json.loads(json.dumps(widget.controls().spec()))
        assert [c["name"] for c in spec] == list(widget.controls())
        assert all(c["label"] and c["kind"] for c in spec)

    @given(st.data())
    def test_showing_and_reading_are_inverse(self, data):
        """The position shown for a value reads back as the same value, for every control."""
        control = data.draw(st.sampled_from([c for c in Sample(State()).controls().values() if c.label != "Actions"]))
        if hasattr(control, "values"):
            value = data.draw(st.sampled_from(control.values))
        else:
            value = data.draw(
                {"number": st.integers(90, 2560), "text": st.text(max_size=10), "switch": st.booleans()}[
                    control.spec()["kind"]
                ]
            )
        assert control.read(json.loads(json.dumps(control.show(value)))) == value

    @pytest.mark.parametrize(
        ("field", "position"),
        [
            ("keys", 100),
            ("keys", -1),
            ("keys", "3"),
            ("region", 2),
            ("caching", "yes"),
            ("days", 5),
            ("days", True),
            ("name", "x" * 11),
            ("act", 0),
        ],
    )
    def test_nonsense_from_the_browser_is_refused(self, widget, field, position):
        """A position that no control could have sent raises, and names the control."""
        with pytest.raises(ValueError, match=widget.controls()[field].label):
            widget.controls().read({field: position})


class TestState:
    def test_code_can_do_what_a_hand_can(self, widget):
        """Setting fields returns the new state, and the old state is untouched."""
        before = widget.state
        assert widget.set(keys=5, region="eu-west-1") == replace(before, keys=5, region="eu-west-1") == widget.state
        assert before == State()

    @pytest.mark.parametrize("fields", [{"keys": 0}, {"region": "mars"}, {"caching": 1}, {"days": 9_999}, {"step": 3}])
    def test_a_value_no_control_can_show_is_refused(self, widget, fields):
        """A value outside its control raises and leaves the state as it was."""
        with pytest.raises(ValueError):
            widget.set(**fields)
        assert widget.state == State()

    def test_a_slider_shows_values_between_its_stops(self, widget):
        """Code may set a value between two stops; the slider stands at the nearest."""
        assert widget.set(calls=1_400).calls == 1_400
        assert widget.controls().positions(widget.state)["calls"] == 0

    def test_an_unknown_field_is_a_mistake(self, widget):
        """A field the state does not have raises."""
        with pytest.raises(TypeError):
            widget.set(colour="red")

    def test_a_button_acts(self, widget):
        """An action makes a new state; it may carry a value."""
        assert widget.act("more").keys == 4
        assert widget.act("more", "10").keys == 14

    def test_an_unknown_action_is_a_mistake(self, widget):
        """An action the widget does not have raises and names it."""
        with pytest.raises(ValueError, match="explode"):
            widget.act("explode")

    def test_fields_that_depend_on_each_other_settle(self, widget):
        """When the mode has fewer steps, the step comes back into range."""
        widget.set(step=2)
        assert widget.set(mode="short").step == 1

    def test_a_widget_that_cannot_be_shown_is_not_made(self):
        """A first state that its controls cannot show raises at once."""
        with pytest.raises(ValueError, match="Keys"):
            Sample(State(keys=500))


class TestTwins:
    def test_text_carries_everything(self, widget):
        """As text a widget is its title, its settings, its finding and its table."""
        lines = widget.text().splitlines()
        assert lines[0] == "Keys & calls"
        assert lines[1].startswith("Keys: 3 keys · Calls: 1,000 calls a month · Step: 1 of 3: Ask · Region: us-east-1")
        assert lines[2:] == ["3 keys <now>.", "Counts", "What  Number", "Keys  3"]

    def test_html_is_a_picture_of_the_moment(self, widget):
        """As HTML a widget shows picture, settings, finding and table of its present state, and escapes them."""
        widget.set(keys=7)
        shown = widget.html()
        assert ">7 keys</text>" in shown
        assert "Keys: 7 keys" in shown
        assert "7 keys &lt;now&gt;." in shown
        assert "<caption>Counts</caption>" in shown
        assert 'aria-label="Keys &amp; calls"' in shown

    def test_a_sheet_of_its_own(self, widget):
        """A widget's own style sheet goes with its picture, live and stored; other widgets do not carry it."""

        class Styled(Sample):
            css = "tamper_pad.css"

        styled, sheet = Styled(State()), f"<style>{theme.read_css('tamper_pad.css')}</style>"
        assert styled.html().count(sheet) == 1
        assert styled.live.shown["html"].count(sheet) == 1
        assert sheet not in widget.html()

    def test_the_stored_output_holds_both(self, widget):
        """What a notebook stores names the live model, and beside it holds the picture and the text."""
        data, _ = widget._repr_mimebundle_()
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.live.model_id
        assert data["text/html"] == widget.html()
        assert data["text/plain"] == widget.text()

    def test_a_converted_notebook_shows_the_picture(self, widget):
        """nbconvert, which has no kernel and no widget state, shows the picture."""
        data, _ = widget._repr_mimebundle_()
        output = nbformat.v4.new_output("display_data", data)
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("widget", outputs=[output])])
        page, _ = HTMLExporter().from_notebook_node(book)
        assert ">3 keys</text>" in page
        assert "<caption>Counts</caption>" in page
        assert "3 keys &lt;now&gt;." in page


class TestWire:
    def test_a_position_becomes_a_picture(self, widget):
        """A moved control changes the state, and the answer holds the new picture, words and positions."""
        shown = Wire(widget).say(set={"keys": 9})
        assert widget.state.keys == 10
        assert ">10 keys</text>" in shown["html"]
        assert shown["summary"] == "10 keys <now>."
        assert shown["positions"]["keys"] == 9
        assert shown["answer"] == "test.1"

    def test_a_button_in_the_picture_acts(self, widget):
        """A pressed button reaches ``react`` with its value."""
        Wire(widget).say(act="more", value="5")
        assert widget.state.keys == 8

    def test_one_change_is_one_message(self, widget, monkeypatch):
        """A change is answered by one message, and nothing but the picture is in it."""
        wire, sent = Wire(widget), []
        monkeypatch.setattr(wire.live, "send_state", lambda key=None: sent.append(key))
        wire.say(set={"keys": 9})
        assert sent == ["shown"]

    def test_every_message_is_answered(self, widget):
        """A message that changes nothing is answered too, so the next one may go."""
        wire = Wire(widget)
        wire.say(set={"keys": 9})
        assert wire.say(set={"keys": 9})["answer"] == "test.2"

    def test_an_empty_message_changes_nothing(self, widget):
        """The message that only makes the network hurry leaves state and picture alone."""
        wire = Wire(widget)
        before = wire.shown
        wire.live._handle_custom_msg({"nudge": "test.1"}, [])
        assert wire.shown == before

    def test_a_displayed_widget_follows_code(self, widget):
        """After display, setting a field from code paints the new picture."""
        wire = Wire(widget)
        widget.set(keys=42)
        assert ">42 keys</text>" in wire.shown["html"]

    def test_controls_that_depend_on_the_state_are_sent_again(self, widget):
        """When the mode changes the steps, the browser gets the new steps; otherwise controls are not sent."""
        wire = Wire(widget)
        before = wire.live.controls
        wire.say(set={"keys": 1})
        assert wire.live.controls is before
        wire.say(set={"mode": 1})
        assert next(c for c in wire.live.controls if c["name"] == "step")["texts"] == ["1 of 2: Ask", "2 of 2: Encrypt"]

    @pytest.mark.parametrize("message", [{"act": "boom"}, {"set": {"keys": 1_000}}])
    def test_a_failure_is_seen(self, widget, message):
        """An error while answering is shown in the picture's place, and the next change works again."""
        wire = Wire(widget)
        wire.say(**message)
        assert 'role="alert"' in wire.shown["html"]
        assert wire.shown["answer"] == "test.1"
        assert ">6 keys</text>" in wire.say(set={"keys": 5})["html"]
