// What connections give their exchanges to: the worker's current snapshot, then the access log.
// Thread: the worker.
#pragma once

#include <memory>

#include "http/handler.hpp"

namespace portero {

class Worker;

// Serves the sites of the configuration.
std::unique_ptr<http::Service> make_site_service(Worker& worker);
// Serves hub.listen: the hub's WebSockets and HTTP API, whatever the Host.
std::unique_ptr<http::Service> make_hub_service(Worker& worker);

}  // namespace portero
