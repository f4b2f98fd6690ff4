"""The table of ratios on one GPU, each beside its peer in the same run, as Markdown.

    python3 table.py LIBRARY ATTENTION_BENCH SCRATCH_FOLDER

Answers are checked (finite, and fp8 and stored weights against bf16) before anything is timed. A part that fails is a row that
says so, and the exit status.
"""
import os, pathlib, shutil, statistics, subprocess, sys, time
import numpy as np
import torch
import embed4j, synthetic

LINEARS = 2_774_532_096          # weights of the full decoder's linear layers
LORA = 59_867_136
PAGE_TFLOP = 8.72                # 3,072 patches through tower and decoder (768 + 20 tokens)


def seconds(run, warm=2, times=5):
    for _ in range(warm):
        run()
    took = []
    for _ in range(times):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def on_stream(run, times=20):
    for _ in range(3):
        run()
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(times):
        run()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1e3 / times


def flop_per_token(tokens, lora):
    return 2 * (LINEARS + (LORA if lora else 0)) + 4 * 16 * 128 * 36 * (tokens + 1) / 2


def ids(count, length):
    return [[(7919 * i + 104729 * j) % 150000 for j in range(length)] for i in range(count)]


def opened(library, folder, form, precision="model"):
    os.environ["EMBED4J_CUDA_WEIGHTS"] = form
    model = embed4j.Model(library, folder, "cuda", precision)
    print(f"# {folder}: {model.device}", file=sys.stderr)
    return model


def finite(run):
    pooled = np.frombuffer(run()[0], np.float32).copy()
    assert np.isfinite(pooled).all() and np.abs(pooled).max() > 0, "not finite, or nothing but zeros"
    return pooled


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def transformers_rate():
    """Tokens/s of the best batch size at 512 tokens, random weights of the same shape, flash attention through PyTorch."""
    import transformers
    from transformers.models.qwen2_5_vl import configuration_qwen2_5_vl as configuration, modeling_qwen2_5_vl as modeling
    from torch.nn.attention import SDPBackend, sdpa_kernel
    c, sections = synthetic.CONFIGS["full"], [16, 24, 24]
    if int(transformers.__version__.split(".")[0]) >= 5:
        rotary = dict(rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections})
    else:
        rotary = dict(rope_theta=1e6, rope_scaling={"type": "mrope", "mrope_section": sections})
    config = configuration.Qwen2_5_VLTextConfig(
        hidden_size=c["hidden"], intermediate_size=c["ffn"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
        num_key_value_heads=c["kv"], vocab_size=151936, **rotary)
    config._attn_implementation = "sdpa"
    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16)
        model = modeling.Qwen2_5_VLTextModel(config).eval()
        torch.set_default_dtype(torch.float32)
    best = 0
    with torch.inference_mode(), sdpa_kernel([SDPBackend.FLASH_ATTENTION]):  # and no other: it raises where flash cannot be used
        for count in (8, 16, 32, 64):
            tokens = torch.tensor(ids(count, 512), device="cuda")
            best = max(best, count * 512 / seconds(lambda: model(input_ids=tokens, use_cache=False).last_hidden_state.mean(1), 2, 3))
    del model
    torch.cuda.empty_cache()
    return best


class Table:
    """Prints each row as it comes, so that a run that is cut short leaves those it had."""

    def __init__(self):
        self.failed = False
        print("| ratio | measured | gate | goal | |\n|---|---|---|---|---|", flush=True)

    def row(self, what, value, gate, goal, note):
        print(f"| {what} | {value:.3f} | {gate} | {goal} | {note} |", flush=True)

    def part(self, name, body):
        """Runs it; an error is a row, and the others go on."""
        try:
            return body()
        except Exception as e:
            self.failed = True
            print(f"| {name} | FAILED: {type(e).__name__}: {str(e)[:300].replace(chr(10), ' ')} | | | |", flush=True)
            return None


