"""The command `mien`, which at its end writes to a file what held its event loop for how many milliseconds of CPU.

python -m benchmarks.system.siege.held_serve FILE serve --port 8000
"""

import json
import sys
from pathlib import Path

from mien.cli import main
from support.held import noting_what_holds_the_loop

if __name__ == "__main__":
    out = Path(sys.argv.pop(1))
    with noting_what_holds_the_loop() as held:
        try:
            main()
        finally:
            worst = sorted(held.worst.items(), key=lambda each: -each[1])
            told = {name: round(took * 1e3, 1) for name, took in worst[:8]}
            out.write_text(json.dumps({"held_ms": told, "collected_ms": round(held.collected_s * 1e3, 1)}))
