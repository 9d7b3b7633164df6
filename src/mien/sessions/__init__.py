"""What the product does, free of HTTP, SQL and cluster."""
