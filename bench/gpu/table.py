"""The table of ratios on one GPU, each beside its peer in the same run, as Markdown.

    python3 table.py LIBRARY ATTENTION_BENCH SCRATCH_FOLDER

Answers are checked (finite, and bf16 against stored weights) before anything is timed. Fails loudly when a part fails.
"""
import os, pathlib, statistics, subprocess, sys, time
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


def opened(library, folder, form):
    os.environ["EMBED4J_CUDA_WEIGHTS"] = form
    model = embed4j.Model(library, folder, "cuda")
    print(f"# {folder}: {model.device}", file=sys.stderr)
    return model


def finite(run):
    pooled = np.frombuffer(run()[0], np.float32).copy()
    assert np.isfinite(pooled).all() and np.abs(pooled).max() > 0, "not finite, or nothing but zeros"
    return pooled


def transformers_rate():
    """Tokens/s of the best batch size at 512 tokens, random weights of the same shape, flash attention through PyTorch."""
    from transformers.models.qwen2_5_vl import configuration_qwen2_5_vl as configuration, modeling_qwen2_5_vl as modeling
    from torch.nn.attention import SDPBackend, sdpa_kernel
    c = synthetic.CONFIGS["full"]
    config = configuration.Qwen2_5_VLTextConfig(
        hidden_size=c["hidden"], intermediate_size=c["ffn"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
        num_key_value_heads=c["kv"], vocab_size=151936, rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]})
    config._attn_implementation = "sdpa"
    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16)
        model = modeling.Qwen2_5_VLTextModel(config).eval()
        torch.set_default_dtype(torch.float32)
    best = 0
    with torch.inference_mode(), sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        for count in (8, 16, 32, 64):
            tokens = torch.tensor(ids(count, 512), device="cuda")
            best = max(best, count * 512 / seconds(lambda: model(input_ids=tokens, use_cache=False).last_hidden_state.mean(1), 2, 3))
    del model
    torch.cuda.empty_cache()
    return best


def main(library, attention_bench, scratch):
    scratch = pathlib.Path(scratch)
    print("# writing the full-size synthetic model", file=sys.stderr)
    synthetic.write(scratch / "bf16", "full")
    for kind in ("q8_0", "q4_k"):
        synthetic.write(scratch / kind, "full", kind, text_only=True)

    rows = []
    def row(what, value, gate, goal, note):
        rows.append(f"| {what} | {value:.3f} | {gate} | {goal} | {note} |")
        print(rows[-1], file=sys.stderr, flush=True)

    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    b = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    gemm = 2 * 8192 ** 3 / on_stream(lambda: a @ b)
    block = torch.empty(1 << 32, dtype=torch.uint8, device="cuda")
    other = torch.empty_like(block)
    copy = 2 * (1 << 32) / on_stream(lambda: other.copy_(block))
    del a, b, block, other
    torch.cuda.empty_cache()

    model = opened(library, scratch / "bf16", "expanded")
    pack = ids(32, 512)
    tasks = [0] * 11 + [1] * 11 + [2] * 10
    plain, mixed = model.batch(pack, [-1] * 32), model.batch(pack, tasks)
    finite(plain), finite(mixed)
    t_plain, t_mixed = seconds(plain), seconds(mixed)
    own_rate = 16384 / t_mixed
    row("bf16 text, 512 tokens, 16k-token packs: model FLOP/s / torch.matmul 8192^3", own_rate * flop_per_token(512, True) / gemm, 0.72, 0.80,
        f"{own_rate:,.0f} tokens/s, matmul {gemm / 1e12:.0f} TFLOP/s")
    row("mixed three tasks / no adapter", t_plain / t_mixed, 0.96, 0.97, f"{t_mixed * 1e3:.1f} ms, {t_plain * 1e3:.1f} ms")
    query = model.batch(ids(1, 16), [0])
    finite(query)
    t_query = seconds(query, 5, 20)
    row("16-token query: time / (weight bytes / copy rate), bf16", t_query / (2 * LINEARS / copy), 2.0, 1.55,
        f"{t_query * 1e3:.2f} ms, copy {copy / 1e12:.2f} TB/s")
    page = model.batch([[151655] * 768 + list(range(20))], [0], images=[(48, 64)])
    finite(page)
    t_page = seconds(page)
    row("page of 3,072 patches: limit time / own time", PAGE_TFLOP * 1e12 / gemm / t_page, 0.55, 0.68, f"{t_page * 1e3:.1f} ms")
    model.close()

    for kind in ("q8_0", "q4_k"):
        model = opened(library, scratch / kind, "expanded")
        run = model.batch(pack, [-1] * 32)
        expanded = finite(run)
        model.close()
        model = opened(library, scratch / kind, "stored")
        run = model.batch(pack, [-1] * 32)
        stored = finite(run)
        cosine = float(expanded @ stored / np.linalg.norm(expanded) / np.linalg.norm(stored))
        assert cosine > 0.999, f"{kind}: stored against expanded weights: cosine {cosine}"
        row(f"{kind.upper()} from its blocks, 16k-token packs / own bf16", t_plain / seconds(run), 0.93, 0.97, f"cosine to expanded {cosine:.6f}")
        query = model.batch(ids(1, 16), [-1])
        finite(query)
        rows.append(f"| {kind.upper()} 16-token query | {seconds(query, 5, 20) * 1e3:.2f} ms | | | own bf16 {t_query * 1e3:.2f} ms |")
        model.close()

    for length in (2048, 8192):
        count = 16384 // length
        q = torch.randn(count, 16, length, 128, device="cuda", dtype=torch.bfloat16)
        k, v = (torch.randn(count, 2, length, 128, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        from torch.nn.attention import SDPBackend, sdpa_kernel
        with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
            peer = 2 * 16 * 128 * count * length ** 2 / on_stream(
                lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)) / 1e12
        own = float(subprocess.run([attention_bench, str(count), str(length)], check=True, capture_output=True, text=True).stdout)
        row(f"causal attention, head 128, {length} tokens: TFLOP/s / PyTorch's flash backend", own / peer, 1.0, 1.5, f"{own:.0f} / {peer:.0f} TFLOP/s")

    try:
        peer = transformers_rate()
        row("512 tokens: / transformers with PyTorch's flash attention at its best batch size", own_rate / peer, 1.5, 2.2, f"{peer:,.0f} tokens/s")
    except Exception as e:
        rows.append(f"| / transformers | FAILED: {type(e).__name__}: {str(e)[:200]} | 1.5 | 2.2 | |")
    rows.append("| fp8 / own bf16 | not built | 1.45 | 1.65 | |")
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}\n")
    print("| ratio | measured | gate | goal | |\n|---|---|---|---|---|")
    print("\n".join(rows))
    if any("FAILED" in r for r in rows):
        sys.exit("a part of the table failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
