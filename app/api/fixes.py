"""Fix it here, for programs: what is open of the failed rows, answers about them, and the import of corrected rows."""

from __future__ import annotations
