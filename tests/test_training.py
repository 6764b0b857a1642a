"""The training library: what the losses say, what the readers make of the sets, and one recipe from end to end."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch", reason="the training extra is not installed: pip install -e '.[train]'")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from export_onnx.architectures.crf import Crf, bio_labels  # noqa: E402
from export_onnx.card import CARD, write_card  # noqa: E402
from export_onnx.config import ConfigError, Part, Source, read_recipe  # noqa: E402
from export_onnx.data import load  # noqa: E402
from export_onnx.documents import count_found  # noqa: E402
from export_onnx.evaluation import Counts, paired, tune_thresholds  # noqa: E402
from export_onnx.examples import Fact  # noqa: E402
from export_onnx.export import quantize  # noqa: E402
from export_onnx.formats import redocred  # noqa: E402
from export_onnx.recipes import evaluate, export, prepare  # noqa: E402
from export_onnx.training import adaptive_threshold_loss  # noqa: E402
from tests.conftest import ROOT  # noqa: E402
from tests.training_data import redocred_document, write_training_data  # noqa: E402
from transforms.bundle import BUNDLES, SENTENCE_ENCODER, TYPING, BundleError, load_bundle, verify  # noqa: E402
from transforms.extracting import extract  # noqa: E402
from transforms.schema import load_schema  # noqa: E402

CONFIGS = ROOT / "export_onnx" / "configs"
ENTERPRISE = CONFIGS / "enterprise-wide.yaml"
RECIPES = [p for p in sorted(CONFIGS.rglob("*.yaml")) if not p.name.endswith(".schema.yaml") and p.stem != "typing"]


@pytest.mark.parametrize("config", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_in_the_repository_is_read_and_its_bundle_is_the_same_version(config: Path) -> None:
    recipe = read_recipe(config)
    assert recipe.name == config.stem
    if (BUNDLES / recipe.name).exists():
        assert verify(BUNDLES / recipe.name).model == f"{recipe.name}@{recipe.version}"
    else:
        assert config.parent.name == "benchmarks"


def test_crf_loss_marginalises_over_what_the_annotation_leaves_open() -> None:
    torch.manual_seed(1)
    labels = bio_labels(["A", "B"])
    crf = Crf(labels)
    torch.nn.init.normal_(crf.start)
    torch.nn.init.normal_(crf.moves)
    emissions = torch.randn(1, 3, len(labels))
    allowed = torch.zeros(1, 3, len(labels), dtype=torch.bool)
    allowed[0, 0, [0, 1]] = allowed[0, 1, [0, 2, 3]] = allowed[0, 2, 0] = True
    start, moves = crf.scores()
    scores = {
        path: start[path[0]]
        + sum(emissions[0, word, label] for word, label in enumerate(path))
        + sum(moves[a, b] for a, b in itertools.pairwise(path))
        for path in itertools.product(range(len(labels)), repeat=3)
    }
    fits = [path for path in scores if all(allowed[0, word, label] for word, label in enumerate(path))]
    assert len(fits) == 6
    everything = torch.logsumexp(torch.stack(list(scores.values())), 0)
    wanted = everything - torch.logsumexp(torch.stack([scores[path] for path in fits]), 0)
    assert crf.loss(emissions, allowed, torch.tensor([3])).item() == pytest.approx(wanted.item(), abs=1e-4)


def test_adaptive_threshold_loss_leaves_unclear_labels_out() -> None:
    logits = torch.tensor([[0.5, 2.0, -1.0, 7.0]])
    holds_one, third_unclear = torch.tensor([[1, 0, -1]]), logits.clone()
    third_unclear[0, 3] = -3.0
    loss = adaptive_threshold_loss(logits, holds_one)
    # ATLOP, equations 6 to 8: the relation above the threshold, the threshold above what does not hold.
    above = -torch.log_softmax(torch.tensor([0.5, 2.0]), 0)[1]
    below = -torch.log_softmax(torch.tensor([0.5, -1.0]), 0)[0]
    assert loss.item() == pytest.approx((above + below).item(), abs=1e-5)
    assert adaptive_threshold_loss(third_unclear, holds_one).item() == pytest.approx(loss.item(), abs=1e-5)


def test_facts_come_down_to_the_mentions_that_state_them() -> None:
    example = redocred.example(redocred_document())
    spans = [example.text[span.start : span.end] for span in example.spans]
    assert spans == ["Ann Lee", "Rome", "Bo Ek"]
    # P25 is "mother": turned around, it is PARENT_OF. Where Bo Ek was born is not said of these mentions.
    assert set(example.relations) == {(0, "BORN_IN", 1), (0, "PARENT_OF", 2)}
    assert set(example.unclear) == {(2, "BORN_IN", 1)}
    # A recipe for whole documents learns it nevertheless.
    inferred = redocred.example(redocred_document(), inferred=True)
    assert set(inferred.relations) == {*example.relations, (2, "BORN_IN", 1)}
    assert not inferred.unclear


def test_a_label_that_means_several_types_stays_open_between_them(tmp_path: Path) -> None:
    sets, _ = load(read_recipe(ENTERPRISE), write_training_data(tmp_path), load_schema())
    (filing, *_) = next(s.train for s in sets if s.source.name == "sec_filings")
    misc = [span for span in filing.spans if filing.text[span.start : span.end] == "Big Deal"]
    assert misc
    assert all(span.types == {"Product", "Event", "Other"} and span.known for span in misc)
    # A role that the set tags as a person may be one, or no name at all.
    assert any(not span.known for span in filing.spans if filing.text[span.start : span.end] == "Borrower")


def test_missing_data_are_said_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "export_onnx", "train", str(ENTERPRISE), "--data", str(tmp_path / "nowhere")]
    done = subprocess.run([*command, "--work", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "nowhere" in done.stderr
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_would_stop_a_training_or_its_export_stops_it_before(tmp_path: Path) -> None:
    ends = [{"start": 0, "end": 3, "label": "Person"}, {"start": 7, "end": 11, "label": "Firm"}]
    line = {"text": "Ann at Acme", "entities": ends, "relations": [{"head": 0, "label": "works-for", "tail": 1}]}
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(line)}\n" * 20)

    def prepared(**fields: object) -> object:
        source = {"name": "ours", "format": "jsonl", "train": "a.jsonl"}
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump({"name": "mine", "version": 1, "data": [source], **fields}))
        return prepare(config, None)

    with pytest.raises(ValueError, match=r"relation 'works-for'.*give it another under 'rename'"):
        prepared()
    rename = {"works-for": "WORKS_FOR"}
    assert prepared(rename=rename)
    with pytest.raises(ConfigError, match="field 'window': the encoder reads 512 subtokens"):
        prepared(rename=rename, window=1024)
    with pytest.raises(ValueError, match="field 'relations': no example has 'FOUNDED'; take it out"):
        prepared(rename=rename, relations=["WORKS_FOR", "FOUNDED"])


def test_the_card_is_written_anew_from_the_manifest(tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(TYPING, tmp_path / "typing"))
    card = (bundle / CARD).read_text(encoding="utf-8")
    (bundle / CARD).unlink()
    assert write_card(bundle).read_text(encoding="utf-8") == card
    with pytest.raises(BundleError, match="a bundle for 'sentence-encoder'"):
        write_card(SENTENCE_ENCODER)


def test_one_command_trains_exports_and_checks_a_bundle_that_runs(tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "open")
    config = tmp_path / "tiny.yaml"
    recipe = yaml.safe_load(ENTERPRISE.read_text(encoding="utf-8"))
    recipe |= {"name": "tiny", "version": "1", "epochs": 1, "warmup": 2}
    recipe["data"][0] |= {"most": 24, "repeat": 1}
    config.write_text(yaml.safe_dump(recipe))
    target = tmp_path / "bundle"
    command = [sys.executable, "-m", "export_onnx", "train", str(config), "--data", str(data)]
    command += ["--work", str(tmp_path / "work"), "--target", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    bundle = load_bundle(target)
    assert bundle.manifest.model == "tiny@1"
    assert abs(bundle.manifest.content["metrics"]["int8"]["entities"] - _fp32(target)) <= 10
    assert "## Entities" in (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    (found,) = extract(["Ann Lee visited Rome."], bundle)
    assert found.resolved.analysis.model == "tiny@1"
    # Run again, it finds its finished epoch and only exports.
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert again.returncode == 0, again.stderr
    assert "epoch 1/1" in done.stderr
    assert "epoch 1/1" not in again.stderr
    assert "checkpoint.pt: epoch 1 of 1, of the same recipe and data; training is done; delete" in again.stderr
    assert (target / "model.onnx").read_bytes()
    assert load_bundle(target).manifest.content["files"] == bundle.manifest.content["files"]


def _fp32(folder: Path) -> float:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return float(manifest["metrics"]["fp32"]["entities"])


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: annotated lines, and the config that trains on them."""
    folder = tmp_path_factory.mktemp("own")
    people, firms = ("Ann Lee", "Bo Ek", "Carla Diaz", "Dan Moor"), ("Acme", "Bolt Works", "Cog", "Dyno Labs")
    lines = []
    for number in range(40):
        person, firm = people[number % 4], firms[number // 4 % 4]
        text = f"{person} works for {firm} and likes tea."
        start = text.index(firm)
        spans = [(0, len(person), "Person"), (start, start + len(firm), "Start-up")]
        entities = [{"start": a, "end": b, "label": label} for a, b, label in spans]
        relation = {"head": 0, "label": "WORKS_FOR", "tail": 1}
        lines.append(json.dumps({"text": text, "entities": entities, "relations": [relation]}))
    (folder / "train.jsonl").write_text("\n".join(lines))
    (folder / "mine.yaml").write_text(
        "name: mine\nversion: 1\nepochs: 12\nwarmup: 5\nbudget: 128\nhead_rate: 0.003\n"
        "data:\n  - {name: ours, format: jsonl, train: train.jsonl}\n"
    )
    done = subprocess.run(training(folder, "undisturbed"), cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return folder


def training(folder: Path, name: str) -> list[str]:
    command = [sys.executable, "-m", "export_onnx", "train", str(folder / "mine.yaml")]
    return [*command, "--work", str(folder / f"{name}-work"), "--target", str(folder / name)]


def test_a_users_own_data_make_a_bundle_with_its_own_schema(own: Path) -> None:
    (found,) = extract(["Dan Moor works for Cog and likes tea."], own / "undisturbed")
    names = {entity.id: (entity.name, entity.type) for entity in found.resolved.entities}
    assert [(names[s.head], s.relation, names[s.tail]) for s in found.statements] == [
        (("Dan Moor", "Person"), "WORKS_FOR", ("Cog", "Start_up"))
    ]
    command = [sys.executable, "-m", "export_onnx", "evaluate", str(own / "mine.yaml"), str(own / "undisturbed")]
    refused = subprocess.run([*command, "--part", "test"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert "no set names files under 'test'" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("name", "then", "now"),
    [("merge", "6", "2"), ("layers", r"\(\('Person', 'Start-up'\),\)", "[[Person], [Start-up]]")],
)
def test_what_was_trained_otherwise_is_not_exported(own: Path, tmp_path: Path, name: str, then: str, now: str) -> None:
    config = own / "changed.yaml"
    config.write_text(f"{(own / 'mine.yaml').read_text()}{name}: {now}\n")
    with pytest.raises(ConfigError, match=rf"changed\.yaml: field '{name}': .* was trained with {then}.*run `train`"):
        export(config, None, own / "undisturbed-work" / "mine", tmp_path)


def test_a_mention_with_a_word_too_many_is_right_in_part(own: Path) -> None:
    entities = [{"start": 4, "end": 8, "label": "Person"}, {"start": 19, "end": 22, "label": "Start-up"}]
    line = {"text": "Dan Moor works for Cog and likes tea.", "entities": entities}
    (own / "test.jsonl").write_text(json.dumps(line))
    config = own / "scored.yaml"
    sets = [{"name": "ours", "format": "jsonl", "train": "train.jsonl", "test": "test.jsonl"}]
    config.write_text(yaml.safe_dump({"name": "scored", "version": 1, "data": sets}))
    scores = evaluate(config, None, own / "undisturbed", "test")["ours"]
    assert scores["entities"]["all"]["f1"] == 50.0
    assert scores["overlaps"] == [{"precision": 83.3, "recall": 83.3, "f1": 83.3, "support": 2}]  # 2/3 and 1


def test_a_reduced_range_leaves_the_weights_a_bit_less(own: Path, tmp_path: Path) -> None:
    widest = []
    for reduced in (False, True):
        quantize(own / "undisturbed-work" / "mine" / "fp32" / "model.onnx", tmp_path / "model.onnx", reduced)
        arrays = map(numpy_helper.to_array, onnx.load(str(tmp_path / "model.onnx")).graph.initializer)
        widest.append(max(int(np.abs(array.astype(int)).max()) for array in arrays if array.dtype == np.int8))
    assert widest == [127, 64]


def test_training_that_is_killed_ends_as_if_it_had_not_been(own: Path) -> None:
    with subprocess.Popen(training(own, "killed"), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while not list(own.glob("killed-work/mine/checkpoint.pt")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
    again = subprocess.run(training(own, "killed"), cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert again.returncode == 0, again.stderr
    assert "epoch 1/12" not in again.stderr
    assert "of 12, of the same recipe and data; training goes on from there" in again.stderr
    assert "epoch 12/12" in again.stderr
    manifests = [load_bundle(own / name).manifest.content for name in ("undisturbed", "killed")]
    assert manifests[0] == manifests[1]


def test_facts_of_a_document_and_their_sentences_are_scored(tmp_path: Path) -> None:
    """Re-DocRED's facts hold of entities; a pair of near mentions is found, one of far mentions is missed."""
    path = tmp_path / "documents.json"
    path.write_text(json.dumps([redocred_document()]))
    (example,) = redocred.read(path, Source("redocred", "redocred", Part((path.name,))))
    assert [[example.text[a:b] for a, b in mentions] for mentions in example.entities] == [
        ["Ann Lee"],
        ["Rome"],
        ["Bo Ek"],
    ]
    assert example.facts == (
        Fact(0, "BORN_IN", 1, frozenset({0})),
        Fact(0, "PARENT_OF", 2, frozenset({0, 1})),
        Fact(2, "BORN_IN", 1),
    )
    facts, evidence = Counts(), Counts()
    found = {
        (0, "BORN_IN", 1): (0.5, frozenset({0, 1})),  # one sentence too many
        (2, "BORN_IN", 1): (0.5, frozenset({1})),  # of this the set gives no evidence
        (1, "BORN_IN", 0): (0.5, frozenset({1})),  # wrong
    }
    count_found(example, found, facts, evidence)
    assert (facts.right, facts.found, facts.true) == (2, 3, 3)
    assert (evidence.right, evidence.found, evidence.true) == (1, 3, 3)


def test_mentions_pair_with_what_shares_most_words_of_their_type() -> None:
    breach, person = frozenset({"Databreach"}), frozenset({"Person"})
    gold = [(0, 3, breach), (4, 6, breach), (8, 9, person), (10, 12, person)]
    found = [(2, 5, "Databreach"), (4, 6, "Databreach"), (8, 9, "Time"), (10, 12, "Person"), (11, 12, "Person")]
    # The second takes what it equals, though the first of what is found overlaps it too; "Time" is no person.
    assert paired(gold, found) == {0: (0, 2 / 6), 1: (1, 1.0), 3: (3, 1.0)}


def test_no_threshold_lies_below_the_models_own() -> None:
    margins, targets = np.array([[-1.0]] * 10), np.array([[1]] * 10)
    assert tune_thresholds((margins, targets), ["R"], 50.0) == {"R": 0.0}
