"""libembed4j's C functions (native/include/embed4j.h) for the scripts beside this one, where there is no Java."""
import ctypes as C, os, pathlib

TASKS = ["retrieval", "text-matching", "code"]


class Error(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("status", C.c_int32), ("message", C.c_char * 1016)]


class Params(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("num_threads", C.c_int32), ("text_path", C.c_char_p), ("vision_path", C.c_char_p),
                ("multivector_path", C.c_char_p), ("adapter_paths", C.POINTER(C.c_char_p)), ("num_adapters", C.c_int32),
                ("reserved", C.c_int32), ("device", C.c_char_p), ("cuda_library", C.c_char_p), ("cublas_lt_library", C.c_char_p),
                ("precision", C.c_char_p)]


class Info(C.Structure):
    _fields_ = [("struct_size", C.c_uint32)] + [(n, C.c_int32) for n in (
        "num_threads", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
        "vocab_size", "max_position_embeddings", "multi_vector_dim", "num_adapters", "vision_patch_values", "vision_merge_size")] + [
        ("weight_bytes", C.c_uint64), ("device", C.c_char * 256), ("device_note", C.c_char * 1280), ("num_devices", C.c_int32),
        ("reserved", C.c_int32)]


class Batch(C.Structure):
    _fields_ = [("struct_size", C.c_uint32)] + [(n, C.c_int32) for n in (
        "num_tokens", "num_sequences", "num_images", "num_patches", "num_pooled", "num_multi_vector", "reserved")] + [(n, C.c_void_p) for n in (
        "token_ids", "position_ids", "cu_seqlens", "adapters", "patches", "grid_thw", "image_rows", "pooled_ranges", "multi_vector_ranges", "cancel")]


class Result(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("reserved", C.c_uint32), ("pooled", C.c_void_p), ("multi_vectors", C.c_void_p),
                ("pooled_floats", C.c_uint64), ("multi_vector_floats", C.c_uint64)]


def ints(values):
    return (C.c_int32 * len(values))(*values)


class Model:
    """A model and a session of it."""

    def __init__(self, library, folder, device, precision="model"):
        self.lib, self.error = C.CDLL(library), Error(C.sizeof(Error))
        folder = pathlib.Path(folder)
        path = lambda name: os.fsencode(folder / name) if (folder / name).exists() else None
        adapters = [p for p in (path(f"adapter-{t}.gguf") for t in TASKS) if p]
        array = (C.c_char_p * max(1, len(adapters)))(*adapters)
        params = Params(C.sizeof(Params), 0, path("text.gguf"), path("vision.gguf"), path("multivector.gguf"), array, len(adapters), 0,
                        device.encode(), None, None, precision.encode())
        self.model, self.session = C.c_void_p(), C.c_void_p()
        self.call("e4j_model_open", C.byref(params), C.byref(self.model))
        self.info = Info(C.sizeof(Info))
        self.call("e4j_model_get_info", self.model, C.byref(self.info))
        self.call("e4j_session_open", self.model, C.byref(self.session))
        self.device = self.info.device.decode()

    def call(self, name, *arguments):
        if getattr(self.lib, name)(*arguments, C.byref(self.error)) != 0:
            raise RuntimeError(f"{name}: status {self.error.status}: {self.error.message.decode()}")

    def batch(self, sequences, adapters, multi=False, images=()):
        """sequences: lists of ids. images: (h, w) in patches, whose h * w / 4 tokens lead the sequence of the same index. Returns a
        callable that runs the batch and gives (pooled, multi) as flat float arrays."""
        n, cu = sum(map(len, sequences)), [0]
        for s in sequences:
            cu.append(cu[-1] + len(s))
        positions = [[], [], []]
        rows, grid = [], []
        for i, s in enumerate(sequences):
            h, w = (images[i][0] // 2, images[i][1] // 2) if i < len(images) else (0, 0)
            if h:
                rows += range(cu[i], cu[i] + h * w)
                grid += [1, 2 * h, 2 * w]
                for a, axis in enumerate(positions):
                    axis += [(0, r, c)[a] for r in range(h) for c in range(w)]
            for axis in positions:
                axis += range(max(h, w), max(h, w) + len(s) - h * w)
        patches = 4 * len(rows)
        keep = dict(token_ids=ints([t for s in sequences for t in s]), position_ids=ints(sum(positions, [])), cu_seqlens=ints(cu),
                    adapters=ints(adapters), pooled_ranges=ints([v for i in range(len(sequences)) for v in cu[i:i + 2]]),
                    multi_vector_ranges=ints([0, n] if len(sequences) == 1 else [v for i in range(len(sequences)) for v in cu[i:i + 2]]),
                    grid_thw=ints(grid), image_rows=ints(rows),
                    patches=(C.c_float * (patches * self.info.vision_patch_values))(*([0.25, -0.5, 0.75, 0.1] * (patches * self.info.vision_patch_values // 4))))
        b = Batch(C.sizeof(Batch), n, len(sequences), len(grid) // 3, patches, len(sequences), len(sequences) if multi else 0, 0)
        for name, array in keep.items():
            setattr(b, name, C.cast(array, C.c_void_p))
        pooled = (C.c_float * (len(sequences) * self.info.hidden_size))()
        vectors = (C.c_float * (n * self.info.multi_vector_dim if multi else 0))()
        r = Result(C.sizeof(Result), 0, C.cast(pooled, C.c_void_p), C.cast(vectors, C.c_void_p), len(pooled), len(vectors))

        def run():
            self.call("e4j_embed", self.session, C.byref(b), C.byref(r))
            return pooled, vectors
        run.keep = keep
        return run

    def close(self):
        self.lib.e4j_session_close(self.session)
        self.lib.e4j_model_close(self.model)
