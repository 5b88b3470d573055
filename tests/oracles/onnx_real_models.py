"""Real ONNX models and inputs like those that they were made for.

Trained ones come inside the Python packages of tests/requirements-models.txt, quantized ones are made from two of
these by onnxruntime.quantization, and scikit-learn's are fitted here. Every model lists its dynamic sizes.
"""

import importlib.util
from pathlib import Path

import numpy as np

GLYPHS = {  # 5 by 7 dots
    "I": "01110 00100 00100 00100 00100 00100 01110",
    "N": "10001 11001 10101 10101 10011 10001 10001",
    "G": "01110 10001 10000 10111 10001 10001 01110",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "T": "11111 00100 00100 00100 00100 00100 00100",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "2": "01110 10001 00001 00110 01000 10000 11111",
}


def text_image(height, width, scale, text="INGOT42"):
    """Dark letters on white, [height, width] of 0 to 1, repeated in lines that fit."""
    rows = [np.array([[int(c) for c in row] for row in GLYPHS[letter].split()]) for letter in text]
    line = np.concatenate([np.pad(r, ((1, 1), (1, 1))) for r in rows], 1).repeat(scale, 0).repeat(scale, 1)
    page = np.zeros((height, width))
    for top in range(0, max(1, height - line.shape[0] + 1), line.shape[0] * 2):
        part = line[: height - top, : width]
        page[top : top + part.shape[0], : part.shape[1]] = part
    return (1 - page).astype(np.float32)


def color(page, batch=1):
    """[batch, 3, height, width] of -1 to 1."""
    return np.broadcast_to(page * 2 - 1, (batch, 3, *page.shape)).astype(np.float32).copy()


