"""``make fuzz``: unexpected inputs for the code that reads files. What it finds becomes a test."""
