#!/usr/bin/python3
"""Writes models/NAME: a small model's parameters, and PyTorch's logits, loss and gradients for a batch.

  make_models.py                   writes the files (needs Debian's python3-torch)
  make_models.py --check           compares with the committed ones; 77 where torch is not installed
  make_models.py --transformers    compares BERT here with transformers' own (4.36.2 from PyPI), which must be installed

NAME/model.safetensors has parameters and buffers under PyTorch's, torchvision's or Hugging Face's names;
NAME/expected.safetensors has x, y, logits, loss and "grad.NAME" of each parameter. Parameters are f32, all that is
computed from them is f64, rounded to f32.
"""
import json
import os
import struct
import sys

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    print("skipped: PyTorch is not installed (Debian's package python3-torch)")
    sys.exit(77)

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
NAMES = {torch.float32: "F32", torch.int64: "I64"}


def bytes_of(tensor):
    tensor = tensor.detach().contiguous()
    code = {torch.float32: "f", torch.int64: "q"}[tensor.dtype]
    return struct.pack(f"<{tensor.numel()}{code}", *tensor.reshape(-1).tolist())


def safetensors(tensors):
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].element_size() != 8, item[0])):
        blob = bytes_of(tensor)
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)


# ---- BERT with a class for each token, as Hugging Face's BertForTokenClassification -----------------------------

CONFIG = {"architectures": ["BertForTokenClassification"], "model_type": "bert", "vocab_size": 40, "hidden_size": 16,
          "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 16,
          "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
          "layer_norm_eps": 1e-12, "initializer_range": 0.02, "pad_token_id": 0,
          "id2label": {"0": "O", "1": "B-PER", "2": "I-PER"}, "label2id": {"O": 0, "B-PER": 1, "I-PER": 2}}


