/* Embed4J C ABI. C11, stdint and stddef only; only e4j_* is exported from the library.
 *
 * Rules
 *   - Every call that can fail returns an e4j_status; on failure *error (when not NULL) holds the text.
 *   - Parameter structs start with struct_size, set by the caller to sizeof the struct it was compiled with.
 *   - Outputs are allocated by the caller. Pointers handed out (e4j_gguf_*) live until the handle is closed.
 *   - Nothing aborts, exits, throws or logs across this boundary. A NULL handle is an error, never a crash;
 *     closing NULL is a no-op. A closed handle must not be used again: the Java side owns that guarantee.
 *   - Thread-safety is stated per handle. */
#ifndef EMBED4J_H
#define EMBED4J_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define E4J_API __attribute__((visibility("default")))
#else
#define E4J_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define E4J_ABI_VERSION 1

typedef int32_t e4j_status;
enum {
    E4J_OK = 0,
    E4J_INVALID_ARGUMENT = 1, /* the caller passed something out of range */
    E4J_IO_ERROR = 2,         /* the operating system refused: open, map, read */
    E4J_BAD_FORMAT = 3,       /* a file is truncated, corrupt or inconsistent */
    E4J_UNSUPPORTED = 4,      /* well-formed, but nothing here can run it */
    E4J_OUT_OF_MEMORY = 5,
    E4J_CANCELLED = 6,
    E4J_INTERNAL = 7, /* a bug of ours */
    E4J_DEVICE_UNAVAILABLE = 8 /* the GPU asked for, its driver or a library it needs; the message says which */
};

typedef struct e4j_error {
    uint32_t struct_size;
    int32_t status;     /* the e4j_status also returned */
    char message[1016]; /* UTF-8, NUL-terminated, cut at a character boundary */
} e4j_error;

/* The version this library was built with; the caller compares it with E4J_ABI_VERSION before anything else. */
E4J_API int32_t e4j_abi_version(void);

/* ---- the machine ------------------------------------------------------------------------------------------- */

typedef struct e4j_system_info {
    uint32_t struct_size;
    int32_t default_threads;  /* processors this process may use (affinity mask and cgroup quota) */
    char cpu_tier[32];        /* the tier in use: scalar, avx2, avx512, ... */
    char cpu_tiers[256];      /* every tier this machine can run, space-separated, lowest first */
    char library_version[32]; /* of the native library, e.g. 0.1.0 */
} e4j_system_info;

/* Fails with E4J_INVALID_ARGUMENT when EMBED4J_CPU_TIER names a tier that this machine lacks. */
E4J_API e4j_status e4j_get_system_info(e4j_system_info* out, e4j_error* error);

/* ---- GGUF files: read-only view over a memory-mapped file; immutable, usable from any thread ------------------ */

typedef struct e4j_gguf e4j_gguf;

typedef struct e4j_gguf_info {
    uint32_t struct_size;
    uint32_t version; /* 3 */
    uint32_t alignment;
    uint32_t reserved;
    uint64_t file_bytes;
    uint64_t data_offset; /* of the first tensor's data, from the start of the file */
    uint64_t num_kv;
    uint64_t num_tensors;
} e4j_gguf_info;

typedef struct e4j_gguf_kv {
    uint32_t struct_size;
    int32_t type;         /* GGUF value type: 0 u8, 1 i8, 2 u16, 3 i16, 4 u32, 5 i32, 6 f32, 7 bool, 8 string,
                             9 array, 10 u64, 11 i64, 12 f64 */
    int32_t element_type; /* of an array; -1 otherwise */
    uint32_t reserved;
    const char* key;    /* not NUL-terminated */
    uint64_t key_bytes;
    uint64_t count;      /* elements of an array; 1 otherwise */
    const void* value;   /* little-endian, possibly unaligned. string: its bytes. array of strings: for each,
                            u64 length then the bytes */
    uint64_t value_bytes; /* all of value */
} e4j_gguf_kv;

typedef struct e4j_gguf_tensor {
    uint32_t struct_size;
    int32_t type; /* ggml type: 0 f32, 1 f16, 8 q8_0, 12 q4_k, 13 q5_k, 14 q6_k, 30 bf16; plus E4J_PACKED: see e4j_pack */
    const char* name; /* not NUL-terminated */
    uint64_t name_bytes;
    uint32_t num_dims;
    uint32_t reserved;
    uint64_t dims[4]; /* fastest first, as the file has them; unused ones are 1 */
    const void* data;
    uint64_t data_bytes;
} e4j_gguf_tensor;

enum { E4J_PACKED = 1 << 30 };

E4J_API e4j_status e4j_gguf_open(const char* path, e4j_gguf** out, e4j_error* error);
E4J_API void e4j_gguf_close(e4j_gguf* gguf);
E4J_API e4j_status e4j_gguf_get_info(const e4j_gguf* gguf, e4j_gguf_info* out, e4j_error* error);
E4J_API e4j_status e4j_gguf_get_kv(const e4j_gguf* gguf, uint64_t index, e4j_gguf_kv* out, e4j_error* error);
E4J_API e4j_status e4j_gguf_get_tensor(const e4j_gguf* gguf, uint64_t index, e4j_gguf_tensor* out, e4j_error* error);

