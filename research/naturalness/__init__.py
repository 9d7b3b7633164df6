"""What the measure of a face's naturalness sees of damage done on purpose."""
