"""Fix it here: failed rows are corrected group by group or cell by cell, and taken up by a new import."""
