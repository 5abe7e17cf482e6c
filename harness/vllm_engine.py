"""The `vllm` engine: methods learn on `transformers`, replies come from vLLM."""

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, ClassVar

from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.gguf_file import find_gguf
from harness.models import whereabouts
from harness.transformers_engine import TransformersEngine
from harness.transformers_model import TransformersModel
from harness.vllm_model import VllmModel
from methods.base import Requirements
from methods.settings import build_settings, setting

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # hooks and weights reach the engine in this process
    "VLLM_USE_V2_MODEL_RUNNER": "0",  # `vllm_hooks.Runner` reads the first one
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
"""Set where the user has not."""

_DOCUMENTED = "vLLM's engine arguments"


def check_installed() -> None:
    """Refuse where vLLM is not there, before any work.

    Raises:
        UserError: With the command that installs it.
    """
    if find_spec("vllm") is None:
        raise UserError("Engine 'vllm' needs a package that is not installed: pip install 'equipoise[vllm]'.")


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """What is handed to vLLM, as `--engine "vllm[tensor_parallel_size=2]"` gives it."""

    tensor_parallel_size: int = setting(1, "GPUs that share every layer.", source=_DOCUMENTED, low=1)
    pipeline_parallel_size: int = setting(1, "Groups of GPUs that share out the layers.", source=_DOCUMENTED, low=1)
    max_model_len: int = setting(
        0, "Longest prompt with its reply; 0: as long as the model allows.", unit="tokens", source=_DOCUMENTED, low=0
    )
    gpu_memory_utilization: float = setting(
        0.0, "Share of the GPU for vLLM; 0: half of what is free when it starts.", source=_DOCUMENTED, low=0, high=1
    )
    enforce_eager: bool = setting(
        True, "Whether to run without CUDA graphs, as arms that act by hooks need.", source="our choice"
    )

    @property
    def runs_modules(self) -> bool:
        """Whether the network runs in this process, module by module, so that hooks can act."""
        return self.enforce_eager and self.tensor_parallel_size * self.pipeline_parallel_size == 1


@dataclass(frozen=True, slots=True)
class VllmEngine:
    """Loads a checkpoint twice: for fitting at once, for serving when it is first needed."""

    settings: VllmSettings = field(default_factory=VllmSettings)
    name: ClassVar[str] = "vllm"
    offers: ClassVar[Requirements] = replace(TransformersEngine.offers, gradients_while_serving=False)

    def configured(self, given: Mapping[str, Any]) -> "VllmEngine":
        """This engine with settings.

        Raises:
            UserError: If one is unknown or out of range.
        """
        return VllmEngine(build_settings(VllmSettings, given, self.name))

    def load(self, spec: ModelSpec) -> VllmModel:
        """Load a model from a short name, a folder or the hub.

        Raises:
            UserError: If `transformers` cannot load the model, or it is to be quantised.
        """
        if spec.quantize:
            raise UserError(
                f"Engine 'vllm' serves checkpoints as they are and cannot load '{spec.name}' in {spec.quantize}. "
                "Leave --quantize out, or use --engine transformers."
            )
        local = TransformersEngine().load(spec)
        return VllmModel(local, lambda: _start(spec, local, self.settings), runs_modules=self.settings.runs_modules)


def _start(spec: ModelSpec, local: TransformersModel, settings: VllmSettings) -> Any:  # noqa: ANN401 - not typed
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from vllm import LLM

    # Named one by one: a mapping of them would hide which of vLLM's arguments decide a reply.
    return LLM(
        model=_folder(spec, local),
        revision=spec.revision,
        trust_remote_code=spec.trust_remote_code,
        dtype=str(local.dtype).removeprefix("torch."),
        skip_tokenizer_init=True,  # it is given token ids alone
        generation_config="vllm",  # and every setting of decoding
        enable_prefix_caching=False,  # what one arm computed must not serve another
        enforce_eager=settings.enforce_eager,
        tensor_parallel_size=settings.tensor_parallel_size,
        pipeline_parallel_size=settings.pipeline_parallel_size,
        max_model_len=settings.max_model_len or None,
        gpu_memory_utilization=settings.gpu_memory_utilization or _half_of_free_memory(),
        disable_log_stats=True,
    )


def _folder(spec: ModelSpec, local: TransformersModel) -> str:
    """Where vLLM reads the weights: of a GGUF file, those that `transformers` made of it, so that both are alike."""
    where = whereabouts(spec.name)
    if find_gguf(where) is None:
        return where
    folder = Path(mkdtemp(prefix="equipoise-gguf-"))
    atexit.register(rmtree, folder, ignore_errors=True)  # vLLM may read it again when it wakes up
    local.network.save_pretrained(folder)  # type: ignore[operator] # the contract says a module
    return str(folder)


def _half_of_free_memory() -> float:
    """As a share of the whole GPU; the other half is left for fits. On a CPU, vLLM reads VLLM_CPU_KVCACHE_SPACE."""
    import torch

    if not torch.cuda.is_available():
        return 0.5
    torch.cuda.empty_cache()  # what an earlier fit held is free
    free, whole = torch.cuda.mem_get_info()
    return 0.5 * free / whole
