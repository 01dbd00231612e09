"""The direct packages of the images, to the version.

What these need in turn is not pinned: pip picks it when an image is built.

Source: the set that the tests of this release passed with, and that resolves together (November 2026).
"""

from __future__ import annotations

PYTHON = "3.11"
"""The Python of the images, which is the one that the pins were resolved for."""

BASE = (
    "pluggy==1.7.0",
    "attrs==26.1.0",
    "cattrs==26.2.1",
    "numpy==2.4.6",
    "safetensors==0.8.0",
    "huggingface-hub==2.4.0",
    "typer==0.29.2",
    "rich==15.0.0",
    "google-genai==3.6.1",
    "openai==3.57.0",
    "litellm==1.110.2",
    "fastapi==0.165.0",
)
"""What routesdk itself, an oracle over providers, and the web endpoint need."""

TRAINING = (
    "torch==2.13.0",
    "transformers==5.24.0",
    "tokenizers==0.23.3",
    "trl==1.16.0",
    "peft==0.21.2",
    "bitsandbytes==0.50.2",
    "accelerate==1.15.0",
    "datasets==5.2.0",
    "sentence-transformers==6.2.0",
    "onnxruntime==1.32.0",
)
"""What training, and models on the machine itself, need on top of it."""
