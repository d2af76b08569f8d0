// Every golden/NAME.yaml is loaded as it is; what comes out (errors, warnings, the configuration)
// must equal golden/NAME.expected. Files whose names start with "example_" are those of the site
// file's contract. A line "# env NAME=value" at the top of a file sets a variable.
// PORTERO_UPDATE=1 writes the expected files anew: read the difference before you keep it.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "conf/load.hpp"
#include "conf/schema.hpp"
#include "dump.hpp"

namespace portero::conf {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Variables environment_of(const std::string& text) {
  Variables variables;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && line.starts_with("#");) {
    const std::size_t equals = line.find('=');
    if (line.starts_with("# env ") && equals != std::string::npos) {
      variables[line.substr(6, equals - 6)] = line.substr(equals + 1);
    }
  }
  return variables;
}

// Messages name the version, which changes.
std::string without_version(std::string text) {
  const std::string version = "(" + schema_version() + ")";
  for (std::size_t at = text.find(version); at != std::string::npos; at = text.find(version)) {
    text.replace(at, version.size(), "(VERSION)");
  }
  return text;
}

// Files that golden files refer to.
const std::map<std::string, std::string> companions = {
    {"/var/www/app/.env",
     "APP_NAME=Laravel\nREVERB_APP_ID=123456\nREVERB_APP_KEY=appkey\n"
     "REVERB_APP_SECRET=\"appsecret\"\n"},
    {"/etc/tls/c.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
    {"/etc/tls/c.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"},
};

std::string load_to_text(const std::string& name, const std::string& text) {
  std::map<std::string, std::string> files = companions;
  files[name] = text;
  const MemoryFiles memory(std::move(files));
  const LoadResult result = load_config(name, {environment_of(text), &memory});
  std::string out;
  for (const Problem& problem : result.errors) out += format_problem(problem) + "\n";
  for (const Problem& problem : result.warnings) {
    out += "warning: " + format_problem(problem) + "\n";
  }
  CHECK(result.errors.empty() == (result.config != nullptr));
  if (result.config != nullptr) out += "--- config\n" + dump(*result.config);
  return without_version(out);
}

}  // namespace

TEST_CASE("golden: every file gives exactly the expected problems and configuration") {
  const fs::path folder = fs::path(PORTERO_SOURCE_DIR) / "tests/unit/conf/golden";
  const bool update = std::getenv("PORTERO_UPDATE") != nullptr;
  std::size_t count = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    CAPTURE(entry.path().filename().string());
    const std::string actual =
        load_to_text(entry.path().filename().string(), read_text(entry.path()));
    fs::path expected = entry.path();
    expected.replace_extension(".expected");
    if (update) std::ofstream(expected, std::ios::binary) << actual;
    CHECK(actual == read_text(expected));
  }
  CHECK(count >= 30);
}

}  // namespace portero::conf
