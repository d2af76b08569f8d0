// What `portero certs` prints: each name, who issued for it, until when, what comes next and what
// went wrong.
// Thread: control; the text form any (pure).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/service.hpp"
#include "generation.hpp"

namespace portero {

// The answer of the admin socket, as JSON.
std::string certificates_json(const std::vector<acme::Standing>& standings,
                              const Generation& generation);
// The same for people.
std::string certificates_text(std::string_view json);

}  // namespace portero
