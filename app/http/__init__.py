"""What pages and API share: files on their way in and out, and filters in addresses."""
