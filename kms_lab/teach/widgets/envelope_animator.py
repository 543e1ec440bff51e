"""Envelope encryption, step by step: who holds what, what travels, what is thrown away.

The picture is driven by a real run on a copy of the lab (``rehearse``): one GenerateDataKey, one local encryption, one
Decrypt, one local decryption. Sizes and first bytes are those of that run.

Not here: what a blob is made of. Its layout is the lab's own; AWS's is not documented. The sizes are true.

Source: the steps, AWS KMS Developer Guide, "Envelope encryption" and "Data keys".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_lab.lab import Lab
from kms_lab.teach import svg
from kms_lab.teach.theme import var
from kms_lab.teach.widgets.base import Controls, LabWidget, buttons, stepper

PHOTO, CIPHERTEXT, DATA_KEY, WRAPPED, KMS_KEY = "photo", "ciphertext", "data key", "wrapped key", "KMS key"
APP, KMS, STORAGE = "your app", "KMS", "storage"
PLACES = (APP, KMS, STORAGE)

_NONCE_BYTES = 12
#: what each thing is drawn as: its label, hue and icon
_LOOKS = {
    PHOTO: ("Photo", "green", "file"),
    CIPHERTEXT: ("Photo, encrypted", "slate", "lock"),
    DATA_KEY: ("Data key, plaintext", "orange", "unlock"),
    WRAPPED: ("Data key, wrapped", "blue", "lock"),
    KMS_KEY: ("KMS key", "purple", "key"),
}
#: the slots of each place, from the top; a thing always stands in its own slot
_SLOTS = {
    APP: (PHOTO, CIPHERTEXT, DATA_KEY, WRAPPED),
    KMS: (KMS_KEY, DATA_KEY, WRAPPED),
    STORAGE: (CIPHERTEXT, WRAPPED),
}


@dataclass(frozen=True)
class Step:
    """One moment.

    Attributes:
        name: a few words, for the stepper.
        words: what happens, in a sentence or two.
        app, kms, storage: what each place holds once it has happened.
        moves: thing -> where it has just gone.
        arrow: (from, to, label) of what travels, or None.
        gone: (place, thing) that has just been thrown away.
        calls: calls to KMS so far.
    """

    name: str
    words: str
    app: tuple[str, ...]
    kms: tuple[str, ...] = (KMS_KEY,)
    storage: tuple[str, ...] = ()
    moves: Mapping[str, str] = field(default_factory=dict)
    arrow: tuple[str, str, str] | None = None
    gone: tuple[tuple[str, str], ...] = ()
    calls: int = 1

    def held(self, place: str) -> tuple[str, ...]:
        return {APP: self.app, KMS: self.kms, STORAGE: self.storage}[place]


_SAVED = (CIPHERTEXT, WRAPPED)

STEPS = (
    Step(
        "A photo to protect",
        "Your app holds a photo. KMS holds a KMS key, which never leaves it. Nothing is stored yet.",
        app=(PHOTO,), calls=0,
    ),
    Step(
        "Encrypt: ask for a data key",
        "Your app calls GenerateDataKey. KMS makes a new data key, and wraps a copy of it under the KMS key. "
        "The photo stays where it is.",
        app=(PHOTO,), kms=(KMS_KEY, DATA_KEY, WRAPPED), moves={DATA_KEY: KMS, WRAPPED: KMS},
        arrow=(APP, KMS, "GenerateDataKey"),
    ),
    Step(
        "Encrypt: get it twice",
        "KMS answers with the data key twice: once in plaintext, once wrapped. It keeps neither.",
        app=(PHOTO, DATA_KEY, WRAPPED), moves={DATA_KEY: APP, WRAPPED: APP}, arrow=(KMS, APP, "two copies"),
        gone=((KMS, DATA_KEY), (KMS, WRAPPED)),
    ),
    Step(
        "Encrypt: lock the photo",
        "Your app encrypts the photo with the plaintext data key. KMS is not asked and sees nothing of it.",
        app=(PHOTO, CIPHERTEXT, DATA_KEY, WRAPPED), moves={CIPHERTEXT: APP},
    ),
    Step(
        "Encrypt: save two things",
        "The encrypted photo, with its nonce (part 2) in front, and the wrapped data key go to storage, side by side.",
        app=(PHOTO, CIPHERTEXT, DATA_KEY, WRAPPED), storage=_SAVED, moves={CIPHERTEXT: STORAGE, WRAPPED: STORAGE},
        arrow=(APP, STORAGE, "save"),
    ),
    Step(
        "Encrypt: forget",
        "Your app throws the plaintext data key away, and the photo. What is left cannot be read without KMS.",
        app=(), storage=_SAVED, gone=((APP, DATA_KEY), (APP, PHOTO)),
    ),
    Step(
        "Decrypt: load what was saved",
        "Later: your app loads both things. The wrapped key is of no use yet: it is ciphertext.",
        app=_SAVED, storage=_SAVED, moves={CIPHERTEXT: APP, WRAPPED: APP}, arrow=(STORAGE, APP, "load"),
    ),
    Step(
        "Decrypt: ask KMS to unwrap",
        "Your app sends the wrapped key, and only that, to Decrypt. KMS checks whether you may, finds the KMS key "
        "by itself, and unwraps.",
        app=_SAVED, kms=(KMS_KEY, DATA_KEY, WRAPPED), storage=_SAVED, moves={DATA_KEY: KMS, WRAPPED: KMS},
        arrow=(APP, KMS, "Decrypt"), calls=2,
    ),
    Step(
        "Decrypt: get the data key",
        "KMS answers with the plaintext data key, and again keeps no copy.",
        app=(CIPHERTEXT, DATA_KEY, WRAPPED), storage=_SAVED, moves={DATA_KEY: APP}, arrow=(KMS, APP, "data key"),
        gone=((KMS, DATA_KEY), (KMS, WRAPPED)), calls=2,
    ),
    Step(
        "Decrypt: unlock the photo",
        "Your app decrypts the photo with the data key. It is the photo of the beginning, byte for byte.",
        app=(PHOTO, CIPHERTEXT, DATA_KEY, WRAPPED), storage=_SAVED, moves={PHOTO: APP}, calls=2,
    ),
    Step(
        "Decrypt: forget again",
        "Your app throws the plaintext data key away again. Storage did not change.",
        app=(PHOTO,), storage=_SAVED, gone=((APP, DATA_KEY), (APP, CIPHERTEXT), (APP, WRAPPED)), calls=2,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What one real run showed: for each thing its size in bytes and its first bytes (of the KMS key, its id)."""

    sizes: Mapping[str, int]
    starts: Mapping[str, str]
    calls: tuple[str, ...]

    def note(self, thing: str) -> str:
        """Return size and first bytes in a few characters."""
        if thing == KMS_KEY:
            return self.starts[thing]
        return f"{_size(self.sizes[thing])} · {self.starts[thing]}…"


