"""A self-hosted, consent-first live face platform."""
