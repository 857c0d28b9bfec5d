"""`gmmcli inspect`: a model in words and tables."""

from __future__ import annotations

from gmmcli.cli import messages, options


def inspect(model: options.ModelPath, as_json: options.Json = False) -> None:
    """Show a model: its components and what the fit said of itself.

    gmmcli inspect model.json
    """
    import sys

    from gmmcli.cli.reading import load_model
    from gmmcli.report.models import json_text, model_document, print_model

    loaded = load_model(model)
    if as_json:
        sys.stdout.write(json_text(model_document(loaded)))
    else:
        remarks = {key: loaded.summary.get(key, []) for key in ("warnings", "notes")}
        print_model(loaded, remarks, messages.page(sys.stdout))
