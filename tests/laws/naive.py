"""A second, naive KMS: only what happens to a key in time. It imports nothing of the lab, so it can be wrong alone.

Time is a whole number of seconds. Every method returns None, or the name of the error that refuses it. Rules as AWS's
developer guide states them ("Key states of KMS keys", "Rotate AWS KMS keys", "Deleting keys").
"""

DAY = 24 * 60 * 60


class NaiveKey:
    def __init__(self, now):
        self.state = "Enabled"
        self.materials = [(now, None)]  # (since when, how)
        self.period = None  # days; None: rotation is off
        self.next_rotation = None
        self.deletion = None


class NaiveKms:
    def __init__(self, now=0):
        self.now = now
        self.keys = {}

    # ---- the operations

    def create(self, name):
        self.keys[name] = NaiveKey(self.now)

    def enable(self, name):
        return self._manage(name, "Enabled")

    def disable(self, name):
        return self._manage(name, "Disabled")

    def schedule_deletion(self, name, days):
        key = self.keys.get(name)
        if key is None:
            return "NotFoundException"
        if key.state == "PendingDeletion":
            return "KMSInvalidStateException"
        key.state, key.deletion = "PendingDeletion", self.now + days * DAY
        return None

    def cancel_deletion(self, name):
        key = self.keys.get(name)
        if key is None:
            return "NotFoundException"
        if key.state != "PendingDeletion":
            return "KMSInvalidStateException"
        key.state, key.deletion = "Disabled", None
        return None

    def enable_rotation(self, name, days):
        refused = self._use(name)
        if refused:
            return refused
        key = self.keys[name]
        if key.period != days:  # the same period again changes nothing
            key.period, key.next_rotation = days, self.now + days * DAY
        return None

    def disable_rotation(self, name):
        refused = self._use(name)
        if refused:
            return refused
        self.keys[name].period = self.keys[name].next_rotation = None
        return None

    def rotate(self, name):
        refused = self._use(name)
        if refused:
            return refused
        key = self.keys[name]
        if key.next_rotation is not None and key.next_rotation - self.now <= 20 * 60:
            return "ConflictException"
        if len([how for _, how in key.materials if how == "ON_DEMAND"]) == 25:
            return "LimitExceededException"
        key.materials.append((self.now, "ON_DEMAND"))
        return None

    def encrypt(self, name):
        """Return the error, and the number of the material that encrypts."""
        refused = self._use(name)
        return (refused, None) if refused else (None, len(self.keys[name].materials) - 1)

    def decrypt(self, name):
        """A ciphertext names its key; where that is gone, KMS does not say so."""
        return "AccessDeniedException" if name not in self.keys else self._use(name)

    # ---- time

    def travel(self, seconds):
        """Go second by second, in effect: from one event to the next, each at its own time."""
        until = self.now + seconds
        while True:
            times = [time for key in self.keys.values() for time in self._events(key) if time <= until]
            if not times:
                break
            self.now = min(times)
            for name, key in list(self.keys.items()):
                if key.state == "PendingDeletion" and key.deletion == self.now:
                    del self.keys[name]
                elif key.state == "Enabled" and key.next_rotation == self.now:
                    self._rotate_automatically(key)
        self.now = until

    def _events(self, key):
        if key.state == "PendingDeletion":
            return [key.deletion]
        return [key.next_rotation] if key.state == "Enabled" and key.next_rotation is not None else []

    def _rotate_automatically(self, key):
        key.materials.append((self.now, "AUTOMATIC"))
        key.next_rotation = self.now + key.period * DAY

    # ---- states

    def _manage(self, name, state):
        key = self.keys.get(name)
        if key is None:
            return "NotFoundException"
        if key.state == "PendingDeletion":
            return "KMSInvalidStateException"
        key.state = state
        if state == "Enabled" and key.next_rotation is not None and key.next_rotation <= self.now:
            self._rotate_automatically(key)  # it came due while the key was disabled
        return None

    def _use(self, name):
        key = self.keys.get(name)
        if key is None:
            return "NotFoundException"
        return {
            "Enabled": None,
            "Disabled": "DisabledException",
            "PendingDeletion": "KMSInvalidStateException",
        }[key.state]
