"""What a cover tells about the face under it."""
