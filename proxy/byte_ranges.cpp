#include "proxy/byte_ranges.hpp"

#include <algorithm>
#include <optional>

#include "base/bytes.hpp"

namespace portero::proxy {

ByteRanges::ByteRanges(std::string_view field, std::uint64_t size) noexcept {
  const std::size_t equals = field.find('=');
  if (equals == std::string_view::npos || !iequals(trim_ows(field.substr(0, equals)), "bytes")) {
    return;
  }
  std::string_view list = field.substr(equals + 1);
  std::size_t named = 0;
  for (bool more = true; more;) {
    const std::size_t comma = list.find(',');
    const std::string_view text = trim_ows(list.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) list.remove_prefix(comma + 1);
    if (text.empty()) continue;
    if (++named > ranges_max) return;
    if (add(text, size)) continue;
    count_ = 0;
    break;
  }
  std::uint64_t sum = 0;  // no overflow: at most ranges_max times `size`, which is a file's
  for (const ByteRange& range : ranges()) sum += range.count;
  if (count_ > 1 && sum > size) return;
  answer_ = count_ == 0 ? Answer::unsatisfiable : Answer::parts;
}

// "500-999", "500-", "-500". Returns false for what is none.
bool ByteRanges::add(std::string_view text, std::uint64_t size) noexcept {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return false;
  const std::string_view from = text.substr(0, dash);
  const std::string_view to = text.substr(dash + 1);
  const std::optional<std::uint64_t> first = parse_decimal(from);
  const std::optional<std::uint64_t> last = parse_decimal(to);
  if ((!from.empty() && !first) || (!to.empty() && !last) || (!first && !last)) return false;
  if (first && last && *last < *first) return false;
  ByteRange range;
  if (!first) {
    range.count = std::min(*last, size);
    range.first = size - range.count;
  } else if (*first < size) {
    range.first = *first;
    range.count = (last ? std::min(*last, size - 1) : size - 1) - *first + 1;
  }
  if (range.count != 0) ranges_[count_++] = range;
  return true;
}

}  // namespace portero::proxy
