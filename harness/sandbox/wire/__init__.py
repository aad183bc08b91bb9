"""The wire format: framed messages and arrays. The host reads them as typed messages."""
