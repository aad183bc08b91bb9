"""The sealed store: everything that only the worker and the organizer may see.

`store` is the door: `with store.write() as tx:`; every other module has functions of that transaction.
"""
