"""Training that begins from a bundle: what is taken over, and that it says what the bundle's int8 graph says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch", reason="the training extra is not installed: pip install -e '.[train]'")

from export_onnx.architectures.settling import LEAST  # noqa: E402
from export_onnx.beginning import encoder_config  # noqa: E402
from export_onnx.examples import LabelSpace  # noqa: E402
from export_onnx.recipes import prepare  # noqa: E402
from export_onnx.starting import Start, read_start, start_from  # noqa: E402
from export_onnx.training import Network  # noqa: E402
from tests.training_data import write_training_data  # noqa: E402
from transforms.bundle import SENTENCE_ENCODER, BundleError, load_bundle  # noqa: E402
from transforms.decoding import viterbi  # noqa: E402
from transforms.features import pad  # noqa: E402
from transforms.records import Document  # noqa: E402
from transforms.segmenting import segment  # noqa: E402

TEXT = "Ann Lee of Acme Shipping Ltd moved from Leeds to Oslo on 5 May 2024. Bo Ek leads the firm."


@pytest.fixture(scope="module")
def start() -> Start:
    return read_start("enterprise")


def network(start: Start, *layers: tuple[str, ...], relations: tuple[str, ...] = ()) -> Network:
    manifest, weights = start
    torch.manual_seed(1)
    made = Network(encoder_config(start), LabelSpace(layers, relations))
    start_from(made, manifest, weights)
    return made.eval()


@pytest.mark.parametrize("name", ["enterprise", "enterprise-wide"])
def test_what_is_taken_over_says_what_the_bundle_says(name: str) -> None:
    bundle, start = load_bundle(name), read_start(name)
    document = Document(Document.make_id("a", TEXT), "a", "txt", "", "en", TEXT)
    batch = pad(segment(document, bundle.tokenizer, bundle.window).windows)
    wanted, _ = bundle.tagger.run(
        None, {"ids": batch.ids, "shapes": batch.shapes, "mask": batch.mask, "starts": batch.starts}
    )
    tagger = network(start, bundle.types).tagger
    # Who settles is the one thing that is learned anew.
    settling = {name.removeprefix("tagger."): values for name, values in start[1].items() if "settling" in name}
    tagger.load_state_dict(settling, strict=False)
    inputs = [torch.from_numpy(part) for part in (batch.ids, batch.shapes, batch.mask, batch.starts)]
    with torch.inference_mode():
        found, _ = tagger(*inputs)
        doubt = tagger.encoder.word_states(*inputs).doubt
    assert (doubt is None) == (not settling) == (name == "enterprise-wide")
    # int8 rounds what goes into each product: a few hundredths of the largest score. On the verge, it settles a word.
    clear = np.ones(wanted.shape[:2], dtype=bool) if doubt is None else ((doubt - LEAST).abs() > 1).numpy()
    assert clear.mean() > 0.7
    assert np.abs(found.numpy() - wanted)[clear].max() < 0.1 * np.abs(wanted).max()
    # Of every word: where two labels are close, the CRF, which the int8 bundle brings along, decides.
    (crf,) = bundle.layers
    assert np.array_equal(*(viterbi(crf, scores, batch.words) for scores in (found.numpy(), wanted)))


def test_types_and_relations_of_the_same_name_are_taken_over(start: Start) -> None:
    manifest, weights = start
    made = network(start, ("Cargo", "Person"), ("Vessel",), relations=("CARRIES", "EMPLOYER"))
    theirs = ["O", *(f"{kind}-{name}" for name in manifest.get("types") for kind in "BI")]
    emission = made.tagger.emission.weight
    for ours, label in ((0, "O"), (3, "B-Person"), (4, "I-Person")):
        assert torch.equal(emission[ours], weights["tagger.emission.weight"][theirs.index(label)]), label
    known = weights["tagger.emission.weight"]
    assert not any(torch.equal(emission[ours], row) for ours in (1, 2, 5, 6, 7) for row in known)
    scores, known = made.relations.scores.weight, weights["relations.scores.weight"]
    assert torch.equal(scores[0], known[0])
    assert torch.equal(scores[2], known[1 + manifest.get("relations").index("EMPLOYER")])
    assert torch.equal(made.relations.inner.weight, weights["relations.inner.weight"])


def test_a_config_names_what_it_begins_from(tmp_path: Path) -> None:
    write_training_data(tmp_path)
    config = {"name": "mine", "version": 1, "start": "enterprise"}
    config["data"] = [{"name": "ours", "format": "conll", "train": "btc/b.conll"}]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(config))
    (tmp_path / "enterprise").mkdir()  # no bundle: a work folder, say
    prepared = prepare(path, None)
    assert prepared.start is not None
    assert prepared.recipe.depth == encoder_config(prepared.start)["num_hidden_layers"]
    path.write_text(yaml.safe_dump({**config, "start": "enterprize"}))
    with pytest.raises(BundleError, match=r"enterprize: no manifest\.json"):
        prepare(path, None)
    with pytest.raises(BundleError, match="not for 'structure'"):
        read_start(SENTENCE_ENCODER)
