"""Makes the golden files of tests/golden: tiny random models with transformers' own numbers.

Needs torch, transformers, tokenizers, safetensors (a virtual environment); the tests that read the
files need none of them. Run from the repository's root, for all models or for those named:
python scripts/goldens/make_model_goldens.py [roberta-tiny ...]

Each folder holds a model as save_pretrained writes it, and golden.safetensors:
  input_ids, labels [N] and offsets [B + 1] (i32), the packed batch; labels -100 are ignored
  hidden.0 .. hidden.n [N, H] after the embeddings and after each layer, logits [N, L]
  loss (mean over labelled tokens), grad.<name> for every parameter
  curve.plain [20]: losses of AdamW, learning rate 1e-3, no decay, no clipping
  curve.scheduled [20]: linear warm-up over 4 of 20 steps from 5e-3, weight decay 0.01 on all but
    biases and norms, clipping at norm 1
  final.<name>: two parameters after the scheduled run
All are computed in double and stored as float32, but for the ids.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import BertWordPieceTokenizer
from transformers import (
    BertConfig,
    BertForTokenClassification,
    BertModel,
    BertTokenizerFast,
    CamembertConfig,
    CamembertForTokenClassification,
    DistilBertConfig,
    DistilBertForTokenClassification,
    DistilBertTokenizerFast,
    ElectraConfig,
    ElectraForTokenClassification,
    MPNetConfig,
    MPNetForTokenClassification,
    ModernBertConfig,
    ModernBertForTokenClassification,
    RobertaConfig,
    RobertaForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
    get_linear_schedule_with_warmup,
)

ROOT = Path("tests/golden/data")
LABELS = ["O", "B-LOC", "B-PER", "I-LOC", "I-PER"]
LENGTHS = [9, 1, 23, 14, 40]
WORDS = """the of and in to was visited by jane john berlin paris york new city river museum wrote
said on monday april met her his friend a train from south north old street a book about
company inc team won game last year""".split()


def write_vocabulary(folder):
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789")
    marks = list(".,'-!?():;\"&")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + marks
    pieces += ["##" + letter for letter in letters] + ["##ing", "##ed", "##er", "##lin"]
    pieces += sorted(set(WORDS) - set(pieces))
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    return len(pieces)


def is_norm(name):
    return any(part in name for part in ("LayerNorm", "layer_norm", "norm."))


def randomise(model, seed):
    """Every parameter away from its initial value: zero biases and unit gains hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if is_norm(name) and name.endswith("weight"):
                parameter.copy_(1.0 + 0.1 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            else:
                parameter.copy_(0.2 * noise)


def batch_of(vocabulary, seed):
    generator = torch.Generator().manual_seed(seed)
    ids, labels, offsets = [], [], [0]
    for length in LENGTHS:
        ids.append(torch.randint(0, vocabulary, (length,), generator=generator))
        tags = torch.randint(0, len(LABELS), (length,), generator=generator)
        ignored = torch.rand(length, generator=generator) < 0.3
        labels.append(torch.where(ignored, -100, tags))
        offsets.append(offsets[-1] + length)
    return ids, labels, offsets


def forward(model, ids, labels):
    """Sequence by sequence, so that padding plays no part: hidden states, logits, mean loss."""
    hidden, logits = [], []
    for sequence in ids:
        out = model(input_ids=sequence[None], output_hidden_states=True)
        hidden.append([state[0] for state in out.hidden_states])
        logits.append(out.logits[0])
    states = [torch.cat([h[i] for h in hidden]) for i in range(len(hidden[0]))]
    logits = torch.cat(logits)
    loss = torch.nn.functional.cross_entropy(logits, torch.cat(labels), ignore_index=-100)
    return states, logits, loss


def no_decay(name):
    return "bias" in name or is_norm(name)


def curve(model, ids, labels, scheduled):
    named = list(model.named_parameters())
    if scheduled:
        groups = [
            {"params": [p for n, p in named if not no_decay(n)], "weight_decay": 0.01},
            {"params": [p for n, p in named if no_decay(n)], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=5e-3)
        schedule = get_linear_schedule_with_warmup(optimizer, 4, 20)
    else:
        optimizer = torch.optim.AdamW([p for _, p in named], lr=1e-3, weight_decay=0.0)
    losses = []
    for _ in range(20):
        loss = forward(model, ids, labels)[2]
        losses.append(loss.item())
        loss.backward()
        if scheduled:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if scheduled:
            schedule.step()
        optimizer.zero_grad()
    return torch.tensor(losses)


def make(name, model, seed, finals):
    """The folder of one model; `finals` names the parameters to keep after the scheduled run."""
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    randomise(model, seed)
    model.eval()
    model.save_pretrained(folder)
    start = {k: v.clone().double() for k, v in model.state_dict().items()}
    model.double()

    ids, labels, offsets = batch_of(model.config.vocab_size, seed)
    states, logits, loss = forward(model, ids, labels)
    loss.backward()
    golden = {f"hidden.{i}": state.detach() for i, state in enumerate(states)}
    golden |= {"logits": logits.detach(), "loss": loss.detach().reshape(1)}
    golden |= {f"grad.{n}": p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    golden["curve.plain"] = curve(model, ids, labels, False)
    model.load_state_dict(start)
    golden["curve.scheduled"] = curve(model, ids, labels, True)
    golden |= {f"final.{n}": p.detach() for n, p in model.named_parameters() if n in finals}
    golden = {k: v.float().contiguous() for k, v in golden.items()}
    golden["input_ids"] = torch.cat(ids).int()
    golden["labels"] = torch.cat(labels).int()
    golden["offsets"] = torch.tensor(offsets).int()
    save_file(golden, str(folder / "golden.safetensors"))


LABEL_NAMES = dict(id2label=dict(enumerate(LABELS)), label2id={l: i for i, l in enumerate(LABELS)})
EAGER = dict(attn_implementation="eager")
NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
# Small files: the batch is the larger part of what these models compute.
SMALL = dict(vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
             intermediate_size=40, **NO_DROPOUT, **LABEL_NAMES, **EAGER)


def with_tokenizer(name, build, tokenizer_class):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = build(write_vocabulary(folder))
    tokenizer = tokenizer_class(vocab=str(folder / "vocab.txt"), do_lower_case=True,
                                model_max_length=model.config.max_position_embeddings)
    tokenizer.save_pretrained(folder)
    return model


def bert(vocabulary):
    return BertForTokenClassification(BertConfig(
        vocab_size=vocabulary, hidden_size=40, num_hidden_layers=2, num_attention_heads=5,
        intermediate_size=72, max_position_embeddings=64, type_vocab_size=2, **NO_DROPOUT,
        **LABEL_NAMES, **EAGER))


def distilbert(vocabulary):
    return DistilBertForTokenClassification(DistilBertConfig(
        vocab_size=vocabulary, dim=32, n_layers=3, n_heads=4, hidden_dim=64,
        max_position_embeddings=64, dropout=0.0, attention_dropout=0.0, **LABEL_NAMES, **EAGER))


def roberta():
    return RobertaForTokenClassification(RobertaConfig(
        max_position_embeddings=42, type_vocab_size=1, layer_norm_eps=1e-5, **SMALL))


def xlm_roberta():
    return XLMRobertaForTokenClassification(XLMRobertaConfig(
        max_position_embeddings=48, type_vocab_size=1, layer_norm_eps=1e-5, **SMALL))


def camembert():
    """Another padding id than the published models': positions are counted from it."""
    return CamembertForTokenClassification(CamembertConfig(
        max_position_embeddings=45, type_vocab_size=2, layer_norm_eps=1e-5, pad_token_id=4, **SMALL))


def electra():
    return ElectraForTokenClassification(ElectraConfig(
        embedding_size=20, max_position_embeddings=40, **SMALL))


def mpnet():
    return MPNetForTokenClassification(MPNetConfig(
        max_position_embeddings=42, layer_norm_eps=1e-5, **SMALL))


def modernbert():
    """Windows shorter than the sequences, so that local layers see less than global ones."""
    return ModernBertForTokenClassification(ModernBertConfig(
        vocab_size=61, hidden_size=24, num_hidden_layers=4, num_attention_heads=3, intermediate_size=20,
        max_position_embeddings=64, local_attention=10, pad_token_id=2, norm_eps=1e-4,
        rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 5000.0},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 300.0}},
        bos_token_id=0, eos_token_id=1, cls_token_id=0, sep_token_id=1, **LABEL_NAMES, **EAGER))


