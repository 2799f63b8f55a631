"""The answers to the lecture's claims: which rows are evidence, what they say, and the ledger of all."""
