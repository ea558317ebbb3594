"""The view models of an import for pages and API: progress, errors, downloads."""
