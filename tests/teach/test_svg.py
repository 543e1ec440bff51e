"""Pictures and tables: well formed, named, escaped, and free of ids."""

import re
import xml.etree.ElementTree as ET
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_lab.teach import svg, theme

NS = "{http://www.w3.org/2000/svg}"
NASTY = "<script>alert('x')</script> & \"quotes\""

#: Text without the control characters that no XML may hold.
words = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="￾￿"), min_size=1, max_size=60)


def parts_with(text: str) -> list[str]:
    return [
        svg.box(0, 0, 120, 60, text, note=text, symbol="key"),
        svg.action_box(0, 0, 120, 60, text, action=text, value=text),
        svg.arrow((0, 0), (50, 0), text),
        svg.text(0, 0, text),
        svg.text(0, 0, [text, text], mono=True, halo=True),
        svg.badge_at(0, 0, "good", text),
        svg.group(svg.text(0, 0, text), key=text, x=3),
    ]


class TestDrawing:
    @given(words)
    def test_every_picture_is_well_formed(self, text):
        """Whatever text goes in, the drawing is well-formed XML and shows the text as text."""
        picture = svg.drawing(200, 100, *parts_with(text), title="t" + text, desc=text)
        root = ET.fromstring(picture)
        assert root.get("aria-label") == "t" + text
        assert root.findtext(f"{NS}desc") == text
        assert not list(root.iter(f"{NS}script"))

    def test_a_picture_has_a_name_and_a_description(self):
        """A drawing is one image with title and description; an interactive one is a group."""
        still = ET.fromstring(svg.drawing(10, 10, title="Two keys", desc="One is old."))
        live = ET.fromstring(svg.drawing(10, 10, title="Two keys", interactive=True))
        assert (still.get("role"), live.get("role")) == ("img", "group")
        assert still.findtext(f"{NS}title") == "Two keys"

    def test_a_nameless_picture_is_refused(self):
        """A drawing without a title does not exist for a blind reader, so there is none."""
        with pytest.raises(ValueError, match="title"):
            svg.drawing(10, 10, title=" ")

    def test_it_scales_down_but_not_up(self):
        """A drawing takes the width it is given, up to its own."""
        root = ET.fromstring(svg.drawing(300, 100, title="t"))
        assert (root.get("viewBox"), root.get("width"), root.get("style")) == ("0 0 300 100", "100%", "max-width:300px")

    def test_no_ids(self):
        """No element has an id, so the same picture may stand in a page twice."""
        lanes = [svg.Lane("a", [svg.Span(0, None, "b")], [svg.Mark(1, "c")])]
        line = svg.timeline(lanes, [(0, "0"), (2, "2")], title="t", now=(1, "now"))
        assert not re.search(r'\sid="', svg.drawing(200, 100, *parts_with("x"), title="t") + line)

    def test_colours_follow_the_theme(self):
        """No colour is written without its theme variable."""
        picture = svg.drawing(200, 100, *parts_with("x"), title="t")
        assert re.findall(r'(?:fill|stroke)="(?!none|currentColor|var\()[^"]*"', picture) == []

    def test_both_widths_are_drawn(self):
        """A responsive picture is drawn once for a laptop and once, hidden until needed, for a phone."""
        shown = svg.responsive(lambda width: svg.drawing(width, 10, title=f"{width:g} wide"), wide=700, narrow=280)
        assert "700 wide" in shown.split("kl-narrow")[0]
        assert 'kl-narrow" hidden' in shown
        assert "280 wide" in shown.split("kl-narrow")[1]

    def test_words_stay_apart_without_the_drawing(self):
        """Where a viewer drops the tags and keeps the text, the words do not run together."""
        bare = re.sub(r"<[^>]*>", "", svg.drawing(200, 60, svg.box(0, 0, 90, 50, "KMS key", note="stays"), title="t"))
        assert bare.split() == ["t", "KMS", "key", "stays"]


class TestActions:
    def test_an_action_box_is_a_button(self):
        """A box that acts is a focusable button that says its action, and keeps its keys from JupyterLab."""
        root = ET.fromstring(
            svg.drawing(
                9,
                9,
                svg.action_box(0, 0, 9, 9, "Stop", action="stop"),
                title="t",
                interactive=True,
            )
        )
        button = next(e for e in root if e.get("role") == "button")
        assert button.get("tabindex") == "0"
        assert button.get("aria-label") == "Stop"
        assert button.get("data-action") == "stop"
        assert button.get("data-lm-suppress-shortcuts") is not None

    @pytest.mark.parametrize("build", [svg.button, lambda *a, **k: svg.action_box(0, 0, 9, 9, a[0], action=a[1], **k)])
    def test_an_unavailable_button_stays_reachable(self, build):
        """A button that is not enabled is announced as such and keeps the focus; it is not taken out of the page."""
        off = build("Stop", "stop", enabled=False)
        assert 'aria-disabled="true"' in off
        assert " disabled" not in off.replace("aria-disabled", "")
        assert "aria-disabled" not in build("Stop", "stop", enabled=True)


