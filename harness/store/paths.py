"""Where the files of an arena lie, and which of them only the worker may open."""

from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

__all__ = ["DEFAULT_HOME", "HOME_VARIABLE", "ArenaPaths"]

HOME_VARIABLE = "GRADFREE_HOME"
"""Environment variable that names the arena folder; the command line reads it."""

DEFAULT_HOME = Path(".gradfree")

_OWNER_ONLY_FOLDER = 0o700
_OWNER_ONLY_FILE = 0o600


@dataclass(frozen=True, slots=True)
class ArenaPaths:
    """The folder of one arena: two databases, and the worker's own files.

    The leaderboard is handed `public_db` and nothing else. `sealed_db` and everything under
    `sealed` can be read by their owner alone.

    Attributes:
        home: the arena folder.
    """

    home: Path

    @property
    def sealed_db(self) -> Path:
        """The worker's database: labels' consequences, private scores, the queue, the audit."""
        return self.home / "sealed.db"

    @property
    def public_db(self) -> Path:
        """What everybody may see; derived from `sealed_db`, can be deleted and published again."""
        return self.home / "public.db"

    @property
    def sealed(self) -> Path:
        """Folder of the worker's files, mode 0700."""
        return self.home / "sealed"

    @property
    def submissions(self) -> Path:
        """Accepted submissions, one folder per content digest."""
        return self.sealed / "submissions"

    @property
    def artifacts(self) -> Path:
        """One JSON document per finished attempt."""
        return self.sealed / "artifacts"

    @property
    def attempts(self) -> Path:
        """Journals and logs of attempts."""
        return self.sealed / "attempts"

    @property
    def organizer_token(self) -> Path:
        """The password of the organizer's view; made by it, mode 0600."""
        return self.sealed / "organizer-token"

    @property
    def spool(self) -> Path:
        """Where the leaderboard may drop uploads; read by the worker as untrusted input."""
        return self.home / "spool"

    def create(self) -> None:
        """Make the folders, private from the first moment. Existing ones are kept and closed again.

        Raises:
            UsageError: a folder cannot be made or changed.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            for folder in (self.sealed, self.submissions, self.artifacts, self.attempts):
                folder.mkdir(mode=_OWNER_ONLY_FOLDER, exist_ok=True)
                folder.chmod(_OWNER_ONLY_FOLDER)
        except OSError as error:
            raise self._unusable(error) from error

    def create_sealed_db(self) -> None:
        """Make the empty file of the sealed store, private before SQLite opens it.

        Its write-ahead log takes over its mode.

        Raises:
            UsageError: the file cannot be made or changed.
        """
        try:
            self.sealed_db.touch(mode=_OWNER_ONLY_FILE, exist_ok=True)
            self.sealed_db.chmod(_OWNER_ONLY_FILE)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> UsageError:
        return UsageError(
            f"the arena folder {self.home} cannot be used: {error.strerror or error}; "
            f"choose another one with --home or {HOME_VARIABLE}"
        )
