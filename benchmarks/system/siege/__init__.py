"""What a live broadcast loses while the server is attacked."""
