"""What a mosaic leaves bare, on clips whose faces are known."""
