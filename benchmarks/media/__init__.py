"""The media plane by itself: encoders, what comes in, what goes out."""
