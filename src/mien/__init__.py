"""mien: a self-hosted, consent-first live face platform."""