def rehearse(lab: Lab, key_id: str, photo: bytes) -> Run:
    """Encrypt and decrypt ``photo`` once, on a copy of the lab, and note what was seen.

    Raises:
        KMSError: KMS refuses; a disabled key, for example.
    """
    copy = lab.fork()
    kms, start = copy.client(), len(copy.world.log)
    answer = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    nonce = copy.world.entropy.take(_NONCE_BYTES)
    ciphertext = nonce + AESGCM(answer["Plaintext"]).encrypt(nonce, photo, None)
    data_key = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])["Plaintext"]
    opened = AESGCM(data_key).decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], None)
    seen = {PHOTO: opened, CIPHERTEXT: ciphertext, DATA_KEY: data_key, WRAPPED: answer["CiphertextBlob"]}
    log = copy.world.log
    return Run(
        {thing: len(value) for thing, value in seen.items()},
        {thing: value[:4].hex() for thing, value in seen.items()} | {KMS_KEY: f"{copy.key(key_id).id[:8]}…"},
        tuple(log.entry(index).operation for index in range(start, len(log))),
    )


@dataclass(frozen=True)
class State:
    step: int = 0


class EnvelopeAnimator(LabWidget[State]):
    """Step through one envelope, from a photo to storage and back."""

    title = "An envelope, step by step"

    def __init__(self, lab: Lab, key_id: str, photo: bytes) -> None:
        self.run = rehearse(lab, key_id, photo)
        super().__init__(State())

    def controls(self) -> Controls:
        return Controls(step=stepper([step.name for step in STEPS]), again=buttons({"start": "Back to the start"}))

    def view(self, state: State) -> str:
        return svg.responsive(lambda width: _draw(width, state.step, self.run))

    def summary(self, state: State) -> str:
        step = STEPS[state.step]
        calls = self.run.calls[: step.calls]
        asked = f"{len(calls)} ({', '.join(calls)})" if calls else "none"
        return f"{step.words}{_thrown_away(step)} Calls to KMS so far: {asked}."

    def table(self, state: State) -> svg.Table:
        step = STEPS[state.step]
        rows = [
            [_LOOKS[thing][0], self.run.note(thing), *(_where(step, place, thing) for place in PLACES)]
            for thing in _LOOKS
        ]
        return svg.Table(
            f"Who holds what at step {state.step + 1}",
            ["What", "Size and first bytes", *(_capital(place) for place in PLACES)],
            rows,
        )

    def react(self, state: State, action: str, value: str) -> State:
        return State() if action == "start" else super().react(state, action, value)


def _size(count: int) -> str:
    """
    >>> _size(184), _size(10_000_028)
    ('184 bytes', '10.0 MB')
    """
    return f"{count:,} bytes" if count < 100_000 else f"{count / 1e6:,.1f} MB"


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _thrown_away(step: Step) -> str:
    """
    >>> _thrown_away(STEPS[5])
    ' Thrown away in your app: data key, plaintext; photo.'
    """
    if not step.gone:
        return ""
    things = "; ".join(_LOOKS[thing][0].lower() for _, thing in step.gone)
    return f" Thrown away in {step.gone[0][0]}: {things}."


