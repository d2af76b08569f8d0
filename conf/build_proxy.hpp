// Builds `proxy`: servers, how one is chosen and watched, and what they are told.
// Thread: any; belongs to one load.
#pragma once

#include "conf/build_route.hpp"

namespace portero::conf {

// `node`: an address, a list of them, or the map.
Proxy build_proxy(const RoutePlace& place, const Node& node, const KeyPath& path);

void build_queue(const Node& node, Queue& queue);

}  // namespace portero::conf
