// Decides whether a client may shake hands at all, before anything costly is done for it.
// Thread: the worker's. Owner: the worker.
#pragma once

#include <string_view>

#include "base/ip_address.hpp"

namespace portero::net {

class HandshakeGuard {
 public:
  virtual ~HandshakeGuard() = default;
  // `name` is lower case; "" when the client asks for none.
  virtual bool admits(std::string_view name, const IpAddress& client) noexcept = 0;
};

}  // namespace portero::net
