"""Who runs what where: worker processes, several hosts, Ray."""
