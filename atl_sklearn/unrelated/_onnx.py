"""Networks in ONNX files, which onnxruntime runs."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Beside the networks, and not in them: sessions are no part of what is copied, saved or compared.
_SESSIONS: weakref.WeakKeyDictionary[torch.nn.Module, InferenceSession] = (
    weakref.WeakKeyDictionary()
)
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def _read(path: Path) -> bytes:
    """Return an ONNX file as bytes, with the weights that lie in files beside it."""
    try:
        import onnx
        import onnxruntime  # noqa: F401 - found out here, and not in the middle of a fit
    except ImportError as error:
        raise ImportError(
            f"OnnxNetwork needs onnx and onnxruntime, and one is missing ({error}): "
            "pip install atl_sklearn[onnx]."
        ) from error
    if not path.is_file():
        raise FileNotFoundError(f"There is no ONNX file {str(path)!r}.")
    try:
        model = onnx.load(os.fspath(path))
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{str(path)!r} cannot be read as an ONNX file: {error}") from error


def _as_type(array: np.ndarray, name: str) -> np.ndarray:
    return array.astype(_TYPES.get(name, array.dtype), copy=False)


class OnnxNetwork(torch.nn.Module):
    """A network in an ONNX file, as an unrelated network.

    You cannot read its layers or train it. What it returns is compared, as
    ``unrelated_layer="output"`` or ``"posterior"``. The file is read once, with the weights in
    files beside it, and is not needed afterwards.

    Parameters
    ----------
    path : str or path-like
        The file. It must take any number of samples, along the first axis of its inputs.

    Raises
    ------
    ImportError
        If onnx or onnxruntime is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not an ONNX file.

    See Also
    --------
    atl_sklearn.export_onnx : Writes such files.

    Examples
    --------
    >>> import tempfile
    >>> import onnx
    >>> import torch
    >>> from atl_sklearn.unrelated import OnnxNetwork
    >>> made = onnx.parser.parse_model(
    ...     '<ir_version: 9, opset_import: ["": 20]> graph (float[N, 2] x) => (float[N, 2] y)'
    ...     "{ y = Softmax (x) }"
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.save(made, f"{folder}/encoder.onnx")
    ...     network = OnnxNetwork(f"{folder}/encoder.onnx")
    >>> network(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """

    why_unreadable = (
        "an ONNX file has no layers that could be read; what it returns can, as 'output' or "
        "'posterior'"
    )
    model: torch.Tensor

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        content = bytearray(_read(Path(path)))
        # A buffer, so that copies, files and caches treat it as they treat weights.
        self.register_buffer("model", torch.frombuffer(content, dtype=torch.uint8))
        self._session()

    def _session(self) -> InferenceSession:
        if self not in _SESSIONS:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            content = self.model.cpu().numpy().tobytes()
            providers = ["CPUExecutionProvider"]
            _SESSIONS[self] = onnxruntime.InferenceSession(content, options, providers=providers)
        return _SESSIONS[self]

    def forward(
        self, *inputs: torch.Tensor, **named: torch.Tensor
    ) -> torch.Tensor | dict[str, torch.Tensor]:
        """Run the network.

        Parameters
        ----------
        *inputs : Tensor of shape (n_samples, ...)
            Its inputs, in the order of the file.
        **named : Tensor of shape (n_samples, ...)
            Its inputs by name.

        Returns
        -------
        outputs : Tensor of shape (n_samples, ...) or dict of these
            Of several outputs each by its name in the file.

        Raises
        ------
        ValueError
            If these are not the inputs of the network.
        """
        session = self._session()
        known = {found.name: found for found in session.get_inputs()}
        given = {**dict(zip(known, inputs, strict=False)), **named}
        if len(inputs) > len(known) or given.keys() != known.keys():
            got = ", ".join(named) or f"{len(inputs)} tensors"
            raise ValueError(f"The ONNX file takes the inputs {list(known)}. Got {got}")
        arrays = {
            name: _as_type(x.detach().cpu().numpy(), known[name].type) for name, x in given.items()
        }
        device = next(iter(given.values())).device
        fixed = [name for name, found in known.items() if isinstance(found.shape[0], int)]
        try:
            found = session.run(None, arrays)
        except Exception as error:
            if not fixed:
                raise ValueError(f"The ONNX file cannot be run: {error}") from error
            size = known[fixed[0]].shape[0]
            raise ValueError(
                f"The ONNX file takes {size} samples at a time, no other number. Export the "
                "network with a first axis of any length (dynamic_shapes of torch.onnx.export)"
            ) from error
        outputs = [torch.from_numpy(np.asarray(x)).to(device) for x in found]
        names = [output.name for output in session.get_outputs()]
        return outputs[0] if len(outputs) == 1 else dict(zip(names, outputs, strict=True))

    def extra_repr(self) -> str:
        """Return what stands in brackets where the network is printed.

        Returns
        -------
        text : str
            The size of the file.
        """
        return f"{len(self.model)} bytes"
