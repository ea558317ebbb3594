"""SQL on webhooks, emails and their outbox."""
