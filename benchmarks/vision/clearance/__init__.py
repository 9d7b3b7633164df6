"""Who is shown, how soon, and whether a stranger ever is."""
