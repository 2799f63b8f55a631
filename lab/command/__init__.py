"""What a user types: arguments in, a call out."""
