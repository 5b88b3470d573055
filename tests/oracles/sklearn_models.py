#!/usr/bin/env python3
"""scikit-learn models exported with skl2onnx: Ingot's labels and scores against ONNX Runtime's.

Fits small models on random data (a fixed seed), exports each, runs ONNX Runtime on inputs that the fit did not see
(NaN where a model takes it), and hands model, inputs and outputs to the test program `onnx_cases`, as it does with the
backend cases of ONNX: with the optimizer, without it, and node by node.

    sklearn_models.py --runner build/release/bin/onnx_cases [--filter TEXT] [--keep FOLDER]

Labels must be equal, scores within 1e-4. Exit code 1 on a difference.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn import (ensemble, feature_extraction, gaussian_process, impute, linear_model, naive_bayes, neighbors,
                     neural_network, pipeline, preprocessing, svm, tree)
from sklearn.compose import ColumnTransformer

ROWS, FEATURES = 200, 8
TARGET = {"": 21, "ai.onnx.ml": 3}  # the newest that skl2onnx writes every operator for
WORDS = "the quick brown fox jumps over a lazy dog while seven angry cats watch from their warm window sill".split()


def data(rng, classes=3, rows=ROWS):
    x = rng.standard_normal((rows, FEATURES)).astype(np.float32)
    score = x @ np.linspace(-1, 1, FEATURES) + 0.5 * x[:, 0] * x[:, 1] + 0.1 * rng.standard_normal(rows)
    return x, np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)), score.astype(np.float32)


def texts(rng, rows):
    return np.array([" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(rows)])


def classifiers():
    yield "decision_tree", tree.DecisionTreeClassifier(max_depth=6, random_state=0)
    yield "random_forest", ensemble.RandomForestClassifier(25, random_state=0)
    yield "extra_trees", ensemble.ExtraTreesClassifier(15, random_state=0)
    yield "gradient_boosting", ensemble.GradientBoostingClassifier(n_estimators=12, random_state=0)
    yield "hist_gradient_boosting", ensemble.HistGradientBoostingClassifier(max_iter=12, random_state=0)
    yield "ada_boost", ensemble.AdaBoostClassifier(n_estimators=8, random_state=0)
    yield "logistic_regression", linear_model.LogisticRegression()
    yield "sgd", linear_model.SGDClassifier(random_state=0)
    yield "linear_svc", svm.LinearSVC(random_state=0)
    yield "svc_rbf", svm.SVC(random_state=0)
    yield "svc_rbf_probability", svm.SVC(probability=True, random_state=0)
    yield "svc_poly", svm.SVC(kernel="poly", degree=3, coef0=0.5, random_state=0)
    yield "svc_sigmoid", svm.SVC(kernel="sigmoid", gamma=0.05, random_state=0)
    yield "nu_svc", svm.NuSVC(nu=0.2, probability=True, random_state=0)
    yield "naive_bayes", naive_bayes.GaussianNB()
    yield "neighbors", neighbors.KNeighborsClassifier(5)
    yield "perceptrons", neural_network.MLPClassifier(hidden_layer_sizes=(16,), max_iter=60, random_state=0)
    yield "scaled_logistic", pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())


def regressors():
    yield "decision_tree", tree.DecisionTreeRegressor(max_depth=6, random_state=0)
    yield "random_forest", ensemble.RandomForestRegressor(25, random_state=0)
    yield "gradient_boosting", ensemble.GradientBoostingRegressor(n_estimators=20, random_state=0)
    yield "hist_gradient_boosting", ensemble.HistGradientBoostingRegressor(max_iter=20, random_state=0)
    yield "bagging", ensemble.BaggingRegressor(n_estimators=6, random_state=0)
    yield "linear", linear_model.LinearRegression()
    yield "ridge", linear_model.Ridge()
    yield "poisson", linear_model.PoissonRegressor()
    yield "svr_rbf", svm.SVR()
    yield "svr_poly", svm.SVR(kernel="poly", coef0=0.3)
    yield "nu_svr", svm.NuSVR(kernel="linear")
    yield "one_class_svm", svm.OneClassSVM(nu=0.1)
    yield "isolation_forest", ensemble.IsolationForest(n_estimators=10, random_state=0)
    yield "gaussian_process", gaussian_process.GaussianProcessRegressor(alpha=10.0)
    yield "perceptrons", neural_network.MLPRegressor(hidden_layer_sizes=(12,), max_iter=60, random_state=0)


def transformers():
    yield "standard_scaler", preprocessing.StandardScaler()
    yield "min_max_scaler", preprocessing.MinMaxScaler()
    yield "robust_scaler", preprocessing.RobustScaler()
    yield "max_abs_scaler", preprocessing.MaxAbsScaler()
    yield "binarizer", preprocessing.Binarizer(threshold=0.3)
    yield "polynomials", preprocessing.PolynomialFeatures(2)
    yield "bins", preprocessing.KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf")
    yield "power", preprocessing.PowerTransformer()
    yield "imputer", impute.SimpleImputer()
    for norm in ("max", "l1", "l2"):
        yield f"normalizer_{norm}", preprocessing.Normalizer(norm)


def export(model, types, options=None):
    """The model as ONNX, its scores as a matrix where it has any; None if skl2onnx cannot."""
    last = model.steps[-1][1] if isinstance(model, pipeline.Pipeline) else model
    for more in ({id(last): {"zipmap": False}}, {}):
        try:
            return to_onnx(model, initial_types=types, options={**(options or {}), **more}, target_opset=TARGET)
        except NameError:
            continue
        except (RuntimeError, NotImplementedError, ValueError, IndexError, AttributeError) as why:
            print(f"skl2onnx cannot export {type(last).__name__}: {str(why).splitlines()[0][:100]}")
            return None
    return None


def export_cases(rng):
    """(name, ModelProto, {input: array})"""
    unseen = rng.standard_normal((50, FEATURES)).astype(np.float32)
    floats = [("x", FloatTensorType([None, FEATURES]))]
    for classes in (2, 3, 5):
        x, y, _ = data(rng, classes)
        for labels in ("int", "text"):
            target = y if labels == "int" else np.array(["zero", "one", "two", "three", "four"])[y]
            for name, model in classifiers():
                model.fit(x, target)
                yield f"{name}_{classes}_{labels}", export(model, floats), {"x": unseen}
    x, y, _ = data(rng)
    for name, target in (("int", y), ("text", np.array(["zero", "one", "two"])[y])):
        model = linear_model.LogisticRegression().fit(x, target)
        yield f"zip_map_{name}", to_onnx(model, initial_types=floats, target_opset=TARGET), {"x": unseen}
    x, _, y = data(rng)
    gaps = np.where(rng.random(unseen.shape) < 0.2, np.nan, unseen).astype(np.float32)
    for name, model in regressors():
        model.fit(x, np.abs(y) if name == "poisson" else y)
        yield f"{name}_regressor", export(model, floats), {
            "x": gaps if name.startswith("hist") else unseen}
    model = ensemble.RandomForestRegressor(10, random_state=0).fit(x, np.stack([y, y * y], 1))
    yield "random_forest_two_targets", export(model, floats), {"x": unseen}
    for name, model in transformers():
        model.fit(x)
        yield name, export(model, floats), {"x": gaps if name == "imputer" else unseen}
    yield from mixed_cases(rng)
    yield from text_cases(rng)
    yield from map_cases()


def mixed_cases(rng):
    """Columns of numbers and of words, scaled and one-hot encoded."""
    rows = 120
    numbers, codes = rng.standard_normal((rows, 3)).astype(np.float32), rng.integers(0, 6, (rows, 1)).astype(np.int64)
    words = rng.choice(WORDS[:5], (rows, 2))
    y = (numbers[:, 0] + (words[:, 0] == "fox") + 0.3 * codes[:, 0] > 0.8).astype(np.int64)
    frame = np.concatenate([numbers.astype(object), codes.astype(object), words.astype(object)], 1)
    columns = ColumnTransformer([("numbers", preprocessing.StandardScaler(), [0, 1, 2]),
                                 ("code", preprocessing.OneHotEncoder(handle_unknown="ignore"), [3]),
                                 ("words", preprocessing.OneHotEncoder(handle_unknown="ignore"), [4, 5])])
    types = [(n, FloatTensorType([None, 1])) for n in "abc"] + [("code", Int64TensorType([None, 1]))]
    types += [(n, StringTensorType([None, 1])) for n in "wv"]
    words[:7, 0] = "never seen"
    feed = {"a": numbers[:, :1], "b": numbers[:, 1:2], "c": numbers[:, 2:], "code": codes, "w": words[:, :1],
            "v": words[:, 1:]}
    for name, last in (("logistic", linear_model.LogisticRegression()),
                       ("forest", ensemble.RandomForestClassifier(10, random_state=0))):
        model = pipeline.Pipeline([("columns", columns), ("last", last)]).fit(frame, y)
        yield f"columns_{name}", export(model, types), feed
    encoder = preprocessing.OrdinalEncoder().fit(words[7:])
    yield "ordinal_encoder", export(encoder, [("x", StringTensorType([None, 2]))]), {"x": words[7:]}
    labels = preprocessing.LabelEncoder().fit(WORDS)
    yield "label_encoder", export(labels, [("x", StringTensorType([None]))]), {"x": np.array(WORDS[::-1])}


def text_cases(rng):
    fit, unseen = texts(rng, 150), texts(rng, 40)
    y = np.array(["fox" in t for t in fit]).astype(np.int64)
    types = [("x", StringTensorType([None, 1]))]
    for name, vectorizer in (("counts", feature_extraction.text.CountVectorizer()),
                             ("bigrams", feature_extraction.text.CountVectorizer(ngram_range=(1, 2))),
                             ("tf_idf", feature_extraction.text.TfidfVectorizer()),
                             ("tf_idf_bigrams", feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2), norm=None))):
        last = linear_model.LogisticRegression()
        model = pipeline.make_pipeline(vectorizer, last).fit(fit, y)
        vectorizer_options = {id(vectorizer): {"tokenexp": "[a-zA-Z0-9_]+"}}
        for what, part in (("", model), ("_alone", vectorizer)):
            yield f"text_{name}{what}", export(part, types, vectorizer_options), {"x": unseen[:, None]}


def tensor_proto(a):
    if a.dtype.kind in "UO":
        return helper.make_tensor("", onnx.TensorProto.STRING, a.shape, [str(s).encode() for s in a.ravel()])
    return numpy_helper.from_array(a)


def map_cases():
    """Operators whose input is a map, which scikit-learn's models do not use."""
    for name, key, feed, attributes in (
            ("DictVectorizer", onnx.TensorProto.STRING, {"b": 2.0, "zz": 7.0, "a": 1.0}, {"string_vocabulary": ["a", "b", "c"]}),
            ("DictVectorizer", onnx.TensorProto.INT64, {9: 2.0, 3: 1.0}, {"int64_vocabulary": [3, 4, 9]}),
            *(("CastMap", onnx.TensorProto.INT64, {3: 2.5, 1: 7.0}, {"cast_to": to, "map_form": form, "max_map": 5})
              for to in ("TO_FLOAT", "TO_STRING", "TO_INT64") for form in ("DENSE", "SPARSE"))):
        of_type = onnx.TypeProto()
        of_type.map_type.key_type = key
        of_type.map_type.value_type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        node = helper.make_node(name, ["x"], ["y"], domain="ai.onnx.ml", **attributes)
        graph = helper.make_graph([node], name, [helper.make_value_info("x", of_type)],
                                  [helper.make_empty_tensor_value_info("y")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 1)], ir_version=8)
        yield "_".join([name, str(key), *(v for v in attributes.values() if isinstance(v, str))]), model, {"x": feed}


