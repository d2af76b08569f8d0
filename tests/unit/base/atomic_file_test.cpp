#include "base/atomic_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <doctest/doctest.h>

using namespace portero;

namespace {

namespace fs = std::filesystem;

struct Directory {
  fs::path path;
  Directory() {
    std::string pattern = fs::temp_directory_path() / "portero-file-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Directory() { fs::remove_all(path); }
  std::string file(const std::string& name) const { return path / name; }
};

unsigned mode_of(const std::string& path) {
  return static_cast<unsigned>(fs::status(path).permissions());
}

}  // namespace

TEST_CASE("atomic_file: writes, replaces and reads back, with the mode that was asked for") {
  const Directory directory;
  const std::string path = directory.file("key.pem");
  write_file_atomically(path, "first", 0600);
  CHECK(read_file(path) == "first");
  CHECK(mode_of(path) == 0600);
  const std::string large(100'000, 'x');
  write_file_atomically(path, large, 0644);
  CHECK(read_file(path) == large);
  CHECK(mode_of(path) == 0644);
}

TEST_CASE("atomic_file: leaves nothing but the file behind, also when it fails") {
  const Directory directory;
  write_file_atomically(directory.file("a"), "content", 0600);
  fs::create_directory(directory.file("in-the-way"));
  CHECK_THROWS_AS(write_file_atomically(directory.file("in-the-way"), "x", 0600),
                  std::system_error);
  std::size_t entries = 0;
  for (const auto& entry : fs::directory_iterator(directory.path)) {
    (void)entry;
    ++entries;
  }
  CHECK(entries == 2);
}

TEST_CASE("atomic_file: a missing file is nothing, a directory is an error that names it") {
  const Directory directory;
  CHECK(read_file(directory.file("missing")) == std::nullopt);
  CHECK_THROWS_WITH_AS(read_file(directory.path), doctest::Contains(directory.path.c_str()),
                       std::system_error);
  CHECK_THROWS_WITH_AS(write_file_atomically(directory.file("no/such/place"), "x", 0600),
                       doctest::Contains("no/such/place"), std::system_error);
}

TEST_CASE("atomic_file: makes directories for the owner alone and leaves older ones as they are") {
  const Directory directory;
  fs::create_directory(directory.file("open"));
  fs::permissions(directory.file("open"), fs::perms(0755));
  make_directories(directory.file("open/a/b"));
  make_directories(directory.file("open/a/b"));
  CHECK(mode_of(directory.file("open")) == 0755);
  CHECK(mode_of(directory.file("open/a")) == 0700);
  CHECK(mode_of(directory.file("open/a/b")) == 0700);
  write_file_atomically(directory.file("file"), "", 0600);
  CHECK_THROWS_AS(make_directories(directory.file("file/a")), std::system_error);
}