/* ---- tensor types: rows of `cols` values, type as in e4j_gguf_tensor ------------------------------------------ */

/* Bytes of one row; E4J_INVALID_ARGUMENT when cols is not a multiple of the type's block (32 or 256). */
E4J_API e4j_status e4j_row_bytes(int32_t type, int64_t cols, uint64_t* out, e4j_error* error);

/* float32 -> type, as the format's reference quantisation. Rows are independent: callers may split them over threads.
 * The dst_bytes must be exactly rows * e4j_row_bytes. Non-finite input is E4J_INVALID_ARGUMENT, naming the row. */
E4J_API e4j_status e4j_quantize(int32_t type, const float* src, int64_t rows, int64_t cols, void* dst,
                                uint64_t dst_bytes, e4j_error* error);

/* type -> float32, exactly as the format defines it. */
E4J_API e4j_status e4j_dequantize(int32_t type, const void* src, uint64_t src_bytes, int64_t rows, int64_t cols,
                                  float* dst, e4j_error* error);

/* A matrix in the order in which the CPU's products read it: panels of 16 rows. In a GGUF file such a tensor has two dimensions,
 * its type's number plus E4J_PACKED and an offset in the file that is a multiple of 64; a model reads it where it is mapped.
 * Bytes of rows x cols values packed, 1 .. 2^31-1 each. */
E4J_API e4j_status e4j_packed_bytes(int32_t type, int64_t rows, int64_t cols, uint64_t* out, e4j_error* error);

/* Rows of a type -> packed. Panels are independent: callers may split the rows after each 16. The src_bytes must be exactly
 * rows * e4j_row_bytes, dst_bytes e4j_packed_bytes. */
E4J_API e4j_status e4j_pack(int32_t type, const void* src, uint64_t src_bytes, int64_t rows, int64_t cols, void* dst,
                            uint64_t dst_bytes, e4j_error* error);

/* ---- model: weights; immutable once open, shared by its sessions ---------------------------------------------- */

typedef struct e4j_model e4j_model;

typedef struct e4j_model_params {
    uint32_t struct_size;
    int32_t num_threads;            /* 0: e4j_system_info.default_threads */
    const char* text_path;          /* required: architecture qwen2vl */
    const char* vision_path;        /* or NULL: images are refused */
    const char* multivector_path;   /* or NULL: multi-vector output is refused */
    const char* const* adapter_paths; /* [num_adapters]; the place in this list is the adapter's index in a batch */
    int32_t num_adapters;
    int32_t reserved;
    /* A caller whose struct ends here (struct_size 48) gets what NULL means below. */
    const char* device;            /* "cpu"; "cuda" or "cuda:N"; "cuda:all": the model on every GPU, sessions spread over them; "auto":
                                      cuda:0, or the CPU where that is not possible. NULL: cpu */
    const char* cuda_library;      /* of libembed4j_cuda; NULL: beside this library, or where the system finds it */
    const char* cublas_lt_library; /* of NVIDIA's libcublasLt; NULL: where the system finds it */
    const char* precision;         /* "model": no product is coarser than the files' weights and bf16. "fp8": the text decoder's
                                      products in 8-bit floating point, from compute capability 8.9 on; then "auto" is "cuda".
                                      NULL: model */
} e4j_model_params;

typedef struct e4j_model_info {
    uint32_t struct_size;
    int32_t num_threads;
    int32_t hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim;
    int32_t vocab_size, max_position_embeddings;
    int32_t multi_vector_dim; /* 0: no head */
    int32_t num_adapters;
    int32_t vision_patch_values; /* float32 values of one patch: 3 * 2 * 14 * 14; 0: no vision tower */
    int32_t vision_merge_size;
    uint64_t weight_bytes; /* held in memory after packing */
    /* Not written for a caller whose struct ends here (struct_size 64). */
    char device[256];      /* what it runs on, in words */
    char device_note[1280]; /* with "auto": why that is not a GPU; else empty */
    int32_t num_devices;    /* that sessions are spread over */
    int32_t reserved;
} e4j_model_info;

/* E4J_BAD_FORMAT names the tensor or key with what was found and what was expected, E4J_DEVICE_UNAVAILABLE what was looked for
 * and where. */
E4J_API e4j_status e4j_model_open(const e4j_model_params* params, e4j_model** out, e4j_error* error);
/* All sessions must have been closed. */
E4J_API void e4j_model_close(e4j_model* model);
E4J_API e4j_status e4j_model_get_info(const e4j_model* model, e4j_model_info* out, e4j_error* error);

/* ---- session: workspace for one call at a time; sessions of one model share its threads and take turns on the CPU, where
 * calls in the background give way in the midst of their work; on a GPU each has a stream of its own --------------- */

typedef struct e4j_session e4j_session;

