"""Adapters that keep what must outlive the process."""