def variants():
    """The tiny BERT as other checkpoints store it: bare names with a pooler, old LayerNorm names,
    half precision. Each must load to the same numbers (within its storage format)."""
    source = ROOT / "bert-tiny"
    tensors = load_file(source / "model.safetensors")

    def write(name, content, config_change=None):
        folder = ROOT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        config = json.loads((source / "config.json").read_text())
        config.update(config_change or {})
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        shutil.copy(source / "vocab.txt", folder / "vocab.txt")
        save_file(content, str(folder / "model.safetensors"), metadata={"format": "pt"})

    encoder = {k.removeprefix("bert."): v for k, v in tensors.items() if k.startswith("bert.")}
    encoder["pooler.dense.weight"] = torch.zeros(40, 40)
    encoder["pooler.dense.bias"] = torch.zeros(40)
    encoder["embeddings.position_ids"] = torch.arange(64)[None]
    write("bert-tiny-bare", encoder, {"architectures": ["BertModel"]})
    old = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
           for k, v in tensors.items()}
    write("bert-tiny-gamma", old)
    write("bert-tiny-f16", {k: v.half() for k, v in tensors.items()})
    write("bert-tiny-bf16", {k: v.bfloat16() for k, v in tensors.items()})


def storage_formats():
    """The tiny RoBERTa in the other files that the Hub has: PyTorch's, and shards with an index."""
    source = ROOT / "roberta-tiny"
    tensors = load_file(source / "model.safetensors")
    names = sorted(tensors)
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]

    def folder_of(name):
        folder = ROOT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(source / "config.json", folder / "config.json")
        return folder

    def write_shards(name, file_name, save):
        folder = folder_of(name)
        weight_map = {}
        for i, half in enumerate(halves):
            shard = file_name.replace(".", f"-{i + 1:05}-of-{len(halves):05}.")
            save({k: tensors[k] for k in half}, folder / shard)
            weight_map |= {k: shard for k in half}
        index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())},
                 "weight_map": weight_map}
        (folder / f"{file_name}.index.json").write_text(json.dumps(index, indent=2) + "\n")

    torch.save(tensors, folder_of("roberta-tiny-bin") / "pytorch_model.bin")
    write_shards("roberta-tiny-shards", "model.safetensors",
                 lambda part, path: save_file(part, str(path), metadata={"format": "pt"}))
    write_shards("roberta-tiny-bin-shards", "pytorch_model.bin", torch.save)


