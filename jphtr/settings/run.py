"""What every training can be told: the optimizer and the run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jphtr.settings.files import Section

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Decay = Literal["linear", "cosine", "constant"]
Share = Annotated[float, Field(ge=0, le=1)]


class OptimSettings(Section):
    """The optimizer under a warm-up and a decay to zero."""

    lr: float = Field(default=2e-3, gt=0, description="highest learning rate")
    head_lr: float = Field(
        default=1.0,
        ge=0,
        description="learning rate of the output layer as a part of lr; 0 leaves the layer as it is in the model that a "
        "run starts from",
    )
    name: str = Field(default="adamw", description="adamw, or any other optimizer of timm, such as muon, lamb or sgd")
    warmup: int = Field(default=300, ge=0, description="steps over which the learning rate is raised")
    decay: Decay = Field(default="linear", description="how the learning rate falls to zero, or that it stays")
    betas: tuple[float, float] = Field(default=(0.9, 0.99), description="decay of the two moments, where there are two")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="momentum of optimizers such as sgd")
    weight_decay: float = Field(
        default=0.02, ge=0, description="weight decay of matrices and kernels; biases and norms have none"
    )
    clip: float = Field(default=2.0, gt=0, description="largest norm of the gradient")
    accumulate: int = Field(default=1, ge=1, description="batches whose gradients make one step")
    ema: float = Field(
        default=0.999, ge=0, lt=1, description="decay of the averaged weights, which are what is kept and scored"
    )


class RunSettings(Section):
    """How long, where, and how often things are written."""

    steps: int = Field(default=100_000, ge=1, description="optimizer steps of the whole schedule")
    max_minutes: float | None = Field(
        default=None, gt=0, description="time of the whole schedule; whichever ends first, steps or this"
    )
    seed: int = Field(default=1, ge=0, description="seed of the weights and of the stream of samples")
    workers: int = Field(default=1, ge=0, description="processes that make batches; 0 makes them between the steps")
    threads: int = Field(
        default=0, ge=0, description="threads of the net on the CPU; 0 takes the cores that the workers leave"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where the net runs; auto takes a GPU when there is one"
    )
    precision: Precision = Field(
        default="auto", description="auto is bf16 on a GPU or a CPU with AMX or AVX512_BF16, else fp32"
    )
    valid_every: int = Field(default=1000, ge=1, description="steps between validations")
    log_every: int = Field(default=50, ge=1, description="steps that one row of metrics.jsonl sums up")
    save_minutes: float = Field(
        default=3.0, gt=0, description="minutes between checkpoints; every validation writes one too"
    )
    tensorboard: bool = Field(default=True, description="write curves for TensorBoard, where it is installed")
    patience: int = Field(
        default=0, ge=0, description="validations without a better score after which training stops; 0 never stops"
    )
