"""The tests, which hash passwords cheaply, and collect garbage less often, which saves a twentieth."""

import gc

from argon2 import PasswordHasher

# Before the application is imported, which makes many objects and hardly any garbage.
gc.set_threshold(100_000, 20, 100)
# Hashing is slow on purpose. This is set before the application makes its hasher, which keeps to the defaults.
PasswordHasher.__init__.__defaults__ = (1, 8, 1, *PasswordHasher.__init__.__defaults__[3:])
