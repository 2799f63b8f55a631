"""The networks of the zoo, one file a family."""
