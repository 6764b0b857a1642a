"""What the cores can do at most, measured: one large matrix product, by ONNX Runtime, in two sessions side by side.

And what a bundle's tagger asks of them.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from transforms.bundle import Bundle
from transforms.features import WindowTokens
from transforms.tagging import tag

_SIZE = 1024
_THREADS = 2
_SECONDS = 2.0


def arithmetic_peak() -> dict[str, float]:
    """Operations a second (a multiplication and an addition are two) of fp32 and of int8."""
    chooser = np.random.default_rng(0)
    square = (_SIZE, _SIZE)
    floats = [chooser.random(square, dtype=np.float32) for _ in range(2)]
    bytes_ = [chooser.integers(0, 255, square, dtype=np.uint8), chooser.integers(-127, 127, square, dtype=np.int8)]
    return {
        "fp32": _rate(
            _product("MatMul", TensorProto.FLOAT, TensorProto.FLOAT, floats[1], TensorProto.FLOAT), floats[0]
        ),
        "int8": _rate(
            _product("MatMulInteger", TensorProto.UINT8, TensorProto.INT8, bytes_[1], TensorProto.INT32), bytes_[0]
        ),
    }


def _product(kind: str, left: int, right: int, weights: np.ndarray, out: int) -> bytes:
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", left, weights.shape)],
        [helper.make_tensor_value_info("y", out, weights.shape)],
        [helper.make_tensor("w", right, weights.shape, weights.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = min(model.ir_version, 10)
    onnx.checker.check_model(model)
    return model.SerializeToString()  # type: ignore[no-any-return]


def _rate(model: bytes, x: np.ndarray) -> float:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [ort.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for _ in range(_THREADS)]
    for session in sessions:
        session.run(None, {"x": x})

    def work(session: ort.InferenceSession) -> int:
        runs, end = 0, time.perf_counter() + _SECONDS
        while time.perf_counter() < end:
            session.run(None, {"x": x})
            runs += 1
        return runs

    with ThreadPoolExecutor(_THREADS) as pool:
        begin = time.perf_counter()
        runs = sum(pool.map(work, sessions))
        return runs * 2 * _SIZE**3 / (time.perf_counter() - begin)


def operations(bundle: Bundle, batches: Iterable[Sequence[WindowTokens]]) -> int:
    """Operations of the matrix products that the tagger's graph runs for these windows, by ONNX Runtime's profile.

    Counted as it runs, since how much an encoder leaves out depends on what it reads.
    """
    options = ort.SessionOptions()
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/run"
        model = bundle.manifest.path / "model.onnx"
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        for windows in batches:
            tag(replace(bundle, tagger=session), windows)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    runs = [e["args"] for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    return sum(_multiplied(run) for run in runs if "MatMul" in run["op_name"])


def _multiplied(run: dict[str, Any]) -> int:
    """Of [..., M, K] by [..., K, N]: 2 · M · K · N for each of the leading dimensions."""
    left, out = (next(iter(run[side][0].values())) for side in ("input_type_shape", "output_type_shape"))
    return int(2 * math.prod(left) * out[-1])
