"""What viewers see on bad lines, and how soon they see anything."""
