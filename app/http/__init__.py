"""Shared by pages and API: streaming uploads and downloads, and filters in addresses."""
