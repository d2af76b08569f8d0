// Regular expressions whose cost grows with the text alone, whatever the pattern: RE2's.
// Thread: immutable; any. Limits: memory_max of RE2's states, groups_max groups are given.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace portero {

class Regexp {
 public:
  static constexpr std::size_t groups_max = 10;  // the whole match, and nine
  using Groups = std::array<std::string_view, groups_max>;

  explicit Regexp(std::string_view pattern);
  Regexp(Regexp&&) noexcept;
  Regexp& operator=(Regexp&&) noexcept;
  ~Regexp();

  // Why the pattern is none, for people; "" when it is one.
  const std::string& error() const noexcept;
  const std::string& pattern() const noexcept;

  // Looks for the first match anywhere in `subject` and fills `groups` with what it consists of;
  // views into `subject`. A pattern that is none matches nothing.
  bool search(std::string_view subject, Groups& groups) const;
  // Every match replaced by `to`, in which "$1" is a group, "$0" the match and "$$" a dollar.
  std::string replace_all(std::string_view subject, std::string_view to) const;

 private:
  bool search_from(std::size_t start, std::string_view subject, Groups& groups) const;

  std::unique_ptr<const re2::RE2> compiled_;
};

}  // namespace portero
