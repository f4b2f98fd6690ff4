"""Writes the synthetic checkpoint's GGUF files without Java: text, vision, three adapters and the multi-vector head.

    python3 synthetic.py OUT [--config tiny|full] [--type bf16|q8_0|q4_k] [--vocabulary N]

In bf16 every value is the formula of tensor name and index that `embed4j synth` uses (FNV-1a, splitmix64), so vectors can be
compared with the reference. In q8_0 and q4_k the decoder's matrices are blocks of random codes: for timing only.
"""
import argparse, pathlib, struct
import torch

CONFIGS = {
    "tiny": dict(hidden=256, heads=2, kv=1, ffn=512, layers=4, vhidden=160, vheads=2, vffn=428, vdepth=4, vfull=[1, 3]),
    "full": dict(hidden=2048, heads=16, kv=2, ffn=11008, layers=36, vhidden=1280, vheads=16, vffn=3420, vdepth=32, vfull=[7, 15, 23, 31]),
}
TASKS = ["retrieval", "text-matching", "code"]
HEAD, RANK, DIM = 128, 32, 128
F32, BF16 = 0, 30
QUANTISED = {"q8_0": (8, 32, 34), "q4_k": (12, 256, 144)}  # ggml type, values and bytes of a block
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def signed(v):
    v &= (1 << 64) - 1
    return v - (1 << 64) if v >> 63 else v


def shift(z, bits):
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def values(name, first, count, mean, std):
    """float32 of bf16 precision, the tensor's flat values first .. first + count - 1."""
    seed = 0xCBF29CE484222325
    for b in name.encode():
        seed = ((seed ^ b) * 0x100000001B3) & ((1 << 64) - 1)
    parts = []
    for at in range(first, first + count, 1 << 25):
        i = torch.arange(at + 1, min(at + (1 << 25), first + count) + 1, dtype=torch.int64, device=DEVICE)
        z = i * signed(0x9E3779B97F4A7C15) + signed(seed)
        z = (z ^ shift(z, 30)) * signed(0xBF58476D1CE4E5B9)
        z = (z ^ shift(z, 27)) * signed(0x94D049BB133111EB)
        z = z ^ shift(z, 31)
        u = shift(z, 40).double() / (1 << 24)
        parts.append((mean + (2 * u - 1) * 3 ** 0.5 * std).float().bfloat16().float())
    return torch.cat(parts)


class Gguf:
    """Tensors are computed when the file is written, one at a time."""

    def __init__(self):
        self.kv, self.num_kv, self.tensors = b"", 0, []

    @staticmethod
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()

    def put(self, key, kind, packed):
        self.kv += self.text(key) + struct.pack("<I", kind) + packed
        self.num_kv += 1

    def string(self, key, v): self.put(key, 8, self.text(v))
    def u32(self, key, v): self.put(key, 4, struct.pack("<I", v))
    def f32(self, key, v): self.put(key, 6, struct.pack("<f", v))
    def true(self, key): self.put(key, 7, b"\1")
    def ints(self, key, v): self.put(key, 9, struct.pack(f"<IQ{len(v)}i", 5, len(v), *v))

    def add(self, name, kind, shape, make, block=1, block_bytes=None):
        """shape: of the array, slowest first; make() -> uint8 tensor."""
        count = 1
        for n in shape:
            count *= n
        size = count // block * (block_bytes or {F32: 4, BF16: 2}[kind])
        self.tensors.append((name, kind, shape, size, make))

    def floats(self, name, source, shape, mean, std, kind=F32, first=0):
        count = 1
        for n in shape:
            count *= n
        def make():
            v = values(source, first, count, mean, std)
            return (v.bfloat16() if kind == BF16 else v).view(torch.uint8)
        self.add(name, kind, shape, make)

    def matrix(self, name, source, out, inn, gain, weight_type="bf16", first=0):
        if weight_type == "bf16":
            return self.floats(name, source, (out, inn), 0.0, gain / inn ** 0.5, BF16, first * inn)
        kind, block, size = QUANTISED[weight_type]
        def make():
            blocks = torch.randint(0, 256, (out * inn // block, size), dtype=torch.uint8, device=DEVICE)
            scale = torch.tensor([gain / inn ** 0.5 / {"q8_0": 74, "q4_k": 32 * 5}[weight_type]], dtype=torch.float16, device=DEVICE)
            blocks[:, 0:2] = scale.view(torch.uint8)
            if weight_type == "q4_k":
                blocks[:, 2:4] = (scale * 7.5).view(torch.uint8)
            return blocks.flatten()
        self.add(name, kind, (out, inn), make, block, size)

    def write(self, path):
        infos, at = b"", 0
        for name, kind, shape, size, _ in self.tensors:
            infos += self.text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, at)
            at += (size + 31) // 32 * 32
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), self.num_kv) + self.kv + infos
        with open(path, "wb") as f:
            f.write(head + b"\0" * (-len(head) % 32))
            for name, _, _, size, make in self.tensors:
                data = make().cpu().contiguous().numpy()
                assert data.nbytes == size, name
                f.write(data)
                f.write(b"\0" * (-size % 32))