def torch_files():
    """What torch.save can say about a tensor, beside the same tensors as safetensors."""
    folder = ROOT / "torch-files"
    folder.mkdir(exist_ok=True)
    generator = torch.Generator().manual_seed(7)
    base = torch.randn(4, 5, generator=generator)
    tensors = {
        "base": base, "row": base[2], "column": base[:, 1], "block": base[1:3, 2:4],
        "transposed": base.t(), "steps": base[::2, ::3], "permuted": torch.arange(24).reshape(2, 3, 4).permute(2, 0, 1),
        "scalar": torch.tensor(2.5), "empty": torch.zeros(3, 0), "expanded_one": torch.ones(1, 3).expand(1, 3),
        "parameter": torch.nn.Parameter(torch.randn(3, generator=generator)),
        "f64": base.double(), "f16": base.half(), "bf16": base.bfloat16(),
        "i64": torch.arange(-3, 3), "i32": torch.arange(5).int(), "i16": torch.arange(5).short(),
        "i8": torch.arange(5).char(), "u8": torch.arange(5).byte(), "bool": torch.tensor([True, False]),
    }
    torch.save(tensors, folder / "tensors.bin")
    torch.save(tensors, folder / "protocol4.bin", pickle_protocol=4)
    module = torch.nn.Linear(2, 3, bias=False)
    module.weight.data.copy_(torch.arange(6.0).reshape(3, 2))
    torch.save(module.state_dict(), folder / "state_dict.bin")
    torch.save({"x": torch.ones(2)}, folder / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"x": torch.ones(2), "step": 3}, folder / "not_tensors.bin")
    torch.save({"x": torch.ones(1).expand(1000)}, folder / "repeated.bin")
    torch.save({"x": torch.nn.Linear(2, 3)}, folder / "module.bin")
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()},
              str(folder / "expected.safetensors"))


def last_layer(prefix, name="encoder.layer.1.output.dense.weight"):
    return {prefix + name, "classifier.bias"}


MODELS = {
    "bert-tiny": lambda: make("bert-tiny", with_tokenizer("bert-tiny", bert, BertTokenizerFast), 1,
                              last_layer("bert.")),
    "distilbert-tiny": lambda: make(
        "distilbert-tiny", with_tokenizer("distilbert-tiny", distilbert, DistilBertTokenizerFast),
        2, last_layer("distilbert.", "transformer.layer.2.ffn.lin2.weight")),
    "roberta-tiny": lambda: make("roberta-tiny", roberta(), 3, last_layer("roberta.")),
    "xlm-roberta-tiny": lambda: make("xlm-roberta-tiny", xlm_roberta(), 4, last_layer("roberta.")),
    "camembert-tiny": lambda: make("camembert-tiny", camembert(), 5, last_layer("roberta.")),
    "electra-tiny": lambda: make("electra-tiny", electra(), 6, last_layer("electra.")),
    "mpnet-tiny": lambda: make("mpnet-tiny", mpnet(), 8,
                               last_layer("mpnet.") | {"mpnet.encoder.relative_attention_bias.weight"}),
    "modernbert-tiny": lambda: make(
        "modernbert-tiny", modernbert(), 9,
        {"model.layers.3.mlp.Wo.weight", "head.norm.weight", "classifier.bias"}),
    "variants": variants,
    "storage-formats": storage_formats,
    "torch-files": torch_files,
}

if __name__ == "__main__":
    for chosen in sys.argv[1:] or MODELS:
        MODELS[chosen]()
