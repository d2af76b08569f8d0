// Server: the process. Starts the workers, loads and adopts configurations, keeps certificates,
// ticket keys and names fresh, answers the admin socket, drains and stops.
// Thread: control (the one that calls run()).
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace portero {

// Runs until TERM, INT or `portero stop`. Returns the process's exit status: 0 after an orderly
// end, 1 when it could not start (the reason is on stderr).
int run_server(const std::string& config_path);

}  // namespace portero
