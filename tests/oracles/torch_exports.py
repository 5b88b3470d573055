#!/usr/bin/env python3
"""Exports PyTorch models with random weights to ONNX, by both of PyTorch's exporters, for test_onnx_exports.py.

    torch_exports.py FOLDER            the published sizes (about 2 GB); the test reads them from $INGOT_ONNX_EXPORTS
    torch_exports.py FOLDER --small    the same architectures, narrow: tests/oracles/exports is made this way

Needs torch, torchvision, transformers, onnx and onnxscript (made with 2.15, 0.29, 5.23, 1.23 and 0.7). FOLDER gets
NAME.dynamo.onnx, NAME.script.onnx and exports.json: for each model its inputs, with the names of dynamic dimensions,
the range of integers, and the sizes at which the test runs it.
"""
import argparse
import json
import pathlib
import warnings

import onnx
import torch
import transformers
from torch import nn
from torchvision import models as tv
from torchvision.models import convnext, efficientnet, mobilenetv3, swin_transformer, vision_transformer


class Outputs(nn.Module):
    """`model` with positional inputs and a tuple of tensors as its result."""

    def __init__(self, model, names, pick):
        super().__init__()
        self.model, self.names, self.pick = model, names, pick

    def forward(self, *inputs):
        return self.pick(self.model(**dict(zip(self.names, inputs))))


def image(size, batches=((1,), (2,)), dynamic_size=False, channels=3):
    """The single input of a vision model and the sizes to run it at."""
    shape = ["batch", channels, "height", "width"] if dynamic_size else ["batch", channels, size, size]
    sizes = [{"batch": b} for (b,) in batches]
    if dynamic_size:
        sizes = [{"batch": 1, "height": size, "width": size}, {"batch": 2, "height": size, "width": size // 2 + 32}]
    return [{"name": "image", "dtype": "float32", "shape": shape}], sizes


def vision(build, size, dynamic_size=False):
    return build().eval(), *image(size, dynamic_size=dynamic_size)


def resnet50(small):
    if not small:
        return vision(tv.resnet50, 224, True)
    model = tv.ResNet(tv.resnet.BasicBlock, [1, 1, 1, 1], num_classes=10)
    model.conv1, model.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
    for i, width in enumerate((8, 16, 24, 32)):
        model.inplanes = 8 if i == 0 else (8, 16, 24)[i - 1]
        setattr(model, f"layer{i + 1}", model._make_layer(tv.resnet.BasicBlock, width, 1, stride=1 if i == 0 else 2))
    model.fc = nn.Linear(32, 10)
    return vision(lambda: model, 64, True)


def mobilenet_v2(small):
    if not small:
        return vision(tv.mobilenet_v2, 224, True)
    rows = [[1, 8, 1, 1], [6, 8, 2, 2], [6, 16, 2, 2], [6, 24, 1, 2]]
    model = tv.MobileNetV2(num_classes=10, width_mult=1.0, inverted_residual_setting=rows)
    model.features[0], model.features[1].conv[0] = (
        tv.mobilenetv2.Conv2dNormActivation(3, 8, stride=2, norm_layer=nn.BatchNorm2d, activation_layer=nn.ReLU6),
        tv.mobilenetv2.Conv2dNormActivation(8, 8, groups=8, norm_layer=nn.BatchNorm2d, activation_layer=nn.ReLU6))
    model.features[1].conv[1] = nn.Conv2d(8, 8, 1, bias=False)
    model.features[-1] = tv.mobilenetv2.Conv2dNormActivation(24, 64, kernel_size=1, norm_layer=nn.BatchNorm2d)
    model.classifier = nn.Linear(64, 10)
    return vision(lambda: model, 64, True)


def mobilenet_v3(small):
    if not small:
        return vision(tv.mobilenet_v3_large, 224, True)
    config = lambda *a: mobilenetv3.InvertedResidualConfig(*a, dilation=1, width_mult=1.0)
    rows = [config(8, 3, 8, 8, True, "RE", 2), config(8, 3, 32, 16, False, "RE", 2), config(16, 5, 48, 16, True, "HS", 1)]
    return vision(lambda: tv.MobileNetV3(rows, 32, num_classes=10), 64, True)


def efficientnet_b0(small):
    if not small:
        return vision(tv.efficientnet_b0, 224, True)
    config = lambda *a: efficientnet.MBConvConfig(*a)
    rows = [config(1, 3, 1, 8, 8, 1), config(6, 3, 2, 8, 16, 2), config(6, 5, 2, 16, 24, 1)]
    return vision(lambda: tv.EfficientNet(rows, 0.2, num_classes=10, last_channel=64), 64, True)


def convnext_tiny(small):
    if not small:
        return vision(tv.convnext_tiny, 224, True)
    config = convnext.CNBlockConfig
    model = tv.ConvNeXt([config(16, 24, 1), config(24, 32, 1), config(32, None, 2)], num_classes=10)
    return vision(lambda: model, 64, True)


def swin_t(small):
    if not small:
        return vision(tv.swin_t, 224)
    model = swin_transformer.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=10)
    return vision(lambda: model, 64)


def vit_b_16(small):
    model = vision_transformer.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=10) if small else tv.vit_b_16()
    nn.init.normal_(model.heads.head.weight, std=0.02)  # zeros otherwise
    return vision(lambda: model, 32 if small else 224)


