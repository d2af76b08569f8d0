#include "hub/origin.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace portero::hub {

OriginRule::OriginRule(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (pattern == "*") accepts_all_ = true;
    patterns_.push_back(to_lower(pattern));
  }
}

bool OriginRule::accepts(std::string_view origin) const {
  if (accepts_all_) return true;
  const std::string host = to_lower(origin_host(origin));
  if (host.empty()) return false;
  return std::any_of(patterns_.begin(), patterns_.end(), [&host](const std::string& pattern) {
    return matches_wildcard(pattern, host);
  });
}

std::string_view origin_host(std::string_view origin) noexcept {
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos) return {};  // "null", or not an origin
  std::string_view host = origin.substr(scheme_end + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (!host.empty() && host.front() == '[') {  // an IPv6 address keeps its brackets
    return host.substr(0, host.find(']') + 1);
  }
  return host.substr(0, host.find(':'));
}

bool matches_wildcard(std::string_view pattern, std::string_view text) noexcept {
  std::size_t at = 0;
  std::size_t in = 0;
  std::size_t star = std::string_view::npos;  // the last "*", and how much it has swallowed
  std::size_t swallowed = 0;
  while (in < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      swallowed = in;
    } else if (at < pattern.size() && pattern[at] == text[in]) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++swallowed;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace portero::hub
