"""The palette: readable in light and dark, told apart by colour-blind readers, scoped to our outputs."""

import itertools
import re

import pytest

from kms_lab.teach import theme

MODES = ("light", "dark")
#: How each kind of colour vision mixes linear red, green and blue (Machado, Oliveira & Fernandes 2009, severity 1).
VISIONS = {
    "typical": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The WCAG 2 contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, vision: str) -> tuple[float, float, float]:
    """A colour as CIE Lab coordinates in the eye of a kind of vision."""
    source = linear(colour)
    red, green, blue = (
        min(1.0, max(0.0, sum(m * c for m, c in zip(row, source, strict=True)))) for row in VISIONS[vision]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def surface(name: str, mode: str) -> str:
    return theme.SURFACES[name][MODES.index(mode)]


def tone(hue: str, mode: str) -> tuple[str, str]:
    found = theme.HUES[hue]
    return (found.light, found.light_soft) if mode == "light" else (found.dark, found.dark_soft)


class TestContrast:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("hue", theme.HUES)
    def test_a_hue_is_readable(self, hue, mode):
        """Text in a hue has 4.5:1 on the paper, on raised surfaces, and on the hue's own pale fill."""
        strong, soft = tone(hue, mode)
        for behind in (surface("paper", mode), surface("raised", mode), soft):
            assert contrast(strong, behind) >= 4.5

    @pytest.mark.parametrize("mode", MODES)
    def test_ink_is_readable_on_every_fill(self, mode):
        """Body text has 7:1 and muted text 4.5:1 on every surface and every pale fill."""
        fills = [surface("paper", mode), surface("raised", mode), *(tone(hue, mode)[1] for hue in theme.HUES)]
        assert min(contrast(surface("ink", mode), fill) for fill in fills) >= 7
        assert min(contrast(surface("muted", mode), fill) for fill in fills) >= 4.5

    @pytest.mark.parametrize("mode", MODES)
    def test_words_on_a_filled_button_are_readable(self, mode):
        """A primary button's words have 4.5:1 on its blue."""
        assert contrast(surface("on-strong", mode), tone("blue", mode)[0]) >= 4.5

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("name", ["edge", "focus"])
    def test_edges_and_focus_rings_are_visible(self, name, mode):
        """The edge of a control and the ring of the focus have 3:1 on every surface."""
        for behind in ("paper", "raised"):
            assert contrast(surface(name, mode), surface(behind, mode)) >= 3


class TestPalette:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("vision", VISIONS)
    def test_hues_differ_for_every_kind_of_colour_vision(self, vision, mode):
        """Any two of the six categorical hues are at least 14 CIE units apart, also for colour-blind readers."""
        six = [hue for hue in theme.HUES if hue != "red"]
        for one, other in itertools.combinations(six, 2):
            a, b = seen(tone(one, mode)[0], vision), seen(tone(other, mode)[0], vision)
            assert sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5 >= 14, (one, other)

    def test_a_status_never_speaks_by_colour_alone(self):
        """Every status has a word and an icon of its own."""
        words = [status.word for status in theme.STATUSES.values()]
        icons = [status.icon for status in theme.STATUSES.values()]
        assert all(words)
        assert len(set(words)) == len(set(icons)) == len(theme.STATUSES)

    def test_an_unknown_colour_names_the_known_ones(self):
        """Asking for a colour that does not exist lists those that do."""
        with pytest.raises(ValueError, match="blue, orange"):
            theme.var("mauve")

    def test_a_colour_survives_without_the_style_sheet(self):
        """A colour carries its light value as fallback, for viewers that drop style sheets."""
        assert theme.var("blue") == f"var(--kl-blue, {theme.HUES['blue'].light})"
        assert theme.HUES["blue"].light_soft in theme.var("blue", soft=True)


class TestStyleSheet:
    def test_every_rule_is_scoped(self):
        """No rule of the style sheet can reach an element outside our outputs."""
        flat = re.sub(r"@(media|container)[^{]*\{", "", theme.CSS).replace("}}", "}")
        selectors = [rule.split("{")[0] for rule in flat.split("}") if "{" in rule]
        assert len(selectors) > 50
        assert [s for s in selectors if ".kms-lab" not in s] == []

    def test_dark_follows_jupyterlab_first_and_the_reader_elsewhere(self):
        """JupyterLab's theme decides inside JupyterLab; prefers-color-scheme decides only where it is absent."""
        dark = theme.HUES["blue"].dark
        assert re.search(r'body\[data-jp-theme-light="false"\] \.kms-lab\{[^}]*--kl-blue:' + dark, theme.CSS)
        assert re.search(
            r"prefers-color-scheme:dark\)\{body:not\(\[data-jp-theme-light\]\) \.kms-lab\{[^}]*--kl-blue:" + dark,
            theme.CSS,
        )

    def test_every_variable_in_use_is_defined(self):
        """No rule uses a variable of ours that nothing defines."""
        sheet = theme.CSS + theme.read_css("lab_widget.css")
        used = set(re.findall(r"var\((--kl-[\w-]+)\)", sheet))
        defined = set(re.findall(r"(--kl-[\w-]+):", sheet))
        assert used <= defined

    def test_a_frame_has_a_name_and_escapes_it(self):
        """A frame's title is its visible heading and its accessible name, as text."""
        shown = theme.frame("<p>x</p>", title="a < b")
        assert 'aria-label="a &lt; b"' in shown
        assert '<p class="kl-title">a &lt; b</p>' in shown
