"""The demo: a small catalog, files to try, and the sample that goes with them."""
