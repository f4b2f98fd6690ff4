# Each tier is one folder under src/cpu, compiled with the instruction sets it may use, and only those.
# Tier sources include nothing that defines inline functions with external linkage (no standard containers): the linker
# would be free to keep the copy compiled for the highest tier and run it on a machine that lacks it.
set(E4J_TIERS scalar)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND E4J_TIERS avx2 avx_vnni avx512 avx512_vnni avx512_bf16 amx)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  list(APPEND E4J_TIERS neon neon_dotprod neon_i8mm neon_bf16)
endif()
set(E4J_TIER_FLAGS_scalar "")
set(E4J_TIER_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(E4J_TIER_FLAGS_avx_vnni ${E4J_TIER_FLAGS_avx2} -mavxvnni)
set(E4J_TIER_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mprefer-vector-width=512)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 takes the undefined operand of its own AVX-512 intrinsics for a use of an uninitialised variable (GCC PR 105593).
  list(APPEND E4J_TIER_FLAGS_avx512 -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
set(E4J_TIER_FLAGS_avx512_vnni ${E4J_TIER_FLAGS_avx512} -mavx512vnni)
set(E4J_TIER_FLAGS_avx512_bf16 ${E4J_TIER_FLAGS_avx512_vnni} -mavx512bf16)
set(E4J_TIER_FLAGS_amx ${E4J_TIER_FLAGS_avx512_bf16})  # the tile instructions themselves are written as assembly
set(E4J_TIER_FLAGS_neon -march=armv8-a)
set(E4J_TIER_FLAGS_neon_dotprod -march=armv8.2-a+dotprod)
set(E4J_TIER_FLAGS_neon_i8mm -march=armv8.2-a+dotprod+i8mm)
set(E4J_TIER_FLAGS_neon_bf16 -march=armv8.2-a+bf16)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Scheduling before register allocation, which GCC does for Arm only, moves all loads of an unrolled tile to its front: 450
  # vector registers spilled in neon_dotprod with GCC 12 instead of 5.
  foreach(tier neon neon_dotprod neon_i8mm neon_bf16)
    list(APPEND E4J_TIER_FLAGS_${tier} -fno-schedule-insns)
  endforeach()
endif()
# The order of every floating-point sum is part of the contract (a vector does not depend on its batch).
set(E4J_TIER_FLAGS_COMMON -ffp-contract=off -fno-math-errno)
