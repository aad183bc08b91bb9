"""One function of the sealed store in a transaction of its own."""


def write(store, act, *arguments, **options):
    """Return what `act(tx, ...)` returns in a writing transaction."""
    with store.write() as tx:
        return act(tx, *arguments, **options)


def read(store, act, *arguments, **options):
    """Return what `act(tx, ...)` returns in a reading transaction."""
    with store.read() as tx:
        return act(tx, *arguments, **options)
