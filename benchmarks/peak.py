"""What the cores can do at most, measured: one large matrix product, by ONNX Runtime, in two sessions side by side."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from transforms.bundle import Bundle

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


def operations(bundle: Bundle, length: float) -> float:
    """Operations a subtoken of the bundle's encoder (BERT, 6 layers, 384 wide), in texts of `length` subtokens."""
    layers, hidden, inner = 6, 384, 1536
    products = 4 * hidden * hidden + 2 * hidden * inner
    attention = 2 * hidden * length
    return 2 * layers * (products + attention)
