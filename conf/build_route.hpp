// Builds the parts of a route: what it matches, changes and does.
// Thread: any; belongs to one load.
#pragma once

#include "conf/build.hpp"

namespace portero::conf {

struct RoutePlace {
  BuildContext& context;
  const FileScope& scope;
};

// Builds the keys that sites and routes share. `hub` is not looked at when the map is a site's.
Route build_route(const RoutePlace& place, const Node& map, const KeyPath& path, bool is_site);

HubRef build_hub_use(const RoutePlace& place, const Node& node, const KeyPath& path);

// Fills what a route leaves open with what stands around it: `headers` and `headers_up` are
// merged, `strip_prefix` and `rewrite` taken over when the route has none of its own.
void inherit(const Route& outer, Route& route);

// Gives a route's inner ones what stands around them.
void pass_on(Route& route);

// Checks that PEM files can be read and hold what they should ("CERTIFICATE", "PRIVATE KEY").
// Gives the path as it is to be opened; "" when the key is absent.
std::string build_pem_file(const RoutePlace& place, const Node& map, std::string_view key,
                           std::string_view label, const KeyPath& path);

}  // namespace portero::conf
