#include "hub/api_connections.hpp"

#include <fmt/format.h>

namespace portero::hub {

Task<ApiAnswer> get_connections(HubShard& shard, std::string_view app_id) {
  const std::size_t count = co_await shard.connections(std::string(app_id));
  ApiAnswer answer;
  answer.body = fmt::format("{{\"connections\":{}}}", count);
  co_return answer;
}

Task<ApiAnswer> post_terminate_user(HubShard& shard, std::string_view app_id,
                                    std::string_view user_id) {
  static_cast<void>(co_await shard.terminate_user(std::string(app_id), std::string(user_id)));
  co_return ApiAnswer{};
}

}  // namespace portero::hub
