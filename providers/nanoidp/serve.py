"""nanoidp as it serves itself, with a request log: run by the Python that nanoidp is installed in."""

from __future__ import annotations

import json
import os
from pathlib import Path

from nanoidp.app import create_app
from werkzeug.serving import WSGIRequestHandler

LOG = Path(os.environ["NANOIDP_LOG"]).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115  open as long as it serves


class LoggingHandler(WSGIRequestHandler):
    """Writes a line for each request that was answered."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002  the base's parameters
        """One JSON object: method, path, status, who asked."""
        path, agent = self.path.partition("?")[0], self.headers.get("User-Agent", "")
        row = {"method": self.command, "path": path, "status": int(code), "agent": agent}
        LOG.write(json.dumps(row) + "\n")


create_app(os.environ["NANOIDP_CONFIG_DIR"], strict_config=True).run(
    host="127.0.0.1", port=int(os.environ["NANOIDP_PORT"]), threaded=True, request_handler=LoggingHandler
)
