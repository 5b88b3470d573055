"""Tiny valid ONNX models and tokenizer.json files with many kinds of parts, to be broken; and how to break ONNX."""

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper

RNG = np.random.default_rng(3)


def weight(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def info(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, constants, opset=17):
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def vision():
    n = helper.make_node
    nodes = [
        n("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2], dilations=[1, 1], group=1),
        n("BatchNormalization", ["c", "s", "o", "m", "v"], ["n"], epsilon=1e-5),
        n("Clip", ["n", "lo", "hi"], ["r"]),
        n("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        n("Conv", ["p", "w2"], ["d"], group=4, auto_pad="SAME_UPPER"),
        n("AveragePool", ["d"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        n("ConvTranspose", ["a", "w3"], ["t"], strides=[2, 2]),
        n("Resize", ["t", "", "scales"], ["z"], mode="linear", coordinate_transformation_mode="half_pixel"),
        n("Pad", ["z", "pads", "lo"], ["q"], mode="constant"),
        n("InstanceNormalization", ["q", "s", "o"], ["i"]),
        n("LeakyRelu", ["i"], ["l"], alpha=0.1),
        n("GlobalAveragePool", ["l"], ["g"]),
        n("Flatten", ["g"], ["f"], axis=1),
        n("Gemm", ["f", "w4", "b4"], ["y"], transB=1, alpha=1.0, beta=0.5),
    ]
    four = np.ones(4, np.float32)
    constants = dict(w=weight(4, 3, 3, 3), b=weight(4), s=four, o=four, m=four, v=four, lo=np.float32(0), hi=np.float32(6),
                     w2=weight(4, 1, 3, 3), w3=weight(4, 4, 2, 2), scales=np.array([1, 1, 2, 2], np.float32),
                     pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]), w4=weight(5, 4), b4=weight(5))
    return model(nodes, [info("x", ["n", 3, "h", "w"])], [info("y", ["n", 5])], constants)


def text():
    n = helper.make_node
    nodes = [
        n("Gather", ["table", "ids"], ["e"], axis=0),
        n("LayerNormalization", ["e", "s", "o"], ["x"], axis=-1, epsilon=1e-5),
        n("MatMul", ["x", "w"], ["q"]),
        n("Split", ["q", "parts"], ["a", "b"], axis=-1),
        n("Transpose", ["b"], ["bt"], perm=[0, 2, 1]),
        n("MatMul", ["a", "bt"], ["scores"]),
        n("Softmax", ["scores"], ["p"], axis=-1),
        n("MatMul", ["p", "a"], ["v"]),
        n("Shape", ["v"], ["shape"]),
        n("Gather", ["shape", "one"], ["t"], axis=0),
        n("Unsqueeze", ["t", "zero"], ["t1"]),
        n("Concat", ["minus", "t1", "eight"], ["target"], axis=0),
        n("Reshape", ["v", "target"], ["r"], allowzero=0),
        n("Slice", ["r", "zero", "big", "axis2", "steps"], ["sl"]),
        n("ReduceMean", ["sl"], ["mean"], axes=[-1], keepdims=1),
        n("Sub", ["sl", "mean"], ["c"]),
        n("Where", ["mask", "c", "sl"], ["wh"]),
        n("Cast", ["wh"], ["half"], to=int(TensorProto.FLOAT16)),
        n("Cast", ["half"], ["f"], to=int(TensorProto.FLOAT)),
        n("TopK", ["f", "k"], ["top", "index"], axis=-1),
        n("ArgMax", ["f"], ["am"], axis=-1, keepdims=0),
        n("Einsum", ["f", "f"], ["y"], equation="bij,bkj->bik"),
    ]
    i = lambda *v: np.array(v, np.int64)
    constants = dict(table=weight(20, 8), s=weight(8), o=weight(8), w=weight(8, 16), parts=i(8, 8), one=np.int64(1), zero=i(0),
                     minus=i(-1), eight=i(8), big=i(6), axis2=i(2), steps=i(2), mask=np.array([True, False, True]), k=i(2))
    outputs = [info("y", None), info("top", None), info("index", None, TensorProto.INT64), info("am", None, TensorProto.INT64)]
    return model(nodes, [info("ids", ["batch", "seq"], TensorProto.INT64)], outputs, constants)


def control():
    n = helper.make_node
    then = helper.make_graph([n("NonZero", ["x"], ["t0"]), n("Cast", ["t0"], ["t"], to=1)], "then", [], [info("t", None)])
    other = helper.make_graph([n("Expand", ["x", "big"], ["e"])], "else", [], [info("e", None)])
    nodes = [
        n("ReduceSum", ["x"], ["sum"], keepdims=0),
        n("Greater", ["sum", "limit"], ["c"]),
        n("If", ["c"], ["y"], then_branch=then, else_branch=other),
        n("Tile", ["y", "two"], ["t2"]),
        n("QuantizeLinear", ["x", "scale", "point"], ["q"]),
        n("DequantizeLinear", ["q", "scale", "point"], ["dq"]),
        n("ScatterND", ["dq", "at", "new"], ["s"]),
        n("GatherElements", ["s", "index"], ["ge"], axis=1),
        n("CumSum", ["ge", "axis"], ["cs"]),
        n("OneHot", ["hot", "depth", "values"], ["oh"], axis=-1),
        n("Range", ["zero", "depth", "one"], ["ra"]),
        n("ConstantOfShape", ["two"], ["co"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [2.0])),
    ]
    i = lambda *v: np.array(v, np.int64)
    constants = dict(limit=np.float32(0), big=i(2, 3, 4), two=i(2, 1), scale=np.float32(0.1), point=np.uint8(128), at=i(0).reshape(1, 1),
                     new=weight(1, 4), index=np.zeros((3, 2), np.int64), axis=np.int64(0), hot=i(0, 2), depth=np.int64(5),
                     values=np.array([0, 1], np.float32), zero=np.int64(0), one=np.int64(1))
    # Tile needs a known rank at run time only.
    outputs = [info(v, None) for v in ("cs", "oh", "co")] + [info("ra", None, TensorProto.INT64), info("y", None)]
    nodes = [x for x in nodes if x.op_type != "Tile"]
    return model(nodes, [info("x", [3, 4])], outputs, constants)


def models():
    """(name, model, further arguments of `ingot infer`)."""
    return [("vision", vision(), ["--shape", "x=1x3x12x12"]), ("text", text(), ["--shape", "ids=2x3"]), ("control", control(), [])]


ODD_SIZES = [0, -1, 1, 2, 3, 7, -7, 100, 2**31, 2**40, 2**62, -(2**63), 2**63 - 1]


def damage_attribute(node, r):
    a = r.choice(node.attribute)
    label = f"{node.op_type}.{a.name}"
    kind = r.randrange(4)
    if kind == 0 and a.type == AttributeProto.INTS:
        values = list(a.ints)
        if r.random() < 0.5 and values:
            values[r.randrange(len(values))] = r.choice(ODD_SIZES)
        else:
            values = values[1:] if r.random() < 0.5 else values + [r.choice(ODD_SIZES)]
        new = helper.make_attribute(a.name, values, attr_type=AttributeProto.INTS)
    elif kind == 0 and a.type == AttributeProto.INT:
        new = helper.make_attribute(a.name, r.choice(ODD_SIZES))
    else:
        value = r.choice([5, 2.5, float("nan"), "text", [1, 2], [1.5], ["a"], helper.make_tensor("t", 1, [2], [1.0, 2.0])])
        new = helper.make_attribute(a.name, value)
    shown = str(new).replace("\n", " ")[:80]
    node.attribute.remove(a)
    node.attribute.append(new)
    return f"{label}: {shown}"


def damage(whole, r):
    """Changes one random thing of the model's meaning. Returns (what, bytes)."""
    m = type(whole)()
    m.CopyFrom(whole)
    g = m.graph
    node = r.choice(g.node)
    kind = r.randrange(10)
    if kind <= 3:
        with_attributes = [n for n in g.node if n.attribute]
        label = damage_attribute(r.choice(with_attributes), r)
    elif kind == 4:
        names = [i.name for i in g.initializer] + [v for n in g.node for v in n.output] + ["", "nowhere"]
        at = r.randrange(len(node.input)) if node.input else 0
        if node.input:
            node.input[at] = r.choice(names)
        label = f"{node.op_type} input {at} = {node.input[at] if node.input else ''}"
    elif kind == 5:
        node.op_type = r.choice([n.op_type for n in g.node] + ["Nothing", "Loop", "Scan"])
        label = f"{list(node.output)} by {node.op_type}"
    elif kind == 6:
        t = r.choice(g.initializer)
        if t.dims and r.random() < 0.7:
            t.dims[r.randrange(len(t.dims))] = r.choice(ODD_SIZES)
        else:
            t.dims.append(r.choice(ODD_SIZES))
        label = f"initializer {t.name} dims {list(t.dims)}"
    elif kind == 7:
        t = r.choice(g.initializer)
        t.data_type = r.randrange(0, 30)
        label = f"initializer {t.name} type {t.data_type}"
    elif kind == 8:
        t = r.choice(g.initializer)
        old = numpy_helper.to_array(t)
        if old.dtype.kind == "i":
            new = np.full(old.shape, r.choice(ODD_SIZES), np.int64)
        else:
            new = np.full(old.shape, r.choice([0, np.nan, np.inf, -1, 1e38])).astype(old.dtype)
        t.CopyFrom(numpy_helper.from_array(new, t.name))
        label = f"initializer {t.name} all {new.flat[0] if new.size else None}"
    else:
        what = r.randrange(4)
        if what == 0 and len(node.input):
            del node.input[-1]
        elif what == 1:
            node.input.append(node.input[0] if node.input else "")
        elif what == 2:
            node.output.append("extra")
        else:
            g.input[0].type.tensor_type.elem_type = r.randrange(0, 25)
        label = f"{node.op_type} operands {what}"
    return label, m.SerializeToString()


def tokenizers(folder):
    """tokenizer.json files of every kind of model, normalizer, pre-tokenizer, post-processor and decoder."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    words = ["hello", "he", "##llo", "some", "text", "##s", "[UNK]", "[CLS]", "[SEP]"]
    wordpiece = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    wordpiece.normalizer = normalizers.BertNormalizer()
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wordpiece.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 7), ("[SEP]", 8)])
    wordpiece.decoder = decoders.WordPiece()
    pieces = [("<unk>", 0.0), ("▁", -2.0), ("▁hello", -1.0), ("o", -3.0), ("e", -3.0), ("▁text", -2.5), ("<0x41>", -9.0)]
    unigram = Tokenizer(models.Unigram(pieces, 0, False))
    unigram.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Lowercase()])
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    bpe = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, "<bos>": 3, "c": 4}, [("a", "b")], fuse_unk=True))
    bpe.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Prepend("▁")])
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\p{N}{1,3}|\s+|\w+"), "isolated"), pre_tokenizers.Digits(True),
                                                 pre_tokenizers.Punctuation(), pre_tokenizers.ByteLevel(False)])
    bpe.post_processor = processors.Sequence([processors.ByteLevel(), processors.BertProcessing(("a", 0), ("b", 1))])
    bpe.decoder = decoders.ByteLevel()
    bpe.add_special_tokens(["<bos>"])
    paths = []
    for name, tokenizer in (("wordpiece", wordpiece), ("unigram", unigram), ("bpe", bpe)):
        paths.append(folder / f"{name}.json")
        tokenizer.save(str(paths[-1]))
    return paths
