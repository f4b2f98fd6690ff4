#include "model/vision_encoder.h"

#include <algorithm>

#include "test.h"

using namespace e4j;

TEST(windows_are_row_major_and_cut_at_the_edge) {
  // 12 x 10 patches: 6 x 5 merge units, windows of 4 x 4 units: 4x4, 4x1, 2x4, 2x1.
  const std::vector<int32_t> grid = {1, 12, 10};
  const WindowOrder o = window_order(grid, 2, 4);
  CHECK(o.cu_windows == (std::vector<int32_t>{0, 64, 80, 112, 120}));
  CHECK(o.cu_images == (std::vector<int32_t>{0, 120}));
  CHECK(std::vector<int32_t>(o.units.begin(), o.units.begin() + 6) == (std::vector<int32_t>{0, 1, 2, 3, 5, 6}));
  CHECK_EQ(o.units[16], 4);   // second window: the fifth column
  CHECK_EQ(o.units[20], 20);  // third window: the fifth row
  CHECK_EQ(o.units.back(), 29);
  CHECK(std::vector<int32_t>(o.patches.begin(), o.patches.begin() + 5) == (std::vector<int32_t>{0, 1, 2, 3, 4}));
}

TEST(every_patch_of_every_image_is_placed_once_and_images_do_not_mix) {
  const std::vector<int32_t> grid = {1, 2, 2, 1, 16, 8, 1, 6, 18};
  const WindowOrder o = window_order(grid, 2, 4);
  CHECK(o.cu_images == (std::vector<int32_t>{0, 4, 132, 240}));
  std::vector<int32_t> sorted = o.patches;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) CHECK_EQ(sorted[i], static_cast<int32_t>(i));
  for (size_t image = 0; image + 1 < o.cu_images.size(); ++image) {
    CHECK(std::find(o.cu_windows.begin(), o.cu_windows.end(), o.cu_images[image]) != o.cu_windows.end());
    for (int32_t i = o.cu_images[image]; i < o.cu_images[image + 1]; ++i)
      CHECK(o.patches[static_cast<size_t>(i)] >= o.cu_images[image] && o.patches[static_cast<size_t>(i)] < o.cu_images[image + 1]);
  }
}
