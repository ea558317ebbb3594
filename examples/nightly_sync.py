"""Import the stock of tonight, wait, and keep the rows that failed: python nightly_sync.py stock.csv"""

import sys
from datetime import date
from pathlib import Path

from sluice_client import Refused, Sluice

stock = Path(sys.argv[1])
sluice = Sluice()
try:
    # The day is the key: should the night's run be started twice, the stock is still imported once.
    started = sluice.upload(stock, key=f"{stock.name} {date.today()}")
except Refused as refused:
    sys.exit(f"Refused: {refused}")
ended = sluice.wait(started)
print(ended["outcome"])
if ended["failed"]:
    sluice.download(ended["links"]["failedCsv"], stock.with_suffix(".failed.csv"))
sys.exit(ended["status"] != "COMPLETED")
