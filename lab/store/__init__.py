"""Records of runs on disk, written atomically: a file is complete or absent."""