def photo(rng, batch, height, width):
    """Smooth patches of color, 0 to 1."""
    coarse = rng.random((batch, 3, height // 32, width // 32)).astype(np.float32)
    return coarse.repeat(32, 2).repeat(32, 3) * 0.8 + 0.2 * rng.random((batch, 3, height, width)).astype(np.float32)


def voice(rng, windows, samples, rate):
    """A buzz with the overtones of a vowel that swells and fades, and some noise."""
    t = np.arange(windows * samples) / rate
    buzz = sum(a * np.sin(2 * np.pi * 120 * k * t) for k, a in ((1, 1), (2, 0.8), (5, 0.9), (6, 0.7), (9, 0.3), (20, 0.2)))
    wave = 0.2 * buzz * (0.6 - 0.4 * np.cos(2 * np.pi * 3 * t)) + 0.01 * rng.standard_normal(t.size)
    return wave.reshape(windows, samples).astype(np.float32)


def det_inputs(rng):
    return [{"x": color(text_image(h, w, s), b)} for b, h, w, s in ((1, 640, 640, 10), (1, 96, 320, 5), (2, 64, 352, 4))]


def rec_inputs(rng):
    return [{"x": color(text_image(48, w, 5), b)} for b, w in ((1, 320), (3, 160), (1, 77))]


def cls_inputs(rng):
    return [{"x": color(text_image(48, 192, s), b)} for b, s in ((1, 4), (4, 5))]


def captcha_inputs(rng):
    return [{"input1": text_image(64, w, 6)[None, None] * 2 - 1} for w in (320, 160, 203)]


def object_inputs(rng):
    return [{"images": photo(rng, 1, 416, 416) * 255}]


def body_inputs(rng):
    return [{"images": photo(rng, b, h, w)} for b, h, w in ((1, 320, 320), (2, 320, 320), (1, 256, 416))]


def file_inputs(rng):
    source = Path(__file__).read_bytes()
    both = np.frombuffer(source[:1024] + source[-1024:], np.uint8).astype(np.int32)
    short = np.full(2048, 256, np.int32)
    short[:300] = both[:300]
    return [{"bytes": both[None]}, {"bytes": np.stack([both, short, rng.integers(0, 256, 2048).astype(np.int32)])}]


def vad_inputs(*cases, rate_input=True):
    def make(rng):
        out = []
        for batch, samples, rate in cases:
            feed = {"input": voice(rng, batch, samples, rate), "state": np.zeros((2, batch, 128), np.float32)}
            if rate_input:
                feed["sr"] = np.array(rate, np.int64)
            out.append(feed)
        return out
    return make


def vad_sequence_inputs(rng):
    state = np.zeros((1, 1, 128), np.float32)
    return [{"input": voice(rng, n, 576, 16000), "h": state, "c": state} for n in (1, 7, 40)]


WIDE, NARROW = (1, 576, 16000), (1, 288, 8000)
# name -> (package, file in it, inputs(rng) -> [{input: array}])
PACKAGED = {
    "ocr_detection": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx", det_inputs),
    "ocr_recognition": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", rec_inputs),
    "ocr_direction": ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx", cls_inputs),
    "captcha": ("ddddocr", "common.onnx", captcha_inputs),
    "captcha_int8": ("ddddocr", "common_old.onnx", captcha_inputs),
    "captcha_objects": ("ddddocr", "common_det.onnx", object_inputs),
    "body_parts": ("nudenet", "320n.onnx", body_inputs),
    "file_types": ("magika", "models/standard_v3_3/model.onnx", file_inputs),
    "voice": ("silero_vad", "data/silero_vad.onnx", vad_inputs(WIDE, (3, 576, 16000), NARROW)),
    "voice_16k": ("silero_vad", "data/silero_vad_16k_op15.onnx", vad_inputs(WIDE, (3, 576, 16000))),
    "voice_sequence": ("silero_vad", "data/silero_vad_16k_sequence.onnx", vad_sequence_inputs),
    "voice_half": ("silero_vad", "data/silero_vad_half.onnx", vad_inputs(WIDE, (3, 576, 16000), rate_input=False)),
    "voice_without_if": ("silero_vad", "data/silero_vad_op18_ifless.onnx", vad_inputs(WIDE, (3, 576, 16000), NARROW)),
    "voice_fixed": ("silero_vad", "data/silero_vad_openvino_16k.onnx", vad_inputs(WIDE, rate_input=False)),
}
# name -> (a packaged model, how its bytes are written)
QUANTIZED = {
    "ocr_direction_qdq": ("ocr_direction", "QDQ"),
    "ocr_direction_qoperator": ("ocr_direction", "QOperator"),
    "ocr_recognition_dynamic": ("ocr_recognition", "dynamic"),
    "body_parts_qdq": ("body_parts", "QDQ"),
    "body_parts_qoperator": ("body_parts", "QOperator"),
}


def packaged(name):
    """(path, [{input: array}]); the package is found, not imported."""
    package, file, inputs = PACKAGED[name]
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise FileNotFoundError(f"{package} is not installed; tools/venv installs tests/requirements-models.txt")
    return Path(spec.submodule_search_locations[0]) / file, inputs(np.random.default_rng(3))


def quantized(name, folder):
    """(path, [{input: array}]) of a model that onnxruntime.quantization makes in `folder`."""
    from onnxruntime import quantization as q

    source, form = QUANTIZED[name]
    path, feeds = packaged(source)
    out = folder / f"{name}.onnx"
    if form == "dynamic":
        q.quantize_dynamic(path, out, weight_type=q.QuantType.QInt8, op_types_to_quantize=["MatMul"])
        return out, feeds

    class Reader(q.CalibrationDataReader):
        def __init__(self):
            self.rest = iter(feeds)

        def get_next(self):
            return next(self.rest, None)

    q.quantize_static(path, out, Reader(), quant_format=q.QuantFormat[form], per_channel=form == "QDQ",
                      activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8)
    return out, feeds


def fitted(folder):
    """Yields (name, path, [{input: array}]): scikit-learn's models as skl2onnx writes them."""
    from skl2onnx import to_onnx
    from sklearn import decomposition, ensemble, linear_model, pipeline, preprocessing

    rng = np.random.default_rng(4)
    x = rng.standard_normal((600, 20)).astype(np.float32)
    score = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.3 * x[:, 3]
    label = np.digitize(score, [-0.7, 0.7])
    feeds = [{"x": rng.standard_normal((n, 20)).astype(np.float32)} for n in (1, 8, 300)]
    for name, model, target in (
            ("forest", ensemble.RandomForestClassifier(100, random_state=0), label),
            ("boosting", ensemble.HistGradientBoostingRegressor(max_iter=60, random_state=0), score),
            ("scaled_components_logistic", pipeline.make_pipeline(preprocessing.StandardScaler(), decomposition.PCA(8),
                                                                  linear_model.LogisticRegression()), label)):
        model.fit(x, target)
        last = model.steps[-1][1] if isinstance(model, pipeline.Pipeline) else model
        options = {id(last): {"zipmap": False}} if hasattr(last, "predict_proba") else {}
        path = folder / f"{name}.onnx"
        path.write_bytes(to_onnx(model, x[:1].astype(np.float32), options=options,
                                 target_opset={"": 21, "ai.onnx.ml": 3}).SerializeToString())
        yield name, path, [{"X": f["x"]} for f in feeds]
