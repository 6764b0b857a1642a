"""The command line of training: `python -m export_onnx train CONFIG.yaml` and its sisters (docs/training.md)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    """Parse the command line and run one step."""
    options = _parser().parse_args()
    try:
        print(_run(options))
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"python -m export_onnx: no module {error.name!r}; install the training extra: pip install -e '.[train]'"
        ) from error
    except (OSError, ValueError) as error:
        raise SystemExit(f"python -m export_onnx: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export_onnx", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train, export, quantize and check a bundle; resumes where it stopped")
    export = commands.add_parser("export", help="the bundle of the last epoch that `train` finished")
    evaluate = commands.add_parser("evaluate", help="score a bundle on the dev or test parts of a config's data")
    typing = commands.add_parser("typing", help="train and export the tower that tells subtypes by their descriptions")
    encoder = commands.add_parser("sentence-encoder", help="export the encoder that linking uses")
    card = commands.add_parser("card", help="write a bundle's model card anew from its manifest")
    for command in (train, export, evaluate, typing):
        command.add_argument("config", type=Path)
        command.add_argument("--data", type=Path, help="folder that the config's paths start from (default: its own)")
    for command in (train, export, encoder):
        command.add_argument("--work", type=Path, default=Path("build"), help="checkpoints and fp32 graphs")
    for command in (train, export, encoder, typing):
        command.add_argument("--target", type=Path, help="folder of the bundle (default: among the shipped ones)")
    for command in (train, export):
        command.add_argument("--seed", type=int, help="instead of the config's")
    evaluate.add_argument("--part", choices=("dev", "test"), default="dev")
    for command in (evaluate, card):
        command.add_argument("bundle", type=Path)
    return parser


def _run(options: argparse.Namespace) -> object:
    if options.command == "card":
        from export_onnx.card import write_card

        return write_card(options.bundle)
    if options.command == "typing":
        from export_onnx.typing import build_typing_bundle

        return build_typing_bundle(options.config, options.data, options.target)
    from export_onnx import recipes

    if options.command == "sentence-encoder":
        return recipes.build_sentence_encoder(options.work, options.target)
    if options.command == "evaluate":
        scores = recipes.evaluate(options.config, options.data, options.bundle, options.part)
        return json.dumps(scores, indent=1)
    name = options.config.stem if options.seed is None else f"{options.config.stem}-{options.seed}"
    step = recipes.build if options.command == "train" else recipes.export
    return step(options.config, options.data, options.work / name, options.target, options.seed)


if __name__ == "__main__":
    main()
