#include "base/mapped_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

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

namespace {

const std::byte* foreign;
sigjmp_buf back;

}  // namespace

// The first test, in a process of its own: no guard has been made yet.
TEST(faults_elsewhere_go_to_the_handler_before) {
  const Folder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) { siglongjmp(back, info->si_addr == foreign + 8192 ? 1 : 2); };
    ::sigaction(SIGBUS, &action, nullptr);
    const std::string path = folder.file("a", 1 << 16);
    const MappedFile guarded(folder.file("b", 1 << 16));
    const int fd = ::open(path.c_str(), O_RDWR);
    foreign = static_cast<const std::byte*>(::mmap(nullptr, 1 << 16, PROT_READ, MAP_SHARED, fd, 0));
    if (foreign == MAP_FAILED || ::ftruncate(fd, 100) != 0) ::_exit(3);
    const int reached = sigsetjmp(back, 1);
    if (reached == 0) ::_exit(4 + static_cast<int>(*static_cast<const volatile std::byte*>(foreign + 8192)));
    ::_exit(reached == 1 && !guarded.lost() ? 0 : 5);
  }
  int status = -1;
  CHECK_EQ(::waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(a_file_is_mapped_whole) {
  const Folder folder;
  const MappedFile file(folder.file("a", 10000));
  CHECK_EQ(file.size(), 10000u);
  CHECK(file.data()[0] == std::byte{'x'} && file.data()[9999] == std::byte{'x'});
}

TEST(what_is_cut_off_reads_as_zeros) {
  const Folder folder;
  const std::string path = folder.file("a", 1 << 20);
  const MappedFile file(path), other(folder.file("b", 1 << 20));
  fault_in(file.data() + 100, 5000);
  CHECK(!file.lost());
  CHECK_EQ(::truncate(path.c_str(), 5000), 0);
  CHECK(file.data()[4999] == std::byte{'x'});
  CHECK(!file.lost());
  std::vector<std::thread> readers;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    readers.emplace_back([&] {
      for (size_t i = 8192; i < file.size(); ++i) wrong += file.data()[i] != std::byte{0};
    });
  for (std::thread& reader : readers) reader.join();
  CHECK_EQ(wrong.load(), 0);
  CHECK(file.lost());
  CHECK(file.data()[4999] == std::byte{'x'});
  CHECK(!other.lost() && other.data()[other.size() - 1] == std::byte{'x'});
  fault_in(file.data(), file.size());
  const MappedFile again(path);  // in the range of one that is gone, or a new one
  CHECK(!again.lost() && again.size() == 5000);
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
