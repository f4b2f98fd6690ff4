// The device interface in host memory, one thread, plainly written: what every kernel must compute. Tests load it as
// libembed4j_cuda where there is no GPU, and compare a GPU's kernels with it where there is one. It is as strict as a GPU about
// what a GPU is strict about: work goes to a stream of the thread's own device, on live memory of that device, and a thread that
// captures a graph neither allocates nor waits.
//
// Environment variables, read at every call, make it refuse: EMULATED_VERSION (of the interface), EMULATED_DRIVER (13000, 0:
// none), EMULATED_DEVICES (1), EMULATED_CAPABILITY (90), EMULATED_BYTES (memory of the device).
#pragma once
#include "cuda/device_api.h"

namespace e4j::cuda {

const DeviceApi& emulated_device() noexcept;

}  // namespace e4j::cuda
