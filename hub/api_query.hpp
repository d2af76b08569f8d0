// The query of an API request. Parameters are decoded once; what is signed and what is acted on
// are the same values.
// Pure. Thread: any. The views point into the query or the arena.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/arena.hpp"

namespace portero::hub {

struct QueryParameter {
  std::string_view name;  // lower case, without the "[]" of an array
  std::string_view value;
};

constexpr std::size_t query_parameters_max = 32;

class ApiQuery {
 public:
  // Decodes %xx and "+", lower-cases the names, sorts by name and joins the values of an array
  // ("info[]=a&info[]=b", also "info=a&info=b") by commas.
  // Errors: nullopt for more than query_parameters_max, a bad escape, and a control byte or "&"
  // that comes out of an escape (the text that is signed could then be read in two ways).
  static std::optional<ApiQuery> parse(std::string_view query, Arena& arena);

  std::span<const QueryParameter> all() const noexcept { return parameters_; }
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  // "" when absent.
  std::string_view value(std::string_view name) const noexcept { return find(name).value_or(""); }

 private:
  std::span<QueryParameter> parameters_;  // in the arena
};

// Decodes %xx, and "+" as a space if asked. Errors: nullopt for a bad escape.
std::optional<std::string_view> decode_component(std::string_view text, bool plus_is_space,
                                                 Arena& arena);

}  // namespace portero::hub
