#include "hub/api_query.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace portero::hub {
namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_ambiguous(std::string_view decoded) noexcept {
  return std::any_of(decoded.begin(), decoded.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '&';
  });
}

std::string_view parameter_name(std::string_view decoded, Arena& arena) {
  if (decoded.ends_with(']')) decoded = decoded.substr(0, decoded.find('['));
  const bool has_upper =
      std::any_of(decoded.begin(), decoded.end(), [](char c) { return ascii_lower(c) != c; });
  if (!has_upper) return decoded;
  char* const lower = arena.allocate_array<char>(decoded.size());
  std::transform(decoded.begin(), decoded.end(), lower, ascii_lower);
  return {lower, decoded.size()};
}

std::optional<QueryParameter> parse_parameter(std::string_view text, Arena& arena) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const auto name = decode_component(text.substr(0, equals), true, arena);
  const auto value = decode_component(text.substr(std::min(equals + 1, text.size())), true, arena);
  if (!name || !value || is_ambiguous(*name) || is_ambiguous(*value)) return std::nullopt;
  return QueryParameter{parameter_name(*name, arena), *value};
}

// Joins neighbours of one name by commas; returns how many are left.
std::size_t join_arrays(std::span<QueryParameter> sorted, Arena& arena) {
  std::size_t kept = 0;
  for (const QueryParameter& parameter : sorted) {
    if (kept > 0 && sorted[kept - 1].name == parameter.name) {
      sorted[kept - 1].value = arena.concat(sorted[kept - 1].value, ",", parameter.value);
    } else {
      sorted[kept++] = parameter;
    }
  }
  return kept;
}

}  // namespace

std::optional<ApiQuery> ApiQuery::parse(std::string_view query, Arena& arena) {
  const auto separators = static_cast<std::size_t>(std::count(query.begin(), query.end(), '&'));
  if (separators >= query_parameters_max) return std::nullopt;

  auto* const parameters = arena.allocate_array<QueryParameter>(separators + 1);
  std::size_t count = 0;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view text = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (text.empty()) continue;
    const std::optional<QueryParameter> parameter = parse_parameter(text, arena);
    if (!parameter) return std::nullopt;
    parameters[count++] = *parameter;
  }

  const std::span<QueryParameter> sorted(parameters, count);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  ApiQuery result;
  result.parameters_ = sorted.first(join_arrays(sorted, arena));
  return result;
}

std::optional<std::string_view> ApiQuery::find(std::string_view name) const noexcept {
  for (const QueryParameter& parameter : parameters_) {
    if (parameter.name == name) return parameter.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> decode_component(std::string_view text, bool plus_is_space,
                                                 Arena& arena) {
  if (text.find('%') == std::string_view::npos &&
      (!plus_is_space || text.find('+') == std::string_view::npos)) {
    return text;
  }
  char* const decoded = arena.allocate_array<char>(text.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded[size++] = ' ';
    } else if (text[i] != '%') {
      decoded[size++] = text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded[size++] = static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return std::string_view(decoded, size);
}

}  // namespace portero::hub
