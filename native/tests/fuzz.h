// A fuzz target, src/**/<unit>_fuzz.cpp, defines these two; see cmake/Fuzz.cmake.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

// Any bytes, at any address; ends the process when something is wrong.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

// Valid inputs to mutate.
std::vector<std::vector<std::byte>> fuzz_seeds();
