#include "conf/schema.hpp"

#include <algorithm>
#include <array>

#include "conf/schema_objects.hpp"

namespace portero::conf {
namespace {

using namespace objects;

// In the order of the reference page.
constexpr std::array<const Object*, 43> objects_in_order = {&root,
                                                            &site,
                                                            &route,
                                                            &match,
                                                            &proxy,
                                                            &proxy_timeouts,
                                                            &proxy_tls,
                                                            &respond,
                                                            &redirect,
                                                            &headers,
                                                            &tls,
                                                            &access_log,
                                                            &hub,
                                                            &hub_app,
                                                            &hub_limits,
                                                            &presence,
                                                            &log,
                                                            &timeouts,
                                                            &php,
                                                            &php_timeouts,
                                                            &files,
                                                            &encode,
                                                            &basic_auth,
                                                            &forward_auth,
                                                            &limits,
                                                            &error_page,
                                                            &maintenance,
                                                            &health,
                                                            &passive_health,
                                                            &queue,
                                                            &retries,
                                                            &replacement,
                                                            &client_auth,
                                                            &roll,
                                                            &cache,
                                                            &history,
                                                            &webhook,
                                                            &acme,
                                                            &issuer,
                                                            &external_account,
                                                            &dns,
                                                            &on_demand,
                                                            &certificate_events};

bool reaches(const Object& from, const Object& target, unsigned depth);

bool value_reaches(const Value& value, const Object& target, unsigned depth) {
  if (value.object != nullptr &&
      (value.object == &target || reaches(*value.object, target, depth))) {
    return true;
  }
  return value.entries != nullptr && value_reaches(*value.entries, target, depth);
}

// Whether available keys lead from one object to another. Depth is bounded: routes hold routes.
bool reaches(const Object& from, const Object& target, unsigned depth) {
  constexpr unsigned depth_max = 6;
  if (depth == depth_max) return false;
  return std::any_of(from.keys.begin(), from.keys.end(), [&](const Key& key) {
    return key.available && value_reaches(key.value, target, depth + 1);
  });
}

}  // namespace

const Object& root_object() { return root; }

std::span<const Object* const> all_objects() { return objects_in_order; }

bool is_available(const Object& object) { return &object == &root || reaches(root, object, 0); }

std::string schema_version() {
  const std::string_view full = PORTERO_VERSION;
  return std::string(full.substr(0, full.find('.', full.find('.') + 1)));
}

}  // namespace portero::conf
