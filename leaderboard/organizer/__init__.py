"""The organizer's view: a separate process, the only web server that opens the sealed store."""
