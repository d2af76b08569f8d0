#include "proxy/file_conditions.hpp"

#include <array>
#include <optional>

#include "base/bytes.hpp"
#include "http/date.hpp"

namespace portero::proxy {
namespace {

enum Condition : std::uint8_t { match, none_match, modified, unmodified, if_range, range_, count_ };

constexpr std::array<std::string_view, count_> names = {
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"};

using Values = std::array<std::optional<std::string_view>, count_>;

Values collect(const http::HeaderList& fields) noexcept {
  Values values;
  for (const http::Field& field : fields) {
    const char first = field.name.empty() ? '\0' : ascii_lower(field.name.front());
    if (field.id != http::FieldId::other || (first != 'i' && first != 'r')) continue;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!values[i] && iequals(field.name, names[i])) values[i] = field.value;
    }
  }
  return values;
}

// Whether a list of tags holds `etag`. Commas may stand inside a tag, so it is taken tag by tag.
bool lists_tag(std::string_view list, std::string_view etag, bool weak_too) noexcept {
  while (!list.empty()) {
    const std::size_t at = list.find_first_not_of(" \t,");
    if (at == std::string_view::npos) return false;
    list.remove_prefix(at);
    if (list.front() == '*') return true;
    const bool is_weak = list.starts_with("W/");
    if (is_weak) list.remove_prefix(2);
    if (!list.starts_with('"')) return false;
    const std::size_t end = list.find('"', 1);
    if (end == std::string_view::npos) return false;
    if ((weak_too || !is_weak) && list.substr(0, end + 1) == etag) return true;
    list.remove_prefix(end + 1);
  }
  return false;
}

bool is_current(std::string_view if_range, const Validators& file) noexcept {
  if (if_range.starts_with('"')) return if_range == file.etag;
  const std::optional<std::int64_t> date = http::parse_http_date(if_range);
  return date && *date == file.modified_s;
}

}  // namespace

FileConditions::FileConditions(const http::Request& request, const Validators& file) noexcept {
  const Values values = collect(request.headers);
  const auto date_of = [&](Condition which) -> std::optional<std::int64_t> {
    return values[which] ? http::parse_http_date(*values[which]) : std::nullopt;
  };
  if (values[match]) {
    if (!lists_tag(*values[match], file.etag, false)) status = 412;
  } else if (const std::optional<std::int64_t> date = date_of(unmodified)) {
    if (file.modified_s > *date) status = 412;
  }
  if (status != 200) return;
  if (values[none_match]) {
    if (lists_tag(*values[none_match], file.etag, true)) status = 304;
  } else if (const std::optional<std::int64_t> date = date_of(modified)) {
    if (file.modified_s <= *date) status = 304;
  }
  if (status != 200 || !values[range_] || request.method != http::Method::get) return;
  if (!values[if_range] || is_current(*values[if_range], file)) range = *values[range_];
}

}  // namespace portero::proxy
