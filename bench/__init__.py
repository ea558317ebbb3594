"""``make bench``: measures what Sluice promises about speed and memory, on services that it starts itself."""
