package io.embed4j;

import java.util.List;

/**
 * How an open model runs on this machine.
 *
 * @param cpuTier the instruction tier chosen, such as scalar, avx2 or avx512; EMBED4J_CPU_TIER names another
 * @param cpuTiers every tier this machine can run, lowest first
 * @param threads worker threads
 * @param weightBytes held in memory for weights
 * @param libraryVersion of the native library
 * @param device what computes, in words: the CPU's tier and threads, or the GPU with its libraries
 * @param devices how many batches run side by side: GPUs with {@code cuda:all}, else 1
 */
public record RuntimeInfo(String cpuTier, List<String> cpuTiers, int threads, long weightBytes, String libraryVersion,
    String device, int devices) {}
