#include "base/regexp.hpp"

#include <algorithm>

#include <re2/re2.h>

namespace portero {
namespace {

constexpr std::int64_t memory_max = 1 << 20;

re2::RE2::Options quiet_options() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(memory_max);
  return options;
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

// "$1" is a group, "$$" a dollar; any other dollar stands for itself.
void append_replacement(std::string_view to, const Regexp::Groups& groups, std::string& out) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    const char next = to[i] == '$' && i + 1 < to.size() ? to[i + 1] : '\0';
    if (next >= '0' && next <= '9') {
      out += groups[static_cast<std::size_t>(next - '0')];
      ++i;
    } else {
      if (next == '$') ++i;
      out += to[i];
    }
  }
}

}  // namespace

Regexp::Regexp(std::string_view pattern)
    : compiled_(std::make_unique<const re2::RE2>(piece(pattern), quiet_options())) {}
Regexp::Regexp(Regexp&&) noexcept = default;
Regexp& Regexp::operator=(Regexp&&) noexcept = default;
Regexp::~Regexp() = default;

const std::string& Regexp::error() const noexcept { return compiled_->error(); }
const std::string& Regexp::pattern() const noexcept { return compiled_->pattern(); }

bool Regexp::search(std::string_view subject, Groups& groups) const {
  return search_from(0, subject, groups);
}

// What stands before `start` is seen by "^" and "\b", but is no part of a match.
bool Regexp::search_from(std::size_t start, std::string_view subject, Groups& groups) const {
  if (!compiled_->ok()) return false;
  std::array<re2::StringPiece, groups_max> found;
  const int count = std::min<int>(1 + compiled_->NumberOfCapturingGroups(), groups_max);
  const bool matches = compiled_->Match(piece(subject), start, subject.size(), re2::RE2::UNANCHORED,
                                        found.data(), count);
  if (!matches) return false;
  for (std::size_t i = 0; i < groups_max; ++i) groups[i] = {found[i].data(), found[i].size()};
  return true;
}

std::string Regexp::replace_all(std::string_view subject, std::string_view to) const {
  std::string out;
  Groups groups;
  std::size_t start = 0;
  while (start <= subject.size() && search_from(start, subject, groups)) {
    const auto at = static_cast<std::size_t>(groups[0].data() - subject.data());
    out += subject.substr(start, at - start);
    append_replacement(to, groups, out);
    start = at + groups[0].size();
    if (!groups[0].empty()) continue;
    // An empty match would be found again at the same place.
    out += subject.substr(start, 1);
    ++start;
  }
  return start < subject.size() ? out.append(subject.substr(start)) : out;
}

}  // namespace portero