class TestWrap:
    @given(words, st.floats(30, 400))
    def test_no_letter_is_lost(self, text, width):
        """Wrapping changes only white space."""
        assert "".join("".join(svg.wrap(text, width)).split()) == "".join(text.split())

    @given(st.text(st.characters(categories=["L", "N"]), max_size=80), st.floats(30, 400))
    def test_no_line_is_too_long(self, text, width):
        """No line has more letters than fit the width at 0.56 of the size each."""
        assert all(len(line) <= max(1, int(width / (0.56 * 14))) for line in svg.wrap(text, width))


class TestTimeline:
    def test_places_are_proportional(self):
        """A span from a quarter to a half of the axis takes a quarter of the width; an open one runs to the end."""
        lanes = [svg.Lane("k", [svg.Span(25, 50, "a"), svg.Span(50, None, "b")])]
        root = ET.fromstring(svg.timeline(lanes, [(0, "0"), (100, "100")], title="t", width=424))
        first, second = root.iter(f"{NS}rect")
        assert (float(first.get("x")), float(first.get("width"))) == (112, 100)
        assert (float(second.get("x")), float(second.get("width"))) == (212, 200)

    def test_an_axis_needs_a_length(self):
        """Two ticks at the same place make no axis."""
        with pytest.raises(ValueError, match="two ticks"):
            svg.timeline([], [(0, "a"), (0, "b")], title="t")


class TestTable:
    TABLE = svg.Table(
        "Who may",
        ["Who", "Calls", "Verdict"],
        [["App <1>", 12_000, ("good", "Allowed")], ["Ops", 3, ("bad", "Denied")]],
    )

    def test_headers_have_scope(self):
        """Each column and each row has a header that says which it heads."""
        root = ET.fromstring(self.TABLE.html())
        assert [e.text for e in root.iter("th") if e.get("scope") == "col"] == ["Who", "Calls", "Verdict"]
        assert [e.text for e in root.iter("th") if e.get("scope") == "row"] == ["App <1>", "Ops"]

    def test_it_scrolls_by_itself(self):
        """A wide table scrolls in its own container, which has a name and takes the focus."""
        root = ET.fromstring(self.TABLE.html())
        assert root.get("class") == "kl-scroll"
        assert (root.get("tabindex"), root.get("role"), root.get("aria-label")) == ("0", "region", "Who may")

    def test_numbers_are_aligned_and_statuses_are_badges(self):
        """A column of numbers is right-aligned with thousands separated; a status shows icon and word."""
        shown = self.TABLE.html()
        assert '<td class="kl-num">12,000</td>' in shown
        assert 'kl-badge kl-green"><svg' in shown
        assert "Denied</span>" in shown

    def test_the_text_twin_says_the_same(self):
        """As text the table keeps every cell, in columns."""
        assert self.TABLE.text().splitlines() == [
            "Who may",
            "Who      Calls   Verdict",
            "App <1>  12,000  Allowed",
            "Ops      3       Denied",
        ]

    @pytest.mark.parametrize("cell", [Decimal("1.50"), 3, 2.5, "$1.00"])
    def test_money_and_counts_are_numbers(self, cell):
        """Decimals, ints, floats and sums of dollars are set as numbers; words are not."""
        assert 'class="kl-num"' in svg.table([["a", cell]], ["x", "y"], "c")
        assert 'class="kl-num"' not in svg.table([["a", "1 key"]], ["x", "y"], "c")


class TestCards:
    def test_everything_is_escaped(self):
        """No helper lets markup in text through."""
        shown = (
            svg.badge("good", NASTY)
            + svg.card(NASTY, svg.paragraph(NASTY), svg.facts({NASTY: NASTY}, mono=[NASTY]))
            + svg.button(NASTY, NASTY, NASTY, label=NASTY, key=NASTY)
            + svg.table([[NASTY]], [NASTY], NASTY)
        )
        assert "<script>" not in shown
        assert "&lt;script&gt;" in shown

    def test_a_button_with_a_changing_face(self):
        """A button with a key is the same one when its face changes, and its label is what a screen reader says."""
        off, on = (svg.button(face, "flip", "7", label=f"Flip bit 7, now {face}", key="bit 7") for face in ("0", "1"))

        assert 'aria-label="Flip bit 7, now 0"' in off
        assert off.replace("now 0", "now 1").replace(">0<", ">1<") == on

    def test_a_button_without_a_key_is_known_by_its_face(self):
        """Two buttons of one action are two buttons, and the face is the name."""
        assert 'data-key="press/1/One"' in svg.button("One", "press", "1")
        assert "aria-label" not in svg.button("One", "press", "1")

    @pytest.mark.parametrize("status", theme.STATUSES)
    def test_a_badge_has_icon_and_word(self, status):
        """A badge shows its icon and, unless told otherwise, its status's word."""
        shown = svg.badge(status)
        assert theme.STATUSES[status].icon in shown
        assert f"{theme.STATUSES[status].word}</span>" in shown

    def test_an_unknown_hue_names_the_known_ones(self):
        """A card in a colour that does not exist is refused."""
        with pytest.raises(ValueError, match="blue, orange"):
            svg.card("t", hue="mauve")
