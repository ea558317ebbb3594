"""What leaves Sluice by itself: webhooks and e-mails, out of one outbox."""
