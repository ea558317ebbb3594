"""The file: its contract, its reader, its validator and the upload check. Pure: no Flask, no SQL, no Redis."""
