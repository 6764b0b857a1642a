"""The command line of training: `python -m export_onnx train CONFIG.yaml` and its sisters."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

DATA = Path("../shared/data/open")


def main() -> None:
    """Parse the command line and run one recipe."""
    parser = argparse.ArgumentParser(prog="python -m export_onnx", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train, export, quantize and check a bundle; resumes where it stopped")
    train.add_argument("config", type=Path)
    train.add_argument("--data", type=Path, default=DATA, help="folder of the training sets (default: %(default)s)")
    encoder = commands.add_parser("sentence-encoder", help="export the encoder that linking uses")
    card = commands.add_parser("card", help="write a bundle's model card anew from its manifest")
    card.add_argument("bundle", type=Path)
    for command in (train, encoder):
        command.add_argument("--work", type=Path, default=Path("build"), help="checkpoints and fp32 graphs")
        command.add_argument("--target", type=Path, help="folder of the bundle (default: where the shipped one lies)")
    options = parser.parse_args()
    if options.command == "card":
        from export_onnx.card import model_card

        manifest = json.loads((options.bundle / "manifest.json").read_text(encoding="utf-8"))
        (options.bundle / "MODEL_CARD.md").write_text(model_card(manifest), encoding="utf-8")
        return
    try:
        print(_build(options))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{parser.prog}: {error}") from error


def _build(options: argparse.Namespace) -> Path:
    from export_onnx import recipes

    if options.command == "train":
        work = options.work / options.config.stem
        return recipes.build_structure_bundle(options.config, options.data, work, options.target)
    return recipes.build_sentence_encoder(options.work, options.target)


if __name__ == "__main__":
    main()
