"""The tests, which hash passwords cheaply."""

from argon2 import PasswordHasher

# Hashing is slow on purpose. This is set before the application makes its hasher, which keeps to the defaults.
PasswordHasher.__init__.__defaults__ = (1, 8, 1, *PasswordHasher.__init__.__defaults__[3:])
