"""SQL on webhooks, e-mails and their outbox."""
