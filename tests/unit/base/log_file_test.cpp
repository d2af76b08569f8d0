#include "base/log_file.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <doctest/doctest.h>

using namespace portero;

namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "portero_log_XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("log_file: lines reach the file when flushed, and at the end") {
  TemporaryFolder folder;
  const auto path = folder.path / "access.log";
  {
    log::FileSink sink(path);
    sink.append("one");
    CHECK(content_of(path).empty());
    sink.flush();
    CHECK(content_of(path) == "one\n");
    sink.append("two");
  }
  CHECK(content_of(path) == "one\ntwo\n");
}

TEST_CASE("log_file: a file that was moved away is opened again") {
  TemporaryFolder folder;
  const auto path = folder.path / "access.log";
  log::FileSink sink(path);
  sink.append("old");
  sink.flush();
  std::filesystem::rename(path, folder.path / "access.log.1");
  sink.append("new");
  sink.flush();
  CHECK(content_of(path) == "new\n");
  CHECK(content_of(folder.path / "access.log.1") == "old\n");
}

TEST_CASE("log_file: lines beyond the limit are dropped and counted") {
  TemporaryFolder folder;
  const auto path = folder.path / "access.log";
  log::FileSink sink(path);
  const std::string line(1024 * 1024, 'x');
  for (int i = 0; i < 6; ++i) sink.append(line);
  sink.flush();
  const std::string text = content_of(path);
  CHECK(text.size() < log::FileSink::buffer_bytes_max + 1024);
  CHECK(text.find(" lines dropped\n") != std::string::npos);
}

TEST_CASE("log_file: the file is not readable for others") {
  TemporaryFolder folder;
  const auto path = folder.path / "access.log";
  const log::FileSink sink(path);
  const auto mode = std::filesystem::status(path).permissions();
  CHECK((mode & std::filesystem::perms::others_all) == std::filesystem::perms::none);
}

TEST_CASE("log_file: a path that cannot be opened is named") {
  try {
    const log::FileSink sink("/dev/null/access.log");
    FAIL("opened");
  } catch (const std::system_error& error) {
    CHECK(std::string(error.what()).find("/dev/null/access.log") != std::string::npos);
  }
}

TEST_CASE("log_file: a folder that is not there is made, for those who may read the file") {
  TemporaryFolder folder;
  using std::filesystem::perms;
  const log::FileSink sink(folder.path / "portero/app/access.log");
  for (const char* const made : {"portero", "portero/app"}) {
    CHECK(std::filesystem::status(folder.path / made).permissions() ==
          (perms::owner_all | perms::group_read | perms::group_exec));
  }
  const log::FileSink secret(folder.path / "secret/access.log", {0600, std::nullopt, std::nullopt});
  CHECK(std::filesystem::status(folder.path / "secret").permissions() == perms::owner_all);
}

TEST_CASE("log_file: a full file is put aside, and only the newest are kept") {
  TemporaryFolder folder;
  const auto path = folder.path / "access.log";
  log::FileSettings settings;
  settings.mode = 0604;
  settings.roll = log::RollSettings{100, 0, 2, false};
  log::FileSink sink(path, settings);
  const std::string line(60, 'x');
  for (int i = 0; i < 9; ++i) {
    sink.append(line + std::to_string(i));
    sink.flush();
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path)) {
    names.push_back(entry.path().filename());
    CHECK((std::filesystem::status(entry.path()).permissions() & std::filesystem::perms::mask) ==
          std::filesystem::perms(0604));
  }
  std::sort(names.begin(), names.end());
  REQUIRE(names.size() == 3);
  CHECK(names[0] == "access.log");
  CHECK(names[1].starts_with("access.log.2"));
  CHECK(content_of(folder.path / names[2]) == line + "6\n" + line + "7\n");
  CHECK(content_of(path) == line + "8\n");
}

TEST_CASE("log_file: an unknown group is named") {
  CHECK_THROWS_WITH_AS(log::group_id("no-such-group"),
                       doctest::Contains("there is no group \"no-such-group\""), std::system_error);
}
