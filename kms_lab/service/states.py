"""Key-state profiles: which call may run on a key in which state.

A profile maps a key state to the note that says how the call is refused; a state that is absent lets the call
through. Operations name a profile in their row; none checks a state itself, so this file is the whole truth about
states.

Not here: rules that depend on usage or spec (see ``gates.usage``).

Source: AWS KMS Developer Guide, "Key states of KMS keys" (the notes keep that page's numbers). For a key pending
deletion the page names two exceptions; recordings of AWS show KMSInvalidStateException and the short text.
"""

from collections.abc import Mapping
from typing import NamedTuple

from kms_lab.core.errors import (
    DisabledException,
    KMSError,
    KMSInvalidStateException,
    UnsupportedOperationException,
)
from kms_lab.core.keys import (
    CREATING,
    DISABLED,
    ENABLED,
    PENDING_DELETION,
    PENDING_IMPORT,
    PENDING_REPLICA_DELETION,
    UNAVAILABLE,
    UPDATING,
    Key,
)


class Note(NamedTuple):
    """One numbered note of AWS's table: the error, and its text after the key's ARN."""

    error: type[KMSError]
    text: str


NOTES = {
    1: Note(DisabledException, "is disabled."),
    3: Note(KMSInvalidStateException, "is pending deletion."),
    4: Note(KMSInvalidStateException, "is not pending deletion."),
    5: Note(KMSInvalidStateException, "is pending import."),
    6: Note(UnsupportedOperationException, "origin is EXTERNAL which is not valid for this operation."),
    7: Note(UnsupportedOperationException, "is in a custom key store, which is not valid for this operation."),
    11: Note(KMSInvalidStateException, "is unavailable."),
    14: Note(KMSInvalidStateException, "is creating."),
    15: Note(KMSInvalidStateException, "is updating."),
    # unverified: AWS's text for a key that waits for its replicas was not seen
    9: Note(UnsupportedOperationException, "cannot have imported key material."),
    16: Note(KMSInvalidStateException, "is pending replica deletion."),
}

Profile = Mapping[str, int]
_DOOMED = {PENDING_DELETION: 3, PENDING_REPLICA_DELETION: 16}

#: reading, and what is always allowed
ANY: Profile = {}
#: cryptography, and creating grants
USE: Profile = {DISABLED: 1, **_DOOMED, PENDING_IMPORT: 5, UNAVAILABLE: 11, CREATING: 14}
#: small changes that a key pending deletion no longer takes
EDIT: Profile = {**_DOOMED}
SWITCH: Profile = {**_DOOMED, PENDING_IMPORT: 5, CREATING: 14, UPDATING: 15}
SCHEDULE: Profile = {**_DOOMED, UPDATING: 15}
CANCEL: Profile = dict.fromkeys((ENABLED, DISABLED, PENDING_IMPORT, UNAVAILABLE, CREATING, UPDATING), 4)
ROTATION_SETTING: Profile = {DISABLED: 1, **_DOOMED, PENDING_IMPORT: 6, UNAVAILABLE: 7, CREATING: 14}
ROTATION_STATUS: Profile = {PENDING_IMPORT: 6, UNAVAILABLE: 7}
ROTATION_LIST: Profile = {UNAVAILABLE: 7}
#: grants are made for keys of custom key stores too while these are disconnected
GRANT: Profile = {state: note for state, note in USE.items() if state != UNAVAILABLE}
#: data key pairs are never made under keys of custom key stores
PAIR: Profile = {**USE, UNAVAILABLE: 7}
PUBLIC: Profile = {**_DOOMED, CREATING: 14}
IMPORT_PARAMETERS: Profile = {**_DOOMED, UNAVAILABLE: 9, CREATING: 14, UPDATING: 15}
IMPORT: Profile = {**_DOOMED, UNAVAILABLE: 9, CREATING: 14}
DELETE_MATERIAL: Profile = {CREATING: 14, UPDATING: 15}
REPLICATE: Profile = {**GRANT, UPDATING: 15}
UPDATE_PRIMARY: Profile = GRANT
ROTATE: Profile = {DISABLED: 1, **_DOOMED, PENDING_IMPORT: 5, UNAVAILABLE: 7, CREATING: 14}


def refusal(profile: Profile, key: Key) -> KMSError | None:
    """Return the error with which a profile refuses a key in its present state, or None."""
    number = profile.get(key.state)
    if number is None:
        return None
    note = NOTES[number]
    return note.error(f"{key.arn} {note.text}", state=key.state)
