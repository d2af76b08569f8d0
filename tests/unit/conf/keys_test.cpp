#include "conf/keys.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "conf/environment.hpp"

namespace portero::conf {
namespace {

namespace fs = std::filesystem;

const EnvLines lines = {{"REVERB_APP_ID", "123456"},
                        {"REVERB_APP_KEY", "newkey"},
                        {"REVERB_APP_SECRET", "newsecret"},
                        {"VITE_REVERB_APP_KEY", "\"${REVERB_APP_KEY}\""}};

const std::string all_lines =
    "REVERB_APP_ID=123456\nREVERB_APP_KEY=newkey\nREVERB_APP_SECRET=newsecret\n"
    "VITE_REVERB_APP_KEY=\"${REVERB_APP_KEY}\"\n";

std::string updated(std::string_view text, Overwrite overwrite = Overwrite::no) {
  return update_env(text, lines, overwrite).text;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "portero_keys_XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("keys: credentials have Laravel's form and differ each time") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const EnvLines made = make_keys("");
    REQUIRE(made.size() == 4);
    const int id = std::stoi(made[0].second);
    CHECK(id >= 100'000);
    CHECK(id <= 999'999);
    for (const std::size_t at : {1u, 2u}) {
      const std::string& text = made[at].second;
      CHECK(text.size() == 20);
      CHECK(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos);
      CHECK(seen.insert(text).second);
    }
  }
  CHECK(make_keys("example.com").size() == 7);
}

TEST_CASE("keys: a new file holds the lines, an old one gets them appended") {
  CHECK(updated("") == all_lines);
  CHECK(updated("APP_NAME=x\n") == "APP_NAME=x\n\n" + all_lines);
  CHECK(updated("APP_NAME=x") == "APP_NAME=x\n\n" + all_lines);
}

TEST_CASE("keys: empty values are filled in place, everything else stays byte for byte") {
  CHECK(updated("# top\r\n A=1 \r\n") ==
        "# top\r\n A=1 \r\n\r\nREVERB_APP_ID=123456\r\nREVERB_APP_KEY=newkey\r\n"
        "REVERB_APP_SECRET=newsecret\r\nVITE_REVERB_APP_KEY=\"${REVERB_APP_KEY}\"\r\n");
  CHECK(updated("A='x # y'\nREVERB_APP_ID=\n  export REVERB_APP_KEY = # the key\n"
                "REVERB_APP_SECRET=\"\"\nVITE_REVERB_APP_KEY=\"${REVERB_APP_KEY}\"\n#end") ==
        "A='x # y'\nREVERB_APP_ID=123456\n  export REVERB_APP_KEY = newkey# the key\n"
        "REVERB_APP_SECRET=newsecret\nVITE_REVERB_APP_KEY=\"${REVERB_APP_KEY}\"\n#end");
}

TEST_CASE("keys: values that stand there are kept unless they are to be replaced") {
  const std::string old =
      "REVERB_APP_ID=1 # id\nREVERB_APP_KEY='old'\nB=2\nVITE_REVERB_APP_KEY=v\n";
  const EnvUpdate refused = update_env(old, lines, Overwrite::no);
  CHECK(refused.conflicts == std::vector<std::string>{"REVERB_APP_ID", "REVERB_APP_KEY"});
  CHECK(updated(old, Overwrite::yes) ==
        "REVERB_APP_ID=123456 # id\nREVERB_APP_KEY=newkey\nB=2\nVITE_REVERB_APP_KEY=v\n\n"
        "REVERB_APP_SECRET=newsecret\n");
}

TEST_CASE("keys: of several lines for a name the one that counts is changed") {
  CHECK(update_env("REVERB_APP_ID=1\nREVERB_APP_ID=2\n", {lines[0]}, Overwrite::yes).text ==
        "REVERB_APP_ID=1\nREVERB_APP_ID=123456\n");
  CHECK(update_env("# REVERB_APP_ID=1\n", {lines[0]}, Overwrite::no).text ==
        "# REVERB_APP_ID=1\n\nREVERB_APP_ID=123456\n");
}

TEST_CASE("keys: what is written is read back by env_file") {
  Problems problems;
  const std::string text = updated("APP_KEY=base64:abc=\n");
  const Variables variables = parse_dotenv(text, ".env", Environment(Variables{}), problems);
  CHECK(!problems.has_errors());
  CHECK(variables.at("REVERB_APP_SECRET") == "newsecret");
  CHECK(variables.at("VITE_REVERB_APP_KEY") == "newkey");
}

TEST_CASE("keys: a file keeps its mode and link, and nothing is left beside it") {
  const Folder folder;
  const fs::path file = folder.path / ".env";
  const fs::path link = folder.path / "link.env";
  std::ofstream(file) << "A=1\n";
  REQUIRE(::chmod(file.c_str(), 0640) == 0);
  fs::create_symlink(".env", link);
  const EnvWritten written = update_env_file(link.string(), lines, Overwrite::no);
  CHECK(written.message == "");
  CHECK(written.ok);
  CHECK(read_text(file) == "A=1\n\n" + all_lines);
  CHECK(fs::is_symlink(link));
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  CHECK(entries(folder.path) == 2);
}

TEST_CASE("keys: a refusal changes nothing, a new file is for its owner only") {
  const Folder folder;
  const std::string file = (folder.path / ".env").string();
  CHECK(update_env_file(file, lines, Overwrite::no).ok);
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  const EnvWritten refused = update_env_file(file, lines, Overwrite::no);
  CHECK(!refused.ok);
  CHECK(refused.message.find("REVERB_APP_ID, REVERB_APP_KEY, REVERB_APP_SECRET") !=
        std::string::npos);
  CHECK(read_text(file) == all_lines);
  CHECK(update_env_file(file, lines, Overwrite::yes).ok);
  CHECK(!update_env_file((folder.path / "none/.env").string(), lines, Overwrite::no).ok);
  CHECK(!update_env_file(folder.path.string(), lines, Overwrite::no).ok);
}

}  // namespace portero::conf
