"""The versions of ONNX that models are written in: old enough for every onnxruntime that is allowed."""

IR_VERSION = 9
OPSET = 17