def linears(c):
    """llama.cpp's name, the checkpoint's, out, in, gain, bias of a decoder layer's linear layers."""
    H, F, q, kv = c["hidden"], c["ffn"], c["heads"] * HEAD, c["kv"] * HEAD
    return [("attn_q", "self_attn.q_proj", q, H, 1.4, True), ("attn_k", "self_attn.k_proj", kv, H, 1.4, True),
            ("attn_v", "self_attn.v_proj", kv, H, 1.0, True), ("attn_output", "self_attn.o_proj", H, q, 1.0, False),
            ("ffn_gate", "mlp.gate_proj", F, H, 1.0, False), ("ffn_up", "mlp.up_proj", F, H, 1.0, False),
            ("ffn_down", "mlp.down_proj", H, F, 1.5, False)]


def text_file(c, weight_type, vocabulary):
    g, p = Gguf(), "qwen2vl."
    g.string("general.architecture", "qwen2vl")
    for key, v in [("embedding_length", c["hidden"]), ("feed_forward_length", c["ffn"]), ("block_count", c["layers"]),
                   ("attention.head_count", c["heads"]), ("attention.head_count_kv", c["kv"]), ("context_length", 128000)]:
        g.u32(p + key, v)
    g.f32(p + "attention.layer_norm_rms_epsilon", 1e-6)
    g.f32(p + "rope.freq_base", 1e6)
    g.ints(p + "rope.dimension_sections", [16, 24, 24, 0])
    g.floats("token_embd.weight", "model.embed_tokens.weight", (vocabulary, c["hidden"]), 0.0, 1.0, BF16)
    for i in range(c["layers"]):
        to, source = f"blk.{i}.", f"model.layers.{i}."
        g.floats(to + "attn_norm.weight", source + "input_layernorm.weight", (c["hidden"],), 1.0, 0.2)
        g.floats(to + "ffn_norm.weight", source + "post_attention_layernorm.weight", (c["hidden"],), 1.0, 0.2)
        for name, module, out, inn, gain, bias in linears(c):
            g.matrix(to + name + ".weight", source + module + ".weight", out, inn, gain, weight_type)
            if bias:
                g.floats(to + name + ".bias", source + module + ".bias", (out,), 0.0, 0.3)
    g.floats("output_norm.weight", "model.norm.weight", (c["hidden"],), 1.0, 0.2)
    return g


def adapter_file(c, task):
    g = Gguf()
    for key, v in [("general.architecture", "qwen2vl"), ("general.type", "adapter"), ("adapter.type", "lora"), ("embed4j.task", task)]:
        g.string(key, v)
    g.f32("adapter.lora.alpha", RANK)
    for i in range(c["layers"]):
        for name, module, out, inn, _, _ in linears(c):
            to, source = f"blk.{i}.{name}.weight.", f"model.layers.{i}.{module}."
            g.floats(to + "lora_a", f"{source}lora_A.{task}", (RANK, inn), 0.0, 1 / inn ** 0.5, BF16)
            g.floats(to + "lora_b", f"{source}lora_B.{task}", (out, RANK), 0.0, 0.5 / RANK ** 0.5, BF16)
    return g


