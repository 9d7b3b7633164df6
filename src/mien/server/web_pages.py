"""The pages that npm built, written as the client reaches them."""

from pathlib import Path


class WebPages:
    """Reads built pages.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str, *, home: str) -> str | None:
        """Return a page as HTML, the first page where there is none of that name; None where nothing is built.

        Args:
            name: The page's name, as in "live".
            home: Where this server's paths begin for the client.
        """
        for file in (self._folder / f"{name}.html", self._folder / "index.html"):
            if file.is_file():
                # The build leaves paths relative to the page (vite's `base`), which may lie deeper than it knows.
                text = file.read_text().replace('="./', f'="{home}')
                return text.replace("<head>", f'<head>\n    <meta name="mien-home" content="{home}">', 1)
        return None
