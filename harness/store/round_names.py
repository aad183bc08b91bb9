"""How people name a round: by its name, which means the version added last, or as "NAME@VERSION"."""

__all__ = ["split_version", "with_version"]


def split_version(name: str) -> tuple[str, str | None]:
    """Return name and version of a round as somebody wrote it; no name has an "@" in it."""
    bare, _, version = name.partition("@")
    return bare, version or None


def with_version(name: str, version: str) -> str:
    """Return the name that means this version, whatever is added later."""
    return f"{name}@{version}"
