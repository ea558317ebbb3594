"""Webhooks and emails, sent from one outbox."""
