// What Prometheus reads: counters of the workers, the hub and the certificates, as text.
// Thread: control. Source: Prometheus text format 0.0.4.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "acme/service.hpp"
#include "generation.hpp"
#include "status.hpp"

namespace portero {

// `standings`: of the names that public authorities are asked for.
std::string metrics_text(const StatusInput& input, const std::vector<acme::Standing>& standings,
                         std::time_t now);

}  // namespace portero
