"""The lessons, one file each: data only."""
