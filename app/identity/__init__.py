"""Who may sign in and how: sellers, their passwords, sessions and API tokens."""
