// Builds what stands before and around a route's action: who may pass (`allow`, `deny`,
// `maintenance`, `basic_auth`, `forward_auth`), how often (`limits`), and the pages for errors.
// Thread: any; belongs to one load.
#pragma once

#include "conf/build_route.hpp"

namespace portero::conf {

void build_guards(const RoutePlace& place, const Node& map, const KeyPath& path, Route& route);

// Gives a route the guards of what stands around it, where it has none of its own.
void inherit_guards(const Route& outer, Route& route);

// Limits that count before a route is known: `connections` and `handshakes` of a site.
void build_site_limits(const RoutePlace& place, const Node& map, const KeyPath& path, Site& site);

// A number is a status; any other text, and a number in quotes, the body. `status`: that of the
// answer when the file says none.
Respond build_respond(const Node& node, int status);

}  // namespace portero::conf
