"""The demo: its seller, a small catalog, files to try, and the sample that goes with them."""

from pathlib import Path

DEMO_EMAIL = "demo@sluice.example"
DEMO_PASSWORD = "sluice-demo"
DEMO_CATALOG = Path(__file__).with_name("catalog.csv")
