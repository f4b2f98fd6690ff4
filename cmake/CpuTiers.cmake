# Each tier is one folder under src/cpu, compiled with the instruction sets it may use, and only those.
# Tier sources include nothing that defines inline functions with external linkage (no standard containers): the linker
# would be free to keep the copy compiled for the highest tier and run it on a machine that lacks it.
set(E4J_TIERS scalar)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND E4J_TIERS avx2 avx512 avx512_vnni avx512_bf16)
endif()
set(E4J_TIER_FLAGS_scalar "")
set(E4J_TIER_FLAGS_avx2 -mavx2 -mfma -mf16c)
# GCC 12 takes the undefined operand of its own AVX-512 intrinsics for a use of an uninitialised variable (GCC PR 105593).
set(E4J_TIER_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mprefer-vector-width=512 -Wno-maybe-uninitialized -Wno-uninitialized)
set(E4J_TIER_FLAGS_avx512_vnni ${E4J_TIER_FLAGS_avx512} -mavx512vnni)
set(E4J_TIER_FLAGS_avx512_bf16 ${E4J_TIER_FLAGS_avx512_vnni} -mavx512bf16)
# The order of every floating-point sum is part of the contract (a vector does not depend on its batch).
set(E4J_TIER_FLAGS_COMMON -ffp-contract=off -fno-math-errno)
