#include "base/mapped_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "test.h"

using namespace e4j;

namespace {

// A folder of its own, gone with the test.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "e4j-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const char* name, size_t bytes) const {
    const auto p = path / name;
    std::ofstream(p, std::ios::binary) << std::string(bytes, 'x');
    return p.string();
  }
};

}  // namespace

TEST(a_file_is_mapped_whole) {
  const Folder folder;
  const MappedFile file(folder.file("a", 10000));
  CHECK_EQ(file.size(), 10000u);
  CHECK(file.data()[0] == std::byte{'x'} && file.data()[9999] == std::byte{'x'});
}

TEST(released_pages_read_the_same_again) {
  const Folder folder;
  const MappedFile file(folder.file("a", 1 << 16));
  file.release(file.data() + 100, 40000);
  file.release(file.data(), file.size());
  file.release(file.data() + 1, 10);                 // no whole page
  file.release(file.data() + file.size(), 0);
  file.release(file.data() + 1, file.size());        // past the end: ignored
  file.release(file.data() - 1, 10);
  for (size_t i = 0; i < file.size(); ++i)
    if (file.data()[i] != std::byte{'x'}) return CHECK(false);
}

TEST(what_cannot_be_mapped_is_named) {
  const Folder folder;
  CHECK_THROWS(MappedFile(folder.path.string() + "/none"), E4J_IO_ERROR, "/none: open: No such file or directory");
  CHECK_THROWS(MappedFile(folder.file("empty", 0)), E4J_BAD_FORMAT, "/empty: the file is empty");
  CHECK_THROWS(MappedFile(folder.path.string()), E4J_BAD_FORMAT, "is a directory");
  CHECK_THROWS(MappedFile("/dev/null"), E4J_BAD_FORMAT, "/dev/null: is not a regular file");
  const std::string pipe = folder.path.string() + "/pipe";
  CHECK_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  CHECK_THROWS(MappedFile(pipe), E4J_BAD_FORMAT, "is not a regular file");
  if (::geteuid() != 0) {  // root reads everything
    const std::string closed = folder.file("closed", 10);
    ::chmod(closed.c_str(), 0);
    CHECK_THROWS(MappedFile(closed), E4J_IO_ERROR, "/closed: open: Permission denied");
  }
}
