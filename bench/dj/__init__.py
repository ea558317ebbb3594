"""A Django project that imports the same files with django-import-export; it shares nothing with Sluice."""