class Csp(nn.Module):
    """A split, a chain of residual blocks of which every step is kept, a join."""

    def __init__(self, width, blocks):
        super().__init__()
        half = width // 2
        self.first, self.last = conv(width, width, 1), conv(half * (2 + blocks), width, 1)
        self.blocks = nn.ModuleList(nn.Sequential(conv(half, half), conv(half, half)) for _ in range(blocks))

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        for block in self.blocks:
            parts.append(parts[-1] + block(parts[-1]))
        return self.last(torch.cat(parts, 1))


def conv(cin, cout, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(cout), nn.SiLU())


class Yolo(nn.Module):
    """The shape of one-stage detectors: a pyramid, upsampling joins, boxes from distributions, scores of classes."""

    def __init__(self, width, classes, bins=16):
        super().__init__()
        w = [width, 2 * width, 4 * width]
        self.stem = nn.Sequential(conv(3, width // 2, 3, 2), conv(width // 2, width, 3, 2), Csp(width, 1))
        self.down = nn.ModuleList([conv(w[0], w[1], 3, 2), conv(w[1], w[2], 3, 2)])
        self.csp = nn.ModuleList([Csp(w[1], 2), Csp(w[2], 1)])
        self.before, self.after = conv(w[2], w[1], 1), conv(4 * w[1], w[2], 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.join = nn.ModuleList([nn.Sequential(conv(w[2] + w[1], w[1], 1), Csp(w[1], 1)),
                                   nn.Sequential(conv(w[1] + w[0], w[0], 1), Csp(w[0], 1))])
        self.up = nn.Upsample(scale_factor=2)
        heads = [w[0], w[1]]
        self.box = nn.ModuleList(nn.Sequential(conv(c, c), nn.Conv2d(c, 4 * bins, 1)) for c in heads)
        self.score = nn.ModuleList(nn.Sequential(conv(c, c), nn.Conv2d(c, classes, 1)) for c in heads)
        self.bins = bins

    def forward(self, image):
        a = self.stem(image)
        b = self.csp[0](self.down[0](a))
        c = self.before(self.csp[1](self.down[1](b)))
        p = self.pool(c)
        c = self.after(torch.cat([c, p, self.pool(p), self.pool(self.pool(p))], 1))
        b = self.join[0](torch.cat([self.up(c), b], 1))
        a = self.join[1](torch.cat([self.up(b), a], 1))
        boxes, scores = [], []
        for level, x in enumerate((a, b)):
            n, _, h, w = x.shape
            d = self.box[level](x).view(n, 4, self.bins, h * w).softmax(2)
            d = (d * torch.arange(self.bins, dtype=x.dtype).view(1, 1, -1, 1)).sum(2)
            ys, xs = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
            centre, stride = torch.stack([xs, ys]).view(1, 2, -1), 4 << level
            boxes.append(torch.cat([centre - d[:, :2], centre + d[:, 2:]], 1) * stride)
            scores.append(self.score[level](x).flatten(2).sigmoid())
        return torch.cat([torch.cat(boxes, 2), torch.cat(scores, 2)], 1)


def yolo(small):
    return vision(lambda: Yolo(8, 3) if small else Yolo(64, 80), 64 if small else 640, True)


def ids(name, shape, high):
    return {"name": name, "dtype": "int64", "shape": shape, "low": 1, "high": high}


def bert_base(small):
    sizes = dict(vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
                 max_position_embeddings=64) if small else {}
    config = transformers.BertConfig(**sizes, attn_implementation="eager")
    model = Outputs(transformers.BertModel(config), ["input_ids", "attention_mask"],
                    lambda y: (y.last_hidden_state, y.pooler_output))
    inputs = [ids("input_ids", ["batch", "seq"], config.vocab_size), {**ids("attention_mask", ["batch", "seq"], 2), "mask": True}]
    return model, inputs, [{"batch": 1, "seq": 32 if small else 128}, {"batch": 3, "seq": 17}, {"batch": 2, "seq": 5}]


def t5_small(small):
    sizes = dict(vocab_size=100, d_model=24, d_kv=12, d_ff=32, num_layers=1, num_heads=2) if small else dict(
        d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8)
    config = transformers.T5Config(**sizes, use_cache=False, attn_implementation="eager")
    model = Outputs(transformers.T5ForConditionalGeneration(config), ["input_ids", "decoder_input_ids"], lambda y: (y.logits,))
    inputs = [ids("input_ids", ["batch", "seq"], config.vocab_size), ids("decoder_input_ids", ["batch", "target"], config.vocab_size)]
    return model, inputs, [{"batch": 1, "seq": 40, "target": 12}, {"batch": 2, "seq": 9, "target": 3}]


def whisper_config(small):
    sizes = dict(vocab_size=100, num_mel_bins=16, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
                 decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_source_positions=50,
                 max_target_positions=32, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                 decoder_start_token_id=1) if small else dict(
        d_model=384, encoder_layers=4, decoder_layers=4, encoder_attention_heads=6, decoder_attention_heads=6,
        encoder_ffn_dim=1536, decoder_ffn_dim=1536)
    return transformers.WhisperConfig(**sizes, use_cache=False, attn_implementation="eager")


def whisper_encoder(small):
    config = whisper_config(small)
    model = Outputs(transformers.WhisperModel(config).encoder, ["input_features"], lambda y: (y.last_hidden_state,))
    shape = ["batch", config.num_mel_bins, 2 * config.max_source_positions]
    return model, [{"name": "mel", "dtype": "float32", "shape": shape}], [{"batch": 1}, {"batch": 2}]


def whisper_decoder(small):
    config = whisper_config(small)
    model = transformers.WhisperForConditionalGeneration(config)

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.decoder, self.head = model.model.decoder, model.proj_out

        def forward(self, tokens, audio):
            return self.head(self.decoder(input_ids=tokens, encoder_hidden_states=audio, use_cache=False).last_hidden_state)

    inputs = [ids("tokens", ["batch", "seq"], config.vocab_size),
              {"name": "audio", "dtype": "float32", "shape": ["batch", config.max_source_positions, config.d_model]}]
    return Decoder(), inputs, [{"batch": 1, "seq": 9}, {"batch": 2, "seq": 4}]


class Recurrent(nn.Module):
    """Embedding, a two-way LSTM over it, a GRU, scores."""

    def __init__(self, width):
        super().__init__()
        self.embed = nn.Embedding(100, width)
        self.lstm = nn.LSTM(width, width, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(2 * width, width, batch_first=True)
        self.out = nn.Linear(width, 20)

    def forward(self, tokens):
        return self.out(self.gru(self.lstm(self.embed(tokens))[0])[0]).log_softmax(-1)


def recurrent(small):
    return Recurrent(16 if small else 256), [ids("tokens", ["batch", "seq"], 100)], [{"batch": 1, "seq": 30}, {"batch": 3, "seq": 11}]


COMMITTED_BYTES_MAX = 200_000
BUILDERS = [resnet50, mobilenet_v2, mobilenet_v3, efficientnet_b0, convnext_tiny, swin_t, vit_b_16, yolo, bert_base,
            t5_small, whisper_encoder, whisper_decoder, recurrent]


def tensor(spec, size):
    shape = [size.get(d, d) for d in spec["shape"]]
    if spec["dtype"] == "float32":
        return torch.randn(shape)
    return torch.ones(shape, dtype=torch.int64) if spec.get("mask") else torch.randint(spec["low"], spec["high"], shape)


def settle(model, inputs, size):
    """Batch statistics of random inputs, so that activations neither vanish nor grow without bound."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.momentum = None
        m.train()
    with torch.no_grad():
        for _ in range(2 if norms else 0):
            model(*[tensor(spec, {**size, "batch": 4}) for spec in inputs])
    return model.eval()


def export(model, inputs, size, path, dynamo):
    size = {k: max(2, v) for k, v in size.items()}
    arguments = tuple(tensor(spec, size) for spec in inputs)
    axes = [{i: d for i, d in enumerate(spec["shape"]) if isinstance(d, str)} for spec in inputs]
    names = [spec["name"] for spec in inputs]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if dynamo:
            dims = {d: torch.export.Dim.DYNAMIC for a in axes for d in a.values()}
            shapes = tuple({i: dims[d] for i, d in a.items()} for a in axes)
            if isinstance(model, Outputs):
                shapes = (shapes,)
            torch.onnx.export(model, arguments, str(path), input_names=names, dynamo=True, dynamic_shapes=shapes,
                              external_data=False, verbose=False)
        else:
            torch.onnx.export(model, arguments, str(path), input_names=names, dynamo=False, opset_version=17,
                              dynamic_axes=dict(zip(names, axes)))
    strip(path)


def strip(path):
    """Without the stack traces that the exporter writes to every node."""
    proto = onnx.load(str(path))
    graphs = [proto.graph, *proto.functions]
    del proto.graph.metadata_props[:]
    for graph in graphs:
        for node in graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
    for value in [*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer]:
        del value.metadata_props[:]
    onnx.save(proto, str(path))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", help="comma-separated names")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    torch.backends.mha.set_fastpath_enabled(False)  # an operator that only PyTorch has
    listing = args.folder / "exports.json"
    table = json.loads(listing.read_text()) if listing.exists() else {}
    for build in BUILDERS:
        name = build.__name__
        if args.only and name not in args.only.split(","):
            continue
        torch.manual_seed(1)
        model, inputs, sizes = build(args.small)
        model = settle(model.eval(), inputs, sizes[0])
        for way in ("dynamo", "script"):
            file = f"{name}.{way}.onnx"
            try:
                export(model, inputs, sizes[0], args.folder / file, way == "dynamo")
                size = (args.folder / file).stat().st_size
                if args.small and size > COMMITTED_BYTES_MAX:
                    raise ValueError(f"{size} bytes are too many to commit")
                table[file] = {"inputs": inputs, "sizes": sizes}
                print(f"{file}: {size} bytes", flush=True)
            except Exception as why:  # an exporter that cannot is shown, the others go on
                table.pop(file, None)
                (args.folder / file).unlink(missing_ok=True)
                print(f"{file}: NOT exported: {type(why).__name__}: {(str(why).splitlines() or [''])[0][:300]}", flush=True)
        listing.write_text(json.dumps(dict(sorted(table.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