E4J_API e4j_status e4j_session_open(e4j_model* model, e4j_session** out, e4j_error* error);
E4J_API void e4j_session_close(e4j_session* session);

/* Sequences packed one after another, no padding. Pooled rows and multi-vector rows are asked for as half-open token
 * ranges into the packed batch; a range must lie inside one sequence and hold at least one token. */
typedef struct e4j_batch {
    uint32_t struct_size;
    int32_t num_tokens;          /* 1 .. 2^20 */
    int32_t num_sequences;       /* 1 .. num_tokens */
    int32_t num_images;
    int32_t num_patches;         /* sum of t * h * w over grid_thw */
    int32_t num_pooled;
    int32_t num_multi_vector;    /* ranges, not rows */
    int32_t background;          /* 1: on the CPU this call has the model's threads only while no other wants them; else 0 */
    const int32_t* token_ids;    /* [num_tokens], 0 .. vocab_size-1 */
    const int32_t* position_ids; /* [3][num_tokens]: temporal, height, width; >= 0 */
    const int32_t* cu_seqlens;   /* [num_sequences + 1], 0 .. num_tokens, strictly increasing */
    const int32_t* adapters;     /* [num_sequences], -1: none */
    const float* patches;        /* [num_patches][vision_patch_values], images one after another */
    const int32_t* grid_thw;     /* [num_images][3], in patches */
    const int32_t* image_rows;   /* [num_patches / merge_size^2]: the token (packed index) each merged patch replaces */
    const int32_t* pooled_ranges;       /* [num_pooled][2] */
    const int32_t* multi_vector_ranges; /* [num_multi_vector][2] */
    const int32_t* cancel;       /* or NULL; any thread sets it to non-zero, and the call ends with E4J_CANCELLED:
                                    within milliseconds on the CPU, before its next work is handed over on a GPU */
} e4j_batch;

typedef struct e4j_result {
    uint32_t struct_size;
    uint32_t reserved;
    float* pooled;               /* [num_pooled][hidden_size]: mean of the final hidden states; not normalised */
    float* multi_vectors;        /* [sum of range lengths][multi_vector_dim], each row L2-normalised */
    uint64_t pooled_floats;      /* capacity; must be what the batch needs, exactly */
    uint64_t multi_vector_floats;
} e4j_result;

/* One call per batch. On failure the outputs are undefined and the session stays usable, also after E4J_OUT_OF_MEMORY. */
E4J_API e4j_status e4j_embed(e4j_session* session, const e4j_batch* batch, e4j_result* result, e4j_error* error);

/* ---- late interaction: stored multi-vectors and their scores; pure functions, usable from any thread ----------- */

/* A stored row: float32: dim values. int8: float32 scale, then dim int8. binary: dim sign bits (1: > 0), the first in the
 * highest bit of the first byte; they stand for +-1 / sqrt(dim). Rows follow one another without padding. */
enum { E4J_VECTORS_FLOAT32 = 0, E4J_VECTORS_INT8 = 1, E4J_VECTORS_BINARY = 2 };

/* Bytes of one row of dim values, 1 .. 4096. */
E4J_API e4j_status e4j_vector_row_bytes(int32_t storage, int64_t dim, uint64_t* out, e4j_error* error);

/* float32 [rows][dim] -> storage. dst_bytes must be exactly rows * e4j_vector_row_bytes. A value that is not finite is
 * E4J_INVALID_ARGUMENT, naming the row. */
E4J_API e4j_status e4j_encode_vectors(int32_t storage, const float* src, int64_t rows, int64_t dim, void* dst,
                                      uint64_t dst_bytes, e4j_error* error);

/* storage -> the float32 values it stands for, [rows][dim]. */
E4J_API e4j_status e4j_decode_vectors(int32_t storage, const void* src, uint64_t src_bytes, int64_t rows, int64_t dim,
                                      float* dst, e4j_error* error);

typedef struct e4j_maxsim_shape {
    uint32_t struct_size;
    int32_t storage;         /* of the documents */
    int32_t dim;             /* 1 .. 4096 */
    int32_t query_rows;      /* 1 .. 2^20 */
    int64_t first_document;  /* documents first_document .. first_document + num_documents - 1 are scored */
    int64_t num_documents;   /* >= 1 */
    uint64_t document_bytes; /* of `documents`: whole rows */
} e4j_maxsim_shape;

/* scores[d - first_document] = sum over the query's rows of the largest dot product with a row of document d.
 *   query [query_rows][dim] finite; documents [rows] stored rows; scores [num_documents]
 *   cu_rows [first_document + num_documents + 1]: document d is rows cu_rows[d] .. cu_rows[d + 1] - 1, at least one
 * A score does not depend on the other documents, so callers may split them over threads. A document whose score is not
 * finite is E4J_INVALID_ARGUMENT; on failure the scores are undefined. */
E4J_API e4j_status e4j_maxsim(const e4j_maxsim_shape* shape, const float* query, const void* documents,
                              const int64_t* cu_rows, float* scores, e4j_error* error);

#ifdef __cplusplus
}
#endif
#endif