def map_proto(m):
    text = isinstance(next(iter(m)), str)
    proto = onnx.MapProto(key_type=onnx.TensorProto.STRING if text else onnx.TensorProto.INT64)
    if text:
        proto.string_keys.extend(k.encode() for k in m)
    else:
        proto.keys.extend(m)
    values = numpy_helper.from_array(np.array(list(m.values()), np.float32))
    proto.values.CopyFrom(onnx.SequenceProto(elem_type=onnx.SequenceProto.TENSOR, tensor_values=[values]))
    return proto


def value_proto(value):
    """An array, a map, or a sequence of maps (ZipMap's result)."""
    if isinstance(value, dict):
        return map_proto(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return onnx.SequenceProto(elem_type=onnx.SequenceProto.MAP, map_values=[map_proto(m) for m in value])
    return tensor_proto(np.asarray(value))


def write_case(folder, model, feed):
    for node in model.graph.node:  # ONNX Runtime changes cases by a locale of the machine, of which this one is on all
        if node.op_type == "StringNormalizer" and not any(a.name == "locale" for a in node.attribute):
            node.attribute.append(helper.make_attribute("locale", "C.UTF-8"))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = session.run(None, {k: v.astype(object) if getattr(v, "dtype", np.dtype(int)).kind == "U" else v for k, v in feed.items()})
    sets = folder / "test_data_set_0"
    sets.mkdir(parents=True)
    onnx.save(model, str(folder / "model.onnx"))
    for kind, arrays in (("input", [feed[i.name] for i in session.get_inputs()]), ("output", results)):
        for i, a in enumerate(arrays):
            proto = value_proto(a)
            (sets / f"{kind}_{i}.pb").write_bytes(proto.SerializeToString())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--keep", help="write the cases here and keep them")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    root = pathlib.Path(args.keep or tempfile.mkdtemp(prefix="sklearn_models_"))
    folders, absent = [], set()
    for name, model, feed in export_cases(np.random.default_rng(1)):
        if args.filter not in name:
            continue
        if model is None:
            absent.add(name)
            continue
        folder = root / name
        shutil.rmtree(folder, ignore_errors=True)
        write_case(folder, model, feed)
        folders.append(folder)
    (root / "list.txt").write_text("".join(f"{f} 1e-4 1e-4\n" for f in folders))
    bad = 0
    for way in ([], ["--no-passes"], ["--ref"]):
        done = subprocess.run([args.runner, str(root / "list.txt"), *way], capture_output=True, text=True)
        lines = done.stdout.splitlines()
        good = sum(line.startswith("PASS ") for line in lines)
        bad += len(folders) - good
        for line in lines:
            if not line.startswith("PASS "):
                print(line)
        print(f"{' '.join(way) or 'optimized':12} {good} of {len(folders)} models equal ONNX Runtime "
              f"{onnxruntime.__version__}")
    if not args.keep:
        shutil.rmtree(root)
    if absent:
        print(f"skl2onnx exported none of: {', '.join(sorted(absent))}")
    sys.exit(1 if bad or absent or not folders else 0)


if __name__ == "__main__":
    main()