def multivector_file(c):
    g, H = Gguf(), c["hidden"]
    g.string("general.architecture", "embed4j-multivector")
    g.u32("embed4j.multivector_dim", DIM)
    g.f32("embed4j.lora.alpha", RANK)
    g.u32("embed4j.lora.rank", RANK)
    g.matrix("multivector.weight", "multi_vector_projector.weight", DIM, H, 1.0)
    g.floats("multivector.bias", "multi_vector_projector.bias", (DIM,), 0.0, 0.1)
    for task in TASKS:
        g.floats(f"multivector.{task}.lora_a", f"multi_vector_projector.lora_A.{task}", (RANK, H), 0.0, 1 / H ** 0.5, BF16)
        g.floats(f"multivector.{task}.lora_b", f"multi_vector_projector.lora_B.{task}", (DIM, RANK), 0.0, 0.5 / RANK ** 0.5, BF16)
    return g


def vision_file(c):
    g, p, V, F = Gguf(), "clip.vision.", c["vhidden"], c["vffn"]
    g.string("general.architecture", "clip")
    g.string("clip.projector_type", "qwen2.5vl_merger")
    g.true("clip.use_silu")
    for key, v in [("embedding_length", V), ("feed_forward_length", F), ("block_count", c["vdepth"]), ("attention.head_count", c["vheads"]),
                   ("projection_dim", c["hidden"]), ("patch_size", 14), ("spatial_merge_size", 2), ("window_size", 112)]:
        g.u32(p + key, v)
    g.f32(p + "attention.layer_norm_epsilon", 1e-6)
    g.ints(p + "wa_layer_indexes", c["vfull"])
    def frame(t):
        return lambda: values("visual.patch_embed.proj.weight", 0, V * 1176, 0.0, 1 / 1176 ** 0.5).view(V * 3, 2, 196)[:, t].contiguous().view(torch.uint8)
    for t, name in enumerate(["v.patch_embd.weight", "v.patch_embd.weight.1"]):
        g.add(name, F32, (V, 3, 14, 14), frame(t))
    for i in range(c["vdepth"]):
        to, source = f"v.blk.{i}.", f"visual.blocks.{i}."
        g.floats(to + "ln1.weight", source + "norm1.weight", (V,), 1.0, 0.2)
        g.floats(to + "ln2.weight", source + "norm2.weight", (V,), 1.0, 0.2)
        for j, part in enumerate("qkv"):
            g.matrix(f"{to}attn_{part}.weight", source + "attn.qkv.weight", V, V, 1.3, first=j * V)
            g.floats(f"{to}attn_{part}.bias", source + "attn.qkv.bias", (V,), 0.0, 0.3, first=j * V)
        for name, module, out, inn, gain in [("attn_out", "attn.proj", V, V, 1.0), ("ffn_gate", "mlp.gate_proj", F, V, 1.0),
                                             ("ffn_up", "mlp.up_proj", F, V, 1.0), ("ffn_down", "mlp.down_proj", V, F, 1.5)]:
            g.matrix(to + name + ".weight", f"{source}{module}.weight", out, inn, gain)
            g.floats(to + name + ".bias", f"{source}{module}.bias", (out,), 0.0, 0.1)
    g.floats("v.post_ln.weight", "visual.merger.ln_q.weight", (V,), 1.0, 0.2)
    for name, module, out, gain in [("mm.0", "visual.merger.mlp.0", 4 * V, 1.0), ("mm.2", "visual.merger.mlp.2", c["hidden"], 1.7)]:
        g.matrix(name + ".weight", module + ".weight", out, 4 * V, gain)
        g.floats(name + ".bias", module + ".bias", (out,), 0.0, 0.1)
    return g


def write(folder, config, weight_type="bf16", vocabulary=151936, text_only=False):
    folder, c = pathlib.Path(folder), CONFIGS[config]
    folder.mkdir(parents=True, exist_ok=True)
    text_file(c, weight_type, vocabulary).write(folder / "text.gguf")
    if text_only:
        return
    vision_file(c).write(folder / "vision.gguf")
    multivector_file(c).write(folder / "multivector.gguf")
    for task in TASKS:
        adapter_file(c, task).write(folder / f"adapter-{task}.gguf")


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("out")
    a.add_argument("--config", default="tiny", choices=CONFIGS)
    a.add_argument("--type", default="bf16", choices=["bf16", *QUANTISED])
    a.add_argument("--vocabulary", type=int, default=151936)
    a = a.parse_args()
    write(a.out, a.config, a.type, a.vocabulary)
