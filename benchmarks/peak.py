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
    """Operations a subtoken of the bundle's encoder, in texts of `length` subtokens: its products by int8 matrices, and
    those of attention. (The last layer leaves out what is no first subtoken of a word; that is not deducted.)"""
    graph = onnx.load(str(bundle.manifest.path / "model.onnx"), load_external_data=False).graph
    shapes = {matrix.name: list(matrix.dims) for matrix in graph.initializer}
    matrices = {
        node.name: shapes[node.input[1]]
        for node in graph.node
        if node.op_type == "MatMulInteger" and "/layers." in node.name
    }
    products: int = sum(rows * columns for rows, columns in matrices.values())
    attended: int = sum(columns for name, (_, columns) in matrices.items() if "/attention/query/" in name)
    return 2 * (products + 2 * attended * length)
