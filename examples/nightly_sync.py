"""Import tonight's stock, wait, and save the failed rows: python nightly_sync.py stock.csv"""

import sys
from datetime import date
from pathlib import Path

from sluice_client import Refused, Sluice

stock = Path(sys.argv[1])
sluice = Sluice()
try:
    # The date is the key: if the nightly run is started twice, the stock is still imported once.
    started = sluice.upload(stock, key=f"{stock.name} {date.today()}")
except Refused as refused:
    sys.exit(f"Refused: {refused}")
ended = sluice.wait(started)
print(ended["outcome"])
if ended["failed"]:
    sluice.download(ended["links"]["failedCsv"], stock.with_suffix(".failed.csv"))
sys.exit(ended["status"] != "COMPLETED")
