// Loads a site file from memory: YAML, dotenv, ${…}, merge keys, the schema, everything up to the
// Config. The input may hold further files, each after a line "%% NAME".

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "conf/load.hpp"

namespace {

std::map<std::string, std::string> split_files(std::string_view input) {
  constexpr std::string_view mark = "\n%% ";
  std::map<std::string, std::string> files;
  std::string name = "portero.yaml";
  while (true) {
    const std::size_t end = input.find(mark);
    files[name] = std::string(input.substr(0, end));
    if (end == std::string_view::npos) return files;
    input.remove_prefix(end + mark.size());
    const std::size_t line = input.find('\n');
    name = std::string(input.substr(0, line));
    input.remove_prefix(line == std::string_view::npos ? input.size() : line + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portero::conf;
  const MemoryFiles files(split_files({reinterpret_cast<const char*>(data), size}));
  const LoadResult result =
      load_config("portero.yaml", {{{"A", "a"}, {"EMPTY", ""}, {"PORT", "8080"}}, &files});
  PORTERO_ASSERT((result.config != nullptr) == result.errors.empty());
  for (const Problem& problem : result.errors) PORTERO_ASSERT(!format_problem(problem).empty());
  for (const Problem& problem : result.warnings) PORTERO_ASSERT(!format_problem(problem).empty());
  return 0;
}