def limits():
    """bf16 FLOP/s of torch.matmul, bytes/s of a copy."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    gemm = 2 * 8192 ** 3 / on_stream(lambda: a @ b)
    block = torch.empty(1 << 32, dtype=torch.uint8, device="cuda")
    other = torch.empty_like(block)
    copy = 2 * (1 << 32) / on_stream(lambda: other.copy_(block))
    del a, b, block, other
    torch.cuda.empty_cache()
    return gemm, copy


PACK, TASKS = ids(32, 512), [0] * 11 + [1] * 11 + [2] * 10


def bf16_rows(table, library, folder, gemm, copy):
    """Seconds of a pack without adapters, with, and of a query; the mixed pack's vectors."""
    model = opened(library, folder, "expanded")
    plain, mixed = model.batch(PACK, [-1] * 32), model.batch(PACK, TASKS)
    finite(plain)
    vectors = finite(mixed)
    t_plain, t_mixed = seconds(plain), seconds(mixed)
    rate = 16384 / t_mixed
    table.row("bf16 text, 512 tokens, 16k-token packs: model FLOP/s / torch.matmul 8192^3", rate * flop_per_token(512, True) / gemm, 0.72, 0.80,
              f"{rate:,.0f} tokens/s, matmul {gemm / 1e12:.0f} TFLOP/s")
    table.row("mixed three tasks / no adapter", t_plain / t_mixed, 0.96, 0.97, f"{t_mixed * 1e3:.1f} ms, {t_plain * 1e3:.1f} ms")
    query = model.batch(ids(1, 16), [0])
    finite(query)
    t_query = seconds(query, 5, 20)
    table.row("16-token query: time / (weight bytes / copy rate), bf16", t_query / (2 * LINEARS / copy), 2.0, 1.55,
              f"{t_query * 1e3:.2f} ms, copy {copy / 1e12:.2f} TB/s")
    page = model.batch([[151655] * 768 + list(range(20))], [0], images=[(48, 64)])
    finite(page)
    t_page = seconds(page)
    table.row("page of 3,072 patches: limit time / own time", PAGE_TFLOP * 1e12 / gemm / t_page, 0.55, 0.68, f"{t_page * 1e3:.1f} ms")
    model.close()
    return t_plain, t_mixed, t_query, vectors


def fp8_row(table, library, folder, t_bf16, bf16):
    model = opened(library, folder, "", "fp8")
    run = model.batch(PACK, TASKS)
    loss = cosine(finite(run), bf16)
    assert loss > 0.98, f"fp8 against bf16: cosine {loss}"
    table.row("fp8 / own bf16, 512 tokens", t_bf16 / seconds(run), 1.45, 1.65, f"cosine to bf16 {loss:.5f}; {model.device}")
    model.close()


def stored_rows(table, library, folder, kind, t_bf16, t_query):
    model = opened(library, folder, "expanded")
    expanded = finite(model.batch(PACK, [-1] * 32))
    model.close()
    model = opened(library, folder, "stored")
    run = model.batch(PACK, [-1] * 32)
    near = cosine(expanded, finite(run))
    assert near > 0.999, f"{kind}: stored against expanded weights: cosine {near}"
    table.row(f"{kind.upper()} from its blocks, 16k-token packs / own bf16", t_bf16 / seconds(run), 0.93, 0.97, f"cosine to expanded {near:.6f}")
    query = model.batch(ids(1, 16), [-1])
    finite(query)
    t_own = seconds(query, 5, 20)
    table.row(f"{kind.upper()} 16-token query / own bf16", t_query / t_own, "", "", f"{t_own * 1e3:.2f} ms")
    model.close()


def attention_rows(table, attention_bench, length):
    """The kernel in use, and where the GPU has warpgroups theirs, which EMBED4J_CUDA_ATTENTION=wgmma chooses."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    count = 16384 // length
    q = torch.randn(count, 16, length, 128, device="cuda", dtype=torch.bfloat16)
    k, v = (torch.randn(count, 2, length, 128, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        peer = 2 * 16 * 128 * count * length ** 2 / on_stream(
            lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)) / 1e12
    def row(name, gate, goal, *kernel):
        command = [attention_bench, str(count), str(length), *kernel]
        own = float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=10 if kernel else 30).stdout)
        table.row(f"causal attention, head 128, {length} tokens{name}: TFLOP/s / PyTorch's flash backend", own / peer, gate, goal,
                  f"{own:.0f} / {peer:.0f} TFLOP/s")

    row("", *((1.0, 1.5) if length > 512 else ("", "")))
    if torch.cuda.get_device_capability() == (9, 0):
        row(", wgmma", "", "", "wgmma")


def main(library, attention_bench, scratch):
    scratch = pathlib.Path(scratch)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}\n", flush=True)
    table = Table()
    gemm, copy = limits()
    for length in (512, 2048, 8192):
        table.part(f"causal attention, {length} tokens", lambda: attention_rows(table, attention_bench, length))
    print("# writing the full-size synthetic model", file=sys.stderr)
    synthetic.write(scratch / "bf16", "full")
    own = table.part("bf16", lambda: bf16_rows(table, library, scratch / "bf16", gemm, copy))
    if own:
        t_plain, t_mixed, t_query, vectors = own
        table.part("fp8 / own bf16", lambda: fp8_row(table, library, scratch / "bf16", t_mixed, vectors))
        peer = table.part("512 tokens / transformers", transformers_rate)
        if peer:
            table.row("512 tokens: / transformers with PyTorch's flash attention at its best batch size", 16384 / t_mixed / peer, 1.5, 2.2,
                      f"{peer:,.0f} tokens/s")
        shutil.rmtree(scratch / "bf16")
        for kind in ("q8_0", "q4_k"):
            synthetic.write(scratch / kind, "full", kind, text_only=True)
            table.part(kind, lambda: stored_rows(table, library, scratch / kind, kind, t_plain, t_query))
            shutil.rmtree(scratch / kind)
    if table.failed:
        sys.exit("a part of the table failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
