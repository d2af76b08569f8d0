// Judges what only the whole configuration shows: names and ports that collide, applications that
// are not there, routes that no request reaches.
// Thread: any; belongs to one load.
#pragma once

#include "conf/build.hpp"

namespace portero::conf {

// Errors: two sites of one name, two ids or keys of one application, a port that would be plain
// HTTP and TLS at once or the hub's, an unknown application. Warnings: a route behind one that
// takes everything, nothing to serve.
void validate(BuildContext& context);

}  // namespace portero::conf
