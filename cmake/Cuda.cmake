# libembed4j_cuda: a library of its own, built where nvcc is and loaded only when a model is opened on a GPU.
include(CheckLanguage)
option(E4J_CUDA "build libembed4j_cuda where nvcc is found" ON)
set(E4J_CUDA_REASON "switched off by E4J_CUDA")
if(E4J_SANITIZE)
  set(E4J_CUDA OFF)
  set(E4J_CUDA_REASON "not built with sanitizers")
endif()
if(E4J_CUDA)
  check_language(CUDA)
  set(E4J_CUDA_REASON "no nvcc was found: put it on the PATH or name it in CUDACXX")
endif()
if(E4J_CUDA AND CMAKE_CUDA_COMPILER)
  # cubins of the processors that differ in what the kernels use, and PTX of the last for what comes after it. Within a major
  # version newer processors run an older one's cubin (8.6 runs 8.0's).
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 89-real 90a-real 100-real 120)
  endif()
  enable_language(CUDA)
  if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 knows none for nvcc
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13.0)
    set(E4J_CUDA_REASON "nvcc is ${CMAKE_CUDA_COMPILER_VERSION}, 13.0 or newer is needed")
  else()
    set(E4J_CUDA_REASON "")
  endif()
endif()
if(E4J_CUDA_REASON STREQUAL "")
  message(STATUS "CUDA: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, libembed4j_cuda for sm_${CMAKE_CUDA_ARCHITECTURES}")
else()
  message(STATUS "CUDA: libembed4j_cuda is not built (${E4J_CUDA_REASON})")
endif()

# Every .cu file under src/cuda, and what these plan on the host. A warning is an error, and so is a register that is spilled to
# memory: cuda_spills_test shows that one stops the build.
function(e4j_add_cuda_library)
  if(NOT E4J_CUDA_REASON STREQUAL "")
    return()
  endif()
  file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS src/cuda/*.cu)
  set(flags --Werror=all-warnings -Xptxas=-warn-spills)
  add_library(embed4j_cuda SHARED ${cuda_sources} src/cuda/flash_attention/plan.cpp src/cuda/quant_matmul/plan.cpp
              src/cuda/quant_matmul/pack.cpp src/tensor/dtype.cpp src/base/status.cpp)
  target_include_directories(embed4j_cuda PRIVATE include src)
  target_compile_definitions(embed4j_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:E4J_CUDA>)
  set_target_properties(embed4j_cuda PROPERTIES CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static
                        CUDA_VISIBILITY_PRESET hidden LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/../cmake/embed4j_cuda.map)
  target_compile_options(embed4j_cuda PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:${flags};--threads=2;-Xcompiler=-Wall,-Wextra,-Wno-unused-parameter>")
  target_link_options(embed4j_cuda PRIVATE -static-libstdc++ -static-libgcc
    -Wl,-z,defs -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/../cmake/embed4j_cuda.map)
  add_test(NAME cuda_spills_test COMMAND ${CMAKE_CUDA_COMPILER} ${flags} -arch=sm_90a -cubin -o spills.cubin
           ${CMAKE_CURRENT_SOURCE_DIR}/tests/spilling_kernel.cu)
  set_tests_properties(cuda_spills_test PROPERTIES PASS_REGULAR_EXPRESSION "error *: Registers are spilled")
endfunction()

# What stands in for it, and for cuBLASLt, in tests on machines without a GPU.
function(e4j_add_emulated_cuda)
  set(device src/cuda/emulated/device.cpp src/cuda/emulated/kernels.cpp)
  add_library(emulated_cuda SHARED ${device})
  target_link_libraries(emulated_cuda PRIVATE embed4j_objects)
  add_library(emulated_cublas_lt SHARED src/cuda/emulated/cublas_lt.cpp)
  target_include_directories(emulated_cublas_lt PRIVATE src)
  foreach(library emulated_cuda emulated_cublas_lt)
    set_target_properties(${library} PROPERTIES CXX_VISIBILITY_PRESET hidden)
  endforeach()
  target_compile_definitions(device_choice_test PRIVATE EMULATED_CUDA_LIBRARY="$<TARGET_FILE:emulated_cuda>"
                             EMULATED_CUBLASLT_LIBRARY="$<TARGET_FILE:emulated_cublas_lt>")
  add_dependencies(device_choice_test emulated_cuda emulated_cublas_lt)
  target_sources(cuda_device_test PRIVATE ${device})
  foreach(test call_queue_test cublas_lt_test cuda_backend_test cuda_device_test cuda_products_test)
    add_dependencies(${test} emulated_cuda emulated_cublas_lt)
    set_tests_properties(${test} PROPERTIES ENVIRONMENT
      "EMBED4J_CUDA_LIBRARY=$<TARGET_FILE:emulated_cuda>;EMBED4J_CUBLASLT_LIBRARY=$<TARGET_FILE:emulated_cublas_lt>")
  endforeach()
  add_executable(cuda_attention_bench EXCLUDE_FROM_ALL ../bench/gpu/attention.cpp)
  target_link_libraries(cuda_attention_bench PRIVATE embed4j_objects)
endfunction()
