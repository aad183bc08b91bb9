"""The organizer's view: a process of its own, the only one of the web that opens the sealed store."""
