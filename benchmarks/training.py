"""Supervised fine-tuning by `qlora-sft` beside a plain TRL script with the same settings: speed and memory.

    python benchmarks/training.py --base-model FOLDER_OR_ID [--rows 96] [--pairs 3] [--loss completion]

Both learn the same rows with the same adapter, step size, rows per pass and precision, each in a process of
its own, in turn. The speed is that of the steps after the first, in rows a second; memory is the peak of the
process, or of the GPU where there is one. Rows are recorded SimpleQA (ROUTESDK_DATA, or ../shared/data).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from shared_sets import PAIRS, find_data, load_sets

from routesdk import PluginHost
from routesdk.dataset import write_examples
from routesdk.pipeline.prepare import prepare, turns
from routesdk.types import Dataset, TrainJob

PAIR = PAIRS[0]
BATCH, RANK, ALPHA = 16, 16, 32
HELD = 16


def main() -> int:
    """Run both in turn, and print medians and the ratio."""
    options = _options()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options)))
        return 0
    data = find_data()
    if data is None:
        print("The shared sets are absent: set ROUTESDK_DATA to their folder.", file=sys.stderr)
        return 1
    rows = load_sets(data)[PAIR.dataset][: options.rows + HELD]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_examples(folder / "train.jsonl", rows[: options.rows])
        write_examples(folder / "validation.jsonl", rows[options.rows :])
        found: dict[str, list[dict[str, float]]] = {child: [] for child in CHILDREN}
        for _ in range(options.pairs):
            for child, results in found.items():
                results.append(_run(child, options, folder))
    for child, results in found.items():
        speed, memory = (
            statistics.median(each[key] for each in results) for key in ("rows_per_s", "peak_mb")
        )
        print(f"{child:8} {speed:8.3f} rows/s  {memory:8.0f} MiB  loss {results[0]['loss']:.4f}")
    ratios = [
        ours["rows_per_s"] / plain["rows_per_s"]
        for ours, plain in zip(found["routesdk"], found["trl"], strict=True)
    ]
    print(f"speed, routesdk / TRL: {statistics.median(ratios):.2f} of {len(ratios)} pairs")
    return 0


def routesdk_run(options: argparse.Namespace) -> dict[str, float]:
    """Train with the trainer `qlora-sft`."""
    folder = Path(options.folder)
    stamps: list[tuple[float, float]] = []
    trainer = PluginHost().trainer(
        "qlora-sft",
        base_model=options.base_model,
        epochs=1.0,
        balance="none",
        batch_size=BATCH,
        micro_batch=options.micro_batch,
        qlora={"rank": RANK, "alpha": float(ALPHA), "bits": options.bits},
        loss=options.loss,
        evaluations=1,
        saves=1,
        learning_rate=1e-4,
    )
    output = folder / f"out-{time.monotonic_ns()}"
    output.mkdir()
    from routesdk.types import TrainProgress

    def listen(progress: TrainProgress) -> None:
        stamps.append((time.perf_counter(), progress.loss or 0.0))

    job = TrainJob(
        train=(_dataset(folder / "train.jsonl"),),
        validation=(_dataset(folder / "validation.jsonl"),),
        output=output,
        listen=listen,
    )
    trainer.train(job)
    return _figures(stamps)


def trl_run(options: argparse.Namespace) -> dict[str, float]:
    """Train with TRL's SFTTrainer as its documentation shows: conversations in, the rest by default."""
    import datasets
    import peft
    import torch
    import transformers
    import trl

    folder = Path(options.folder)
    host = PluginHost()
    prepared = prepare(
        (_dataset(folder / "train.jsonl"),),
        (_dataset(folder / "validation.jsonl"),),
        matrix=host.matrix("nine-cell"),
        analyst=host.analyst("heuristic"),
        balance="none",
    )
    rows = [
        {
            "prompt": [
                {"role": turn.role, "content": turn.content}
                for turn in turns(row.taught.query.text, prepared.policies)
            ],
            "completion": [{"role": "assistant", "content": _shown(row.completion, options.loss)}],
        }
        for row in prepared.sft
    ]
    on_gpu = torch.cuda.is_available()
    how: dict[str, object] = {"dtype": torch.bfloat16}
    if options.bits == 4:
        how["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    model = transformers.AutoModelForCausalLM.from_pretrained(options.base_model, **how)
    stamps: list[tuple[float, float]] = []

    class Stamps(transformers.TrainerCallback):
        def on_log(self, *_: object, logs: dict[str, float] | None = None, **__: object) -> None:
            if logs and "loss" in logs:
                stamps.append((time.perf_counter(), float(logs["loss"])))

    trainer = trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(
            output_dir=str(folder / f"trl-{time.monotonic_ns()}"),
            num_train_epochs=1,
            learning_rate=1e-4,
            lr_scheduler_type="cosine",
            per_device_train_batch_size=options.micro_batch,
            gradient_accumulation_steps=BATCH // options.micro_batch,
            gradient_checkpointing=on_gpu,
            bf16=True,
            use_cpu=not on_gpu,
            train_sampling_strategy="group_by_length",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            log_level="error",
        ),
        train_dataset=datasets.Dataset.from_list(rows),
        peft_config=peft.LoraConfig(
            r=RANK, lora_alpha=ALPHA, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        callbacks=[Stamps()],
    )
    trainer.train()
    return _figures(stamps)


CHILDREN = {"routesdk": routesdk_run, "trl": trl_run}


def _shown(completion: str, loss: str) -> str:
    return completion if loss == "completion" else completion.partition("\n")[0]


def _figures(stamps: list[tuple[float, float]]) -> dict[str, float]:
    from routesdk.plugins.generative.watch import memory_mb

    took = stamps[-1][0] - stamps[0][0]
    # The last step may have fewer rows: whole ones alone are counted.
    whole = len(stamps) - 1
    return {
        "rows_per_s": whole * BATCH / took,
        "peak_mb": memory_mb(),
        "loss": sum(loss for _, loss in stamps) / len(stamps),
    }


def _dataset(path: Path) -> Dataset:
    return Dataset(name=path.stem, path=path, tiers=(PAIR.medium, PAIR.large))


def _run(child: str, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", child, "--folder", str(folder)]
    command += ["--base-model", options.base_model, "--loss", options.loss]
    command += ["--micro-batch", str(options.micro_batch), "--bits", str(options.bits)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--base-model", required=True, help="folder or Hub id of a causal language model")
    parser.add_argument("--rows", type=int, default=96, help="rows to learn; a multiple of 16")
    parser.add_argument("--pairs", type=int, default=3, help="how often both run")
    parser.add_argument("--loss", choices=("completion", "decision"), default="completion")
    parser.add_argument("--micro-batch", type=int, default=8, help="rows per pass")
    parser.add_argument("--bits", type=int, choices=(4, 16), default=16, help="bits per base weight")
    parser.add_argument("--child", choices=tuple(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
