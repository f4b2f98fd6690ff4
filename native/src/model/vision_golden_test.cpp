// The vision tower against the reference's rows, in float32.
#include "cpu/cpu_backend.h"
#include "test.h"
#include "tiny_vision.h"

TEST(the_vision_tower_gives_the_reference_rows) {
  const auto backend = e4j::cpu::make_cpu_backend(2);
  const double error = e4j::test::tiny_vision::worst_error(*backend);
  if (!(error < 1e-4)) e4j::test::failed(__FILE__, __LINE__, "relative error " + std::to_string(error * 1e6) + "e-6");
}
