// The query of an API request and its path: never over a bound, never two readings of one text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "hub/api_query.hpp"
#include "hub/api_route.hpp"

using namespace portero;

namespace {

void check_query(std::string_view text) {
  Arena arena;
  const std::optional<hub::ApiQuery> query = hub::ApiQuery::parse(text, arena);
  if (!query) return;
  PORTERO_ASSERT(query->all().size() <= hub::query_parameters_max);
  std::size_t size = 0;
  std::string_view before;
  for (const hub::QueryParameter& parameter : query->all()) {
    PORTERO_ASSERT(size == 0 || before < parameter.name);
    PORTERO_ASSERT(parameter.value.find_first_of("&\n\r") == std::string_view::npos);
    PORTERO_ASSERT(parameter.name.find_first_of("&\n\r") == std::string_view::npos);
    PORTERO_ASSERT(query->value(parameter.name) == parameter.value);
    before = parameter.name;
    size += parameter.name.size() + parameter.value.size() + 1;
  }
  PORTERO_ASSERT(size <= text.size() + 1);
}

void check_route(std::string_view text) {
  Arena arena;
  const std::optional<hub::ApiRoute> route = hub::parse_api_route(text, arena);
  if (!route) return;
  PORTERO_ASSERT(text.ends_with(route->path));
  PORTERO_ASSERT(route->resource == hub::ApiResource::up || !route->app_id.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_query(text);
  check_route(text);
  return 0;
}
