"""SQL on the sellers' listings."""
