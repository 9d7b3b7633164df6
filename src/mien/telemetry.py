"""Logging: events with fields, one line each."""

import logging
import sys
from typing import Literal

import structlog


def set_up_logging(*, level: str = "INFO", form: Literal["console", "json"] = "console") -> None:
    """Send every log line, ours and the libraries', to standard error in one form.

    Args:
        level: "DEBUG", "INFO", "WARNING" or "ERROR".
        form: "console" for people, "json" for machines.
    """
    number = logging.getLevelNamesMapping()[level]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The prettier ones print local variables: tokens, SDP, pictures.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=False,  # tests capture logs
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in ("aiortc", "aioice"):
        # Below WARNING they write SDP, ICE passwords and every packet.
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in ("uvicorn.access", "uvicorn.error"):
        # Below WARNING they name the address of every client.
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
