// Patterns against subjects, compared with the obvious recursive definition, and values of queries
// and cookies. Input: pattern, newline, subject.
#include <cstdlib>
#include <string_view>
#include <vector>

#include "http/header_list.hpp"
#include "proxy/matchers.hpp"
#include "proxy/request_values.hpp"

using namespace portero;

namespace {

// Dynamic programming over both texts: slow, and hard to get wrong.
bool matches_slowly(std::string_view pattern, std::string_view subject) {
  std::vector<bool> reachable(subject.size() + 1, false);
  reachable[0] = true;
  for (const char p : pattern) {
    std::vector<bool> next(subject.size() + 1, false);
    bool any = false;
    for (std::size_t i = 0; i <= subject.size(); ++i) {
      any = any || reachable[i];
      if (p == '*') {
        next[i] = any;
      } else if (i > 0 && reachable[i - 1] && subject[i - 1] == p) {
        next[i] = true;
      }
    }
    reachable = next;
  }
  return reachable[subject.size()];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size > 512) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos) return 0;
  const std::string_view pattern = input.substr(0, line_end);
  const std::string_view subject = input.substr(line_end + 1);
  if (proxy::Pattern(pattern).matches(subject) != matches_slowly(pattern, subject)) std::abort();

  const auto value = proxy::query_value(subject, pattern);
  if (value && !proxy::form_equals(*value, proxy::decode_form(*value))) std::abort();
  Arena arena;
  http::HeaderList headers(arena);
  headers.add("Cookie", subject);
  (void)proxy::cookie_value(headers, pattern);
  return 0;
}
