"""What sellers and programs are shown of an import: progress, errors, downloads."""
