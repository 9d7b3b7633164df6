"""What the product does, free of HTTP, SQL and cluster.

Each room of it is one subject. It may import `media`, `registry`, `inference` and `vision`, and nothing above.
"""
