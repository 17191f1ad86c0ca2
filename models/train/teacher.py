"""The distillation teacher: a quantized ImageNet MobileNetV2's pooled features."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter

SIZE, WIDTH = 224, 1280


class Teacher:
    """One interpreter on one thread."""

    def __init__(self, path):
        self.network = Interpreter(path, num_threads=1, experimental_preserve_all_tensors=True)
        self.network.allocate_tensors()
        self.input = self.network.get_input_details()[0]
        pooled = [t for t in self.network.get_tensor_details()
                  if list(t["shape"]) == [1, 1, 1, WIDTH]]
        self.pooled = pooled[-1]

    def features(self, pixels):
        """`[224, 224, 3]` u8 RGB to `[1280]` f32."""
        kind = self.input["dtype"]
        if kind == np.uint8:
            batch = pixels[None]
        else:
            batch = pixels[None].astype(np.float32) / 127.5 - 1.0
            if kind == np.int8:
                scale, zero = self.input["quantization"]
                batch = np.clip(np.rint(batch / scale) + zero, -128, 127).astype(np.int8)
        self.network.set_tensor(self.input["index"], batch)
        self.network.invoke()
        scale, zero = self.pooled["quantization"]
        raw = self.network.get_tensor(self.pooled["index"]).reshape(-1).astype(np.float32)
        return (raw - zero) * scale if scale else raw