def _where(step: Step, place: str, thing: str) -> object:
    if (place, thing) in step.gone:
        return ("warn", "thrown away")
    return ("info", "here") if thing in step.held(place) else "–"


# ---- the picture: two columns on a laptop, one on a phone

_CHIP, _PITCH, _HEAD = 46.0, 53.0, 36.0


@dataclass(frozen=True)
class _Place:
    """A box of the picture, with the slots in it."""

    name: str
    x: float
    y: float
    width: float
    height: float

    def slot(self, thing: str) -> tuple[float, float]:
        things = _SLOTS[self.name]
        free = self.height - _HEAD - 8
        return self.x + 10, self.y + _HEAD + things.index(thing) * free / len(things)

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


def _places(width: float) -> dict[str, _Place]:
    def tall(name: str) -> float:
        return _HEAD + len(_SLOTS[name]) * _PITCH + 4

    if width < 480:  # KMS above, your app in the middle, storage below: arrows join neighbours
        gap, y, places = 40.0, 0.0, {}
        for name in (KMS, APP, STORAGE):
            places[name] = _Place(name, 1, y + 1, width - 2, tall(name))
            y += tall(name) + gap
        return places
    gap, side = 14.0, (width - 132) / 2
    high = tall(KMS) + gap + tall(STORAGE)
    return {
        APP: _Place(APP, 1, 1, side, high),
        KMS: _Place(KMS, width - side - 1, 1, side, tall(KMS)),
        STORAGE: _Place(STORAGE, width - side - 1, 1 + tall(KMS) + gap, side, tall(STORAGE)),
    }


def _draw(width: float, at: int, run: Run) -> str:
    step, places = STEPS[at], _places(width)
    homes = _homes(at)
    parts = [_room(place, step) for place in places.values()]
    for place in places.values():
        for thing in _SLOTS[place.name]:
            parts.append(_chip(place, thing, step, run, homes.get(thing) == place.name))
    if step.arrow:
        parts.append(_arrow(places[step.arrow[0]], places[step.arrow[1]], step.arrow[2]))
    height = max(place.y + place.height for place in places.values()) + 1
    return svg.drawing(width, height, *parts, title=f"Step {at + 1}: {step.name}", desc=_described(step))


def _homes(at: int) -> dict[str, str]:
    """Where each thing has gone last: the copy that glides. The others stay where they are."""
    homes: dict[str, str] = {}
    for step in STEPS[: at + 1]:
        homes |= step.moves
    return homes


def _room(place: _Place, step: Step) -> str:
    busy = step.arrow is not None and place.name in step.arrow[:2]
    symbol = {APP: "person", KMS: "service", STORAGE: "log"}[place.name]
    edge = (var("ink"), 2.25) if busy else (var("line"), 1.5)
    face = (
        f'<rect x="{place.x:g}" y="{place.y:g}" width="{place.width:g}" height="{place.height:g}" rx="10"'
        f' fill="{var("raised")}" stroke="{edge[0]}" stroke-width="{edge[1]}"/>'
    )
    name = svg.text(place.x + 38, place.y + 23, _capital(place.name), size=15, weight=600)
    return face + svg.icon(symbol, place.x + 12, place.y + 8, 20) + name


def _chip(place: _Place, thing: str, step: Step, run: Run, home: bool) -> str:
    """A thing in its slot: solid if it is there, dashed if it has just been thrown away, else nothing."""
    gone = (place.name, thing) in step.gone
    if not gone and thing not in step.held(place.name):
        return ""
    label, hue, symbol = _LOOKS[thing]
    fresh = step.moves.get(thing) == place.name
    note = "thrown away" if gone else run.note(thing)
    box = svg.box(
        0, 0, place.width - 20, _CHIP, label, note=note, hue="slate" if gone else hue,
        symbol="bin" if gone else symbol, dashed=gone, strong=fresh,
    )  # fmt: skip
    x, y = place.slot(thing)
    return svg.group(box, x=x, y=y, key=thing if home and not gone else f"{thing} in {place.name}")


def _arrow(start: _Place, end: _Place, label: str) -> str:
    if start.x == end.x:  # one column: between neighbours
        x, down = start.middle[0], start.y < end.y
        near, far = (start.y + start.height, end.y) if down else (start.y, end.y + end.height)
        return svg.arrow(
            (x, near + (2 if down else -2)), (x, far - (2 if down else -2)), label, hue="ink", width=2.25, size=14
        )
    y = (end if start.name == APP else start).middle[1]
    right = start.x < end.x
    near, far = (start.x + start.width + 4, end.x - 4) if right else (start.x - 4, end.x + end.width + 4)
    return svg.arrow((near, y), (far, y), label, hue="ink", width=2.25)


def _described(step: Step) -> str:
    def listed(place: str) -> str:
        things = ", ".join(_LOOKS[thing][0].lower().replace("kms", "KMS") for thing in step.held(place))
        return f"{_capital(place)} holds: {things or 'nothing'}."

    return " ".join([step.words, *map(listed, PLACES)])