class Part(nn.Module):
    """A module of named parts, called by a function of them."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, *x):
        return self.function(self, *x)


def bert_layer(width, heads, hidden, eps):
    def attend(self, x, mask):
        n, length, _ = x.shape
        q, k, v = (part(x).view(n, length, heads, -1).transpose(1, 2) for part in (self.query, self.key, self.value))
        scores = q @ k.transpose(2, 3) / (width // heads) ** 0.5 + mask
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width)

    def output(size):
        return Part(lambda self, x, residual: self.LayerNorm(self.dense(x) + residual),
                    dense=nn.Linear(size, width), LayerNorm=nn.LayerNorm(width, eps))
    attention = Part(lambda self, x, mask: self.output(self._modules["self"](x, mask), x),
                     self_=Part(attend, query=nn.Linear(width, width), key=nn.Linear(width, width), value=nn.Linear(width, width)),
                     output=output(width))
    attention._modules["self"] = attention._modules.pop("self_")

    def layer(self, x, mask):
        x = self.attention(x, mask)
        return self.output(F.gelu(self.intermediate.dense(x)), x)
    return Part(layer, attention=attention, intermediate=Part(None, dense=nn.Linear(width, hidden)), output=output(hidden))


def bert(c=CONFIG, labels=3):
    width = c["hidden_size"]

    def embed(self, ids):
        places = torch.arange(ids.shape[1])
        return self.LayerNorm(self.word_embeddings(ids) + self.position_embeddings(places) +
                              self.token_type_embeddings(torch.zeros_like(ids)))
    embeddings = Part(embed, word_embeddings=nn.Embedding(c["vocab_size"], width, padding_idx=0),
                      position_embeddings=nn.Embedding(c["max_position_embeddings"], width),
                      token_type_embeddings=nn.Embedding(2, width), LayerNorm=nn.LayerNorm(width, c["layer_norm_eps"]))
    layers = nn.ModuleList(bert_layer(width, c["num_attention_heads"], c["intermediate_size"], c["layer_norm_eps"])
                           for _ in range(c["num_hidden_layers"]))

    def encode(self, x, mask):
        for layer in self.layer:
            x = layer(x, mask)
        return x

    def body(self, ids):
        element = self.embeddings.LayerNorm.weight.dtype
        mask = (ids == 0)[:, None, None, :].to(element) * torch.finfo(element).min
        return self.encoder(self.embeddings(ids), mask)
    return Part(lambda self, ids: self.classifier(self.bert(ids)),
                bert=Part(body, embeddings=embeddings, encoder=Part(encode, layer=layers)),
                classifier=nn.Linear(width, labels))


def bert_batch():
    ids = torch.randint(5, 40, (3, 12))
    ids[:, 0] = 2
    ids[1, 9:] = 0
    ids[2, 5:] = 0
    y = torch.randint(0, 3, (3, 12))
    y[ids == 0] = -100
    y[:, 0] = -100
    return ids, y


# ---- ResNets, as torchvision's; `width` is 64 there ------------------------------------------------------------

class Block(nn.Module):
    expansion = 1

    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.downsample = shortcut(channels, width, stride)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = shortcut(channels, 4 * width, stride)

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + (self.downsample(x) if self.downsample else x))


def shortcut(channels, out, stride):
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))


class ResNet(nn.Module):
    def __init__(self, block, counts, classes, width, small):
        super().__init__()
        self.small = small
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False) if small else nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for i, count in enumerate(counts):
            blocks = []
            for j in range(count):
                blocks.append(block(channels, width << i, 2 if i > 0 and j == 0 else 1))
                channels = (width << i) * block.expansion
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if not self.small:
            x = F.max_pool2d(x, 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.fc(x.mean((2, 3)))


# ---- A vision transformer, as torchvision's VisionTransformer ---------------------------------------------------

class EncoderBlock(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0), nn.Linear(hidden, width))

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class VisionTransformer(nn.Module):
    def __init__(self, image, patch, width, layers, heads, hidden, classes):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.encoder = nn.Module()
        self.encoder.pos_embedding = nn.Parameter(torch.zeros(1, (image // patch) ** 2 + 1, width))
        self.encoder.layers = nn.ModuleDict({f"encoder_layer_{i}": EncoderBlock(width, heads, hidden) for i in range(layers)})
        self.encoder.ln = nn.LayerNorm(width, 1e-6)
        self.heads = nn.ModuleDict({"head": nn.Linear(width, classes)})

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1) + self.encoder.pos_embedding
        for layer in self.encoder.layers.values():
            x = layer(x)
        return self.heads["head"](self.encoder.ln(x)[:, 0])


# ---- Texts: an embedding, an LSTM, a dense layer on its last state ------------------------------------------------

class LstmText(nn.Module):
    def __init__(self, words, classes, embedding, hidden):
        super().__init__()
        self.embedding = nn.Embedding(words, embedding, padding_idx=0)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x):
        lengths = (x != 0).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(x), lengths, batch_first=True, enforce_sorted=False)
        return self.fc(self.lstm(packed)[1][0][-1])


def text_batch():
    x = torch.randint(1, 20, (5, 9))
    for row, length in enumerate((9, 4, 7, 1, 9)):
        x[row, length:] = 0
    return x, torch.randint(0, 3, (5,))


def images(count, size):
    return torch.randn(count, 3, size, size), torch.randint(0, 5, (count,))


MODELS = {
    "bert": (bert, bert_batch, False),
    "resnet18": (lambda: ResNet(Block, [2, 2, 2, 2], 5, 4, True), lambda: images(4, 16), True),
    "resnet50": (lambda: ResNet(Bottleneck, [3, 4, 6, 3], 5, 2, False), lambda: images(4, 64), True),
    "vit": (lambda: VisionTransformer(8, 4, 16, 2, 2, 24, 5), lambda: images(3, 8), False),
    "lstm_text": (lambda: LstmText(20, 3, 6, 8), text_batch, False),
}


def initialised(make):
    """Every parameter away from zeros and ones, so that each has its say."""
    model = make()
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            parameter.add_(0.1 * torch.randn(parameter.shape))
            # Of full weight, 16 blocks make gradients that f32 has to three digits only, in PyTorch, too.
            if name.endswith("bn3.weight"):
                parameter.mul_(0.1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(0.1 * torch.randn(module.running_mean.shape))
            module.running_var.copy_(0.5 + torch.rand(module.running_var.shape))
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx] = 0
    return model


def files(name):
    make, batch, training = MODELS[name]
    torch.manual_seed(len(name))
    model = initialised(make)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    x, y = batch()
    state_file = safetensors(state)
    model = model.double().train(training)
    exact = x.double() if x.is_floating_point() else x
    logits = model(exact)
    loss = F.cross_entropy(logits.transpose(1, 2) if logits.dim() == 3 else logits, y)
    loss.backward()
    expected = {"x": x, "y": y, "logits": logits.float(), "loss": loss.float()}
    for key, parameter in model.named_parameters():
        expected["grad." + key] = parameter.grad.float()
    made = {"model.safetensors": state_file, "expected.safetensors": safetensors(expected)}
    if name == "bert":
        made["config.json"] = (json.dumps(CONFIG, indent=1) + "\n").encode()
        made["vocab.txt"] = "".join(f"{token}\n" for token in
                                    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(97 + i) for i in range(26)] +
                                    [f"##{chr(97 + i)}" for i in range(9)]).encode()
    return made


def against_transformers():
    from transformers import BertConfig, BertForTokenClassification
    torch.manual_seed(len("bert"))
    ours = initialised(bert)
    x, y = bert_batch()
    theirs = BertForTokenClassification(BertConfig(**{**CONFIG, "id2label": {0: "O", 1: "B-PER", 2: "I-PER"}}))
    left = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not left.unexpected_keys and all("position_ids" in key or "token_type_ids" in key for key in left.missing_keys), left
    ours, theirs = ours.double().eval(), theirs.double().eval()
    output = theirs(input_ids=x, attention_mask=(x != 0).long(), labels=y)
    logits = ours(x)
    F.cross_entropy(logits.transpose(1, 2), y).backward()
    output.loss.backward()
    seen = x != 0
    worst = (output.logits[seen] - logits[seen]).abs().max().item()
    own = dict(ours.named_parameters())
    for key, parameter in theirs.named_parameters():
        worst = max(worst, (parameter.grad - own[key].grad).abs().max().item())
    print(f"transformers' BertForTokenClassification and this one differ by at most {worst:.3g}")
    assert worst < 1e-12


def main():
    if "--transformers" in sys.argv:
        against_transformers()
        return
    for name in MODELS:
        folder = os.path.join(HERE, name)
        os.makedirs(folder, exist_ok=True)
        for file, content in files(name).items():
            path = os.path.join(folder, file)
            if "--check" not in sys.argv:
                with open(path, "wb") as stream:
                    stream.write(content)
                continue
            with open(path, "rb") as stream:
                committed = stream.read()
            if len(committed) != len(content):
                sys.exit(f"{path} is not what would be written")
            # Another build of PyTorch may round otherwise.
            start = 8 + int.from_bytes(content[:8], "little") if file.endswith(".safetensors") else len(content)
            if committed[:start] != content[:start]:
                sys.exit(f"{path} is not what would be written")
            rest = [struct.unpack(f"<{(len(data) - start) // 4}f", data[start:]) for data in (committed, content)]
            # Whole numbers of a batch, read as pairs of f32, are equal to the bit or differ by much.
            for a, b in zip(*rest):
                if a != b and not abs(a - b) <= 1e-5 * max(1.0, abs(b)) and not (a != a and b != b):
                    sys.exit(f"{path}: {a} where {b} would be written")


if __name__ == "__main__":
    main()
