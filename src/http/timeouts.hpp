// How long a client may take for each phase of its connection.
// Thread: immutable while connections use it.
#pragma once

#include "base/clock.hpp"

namespace portero::http {

struct Timeouts {
  Milliseconds header{60'000};  // from the first byte of a request to the end of its head
  Milliseconds body{60'000};    // without progress
  Milliseconds idle{300'000};   // between requests
  Milliseconds write{60'000};   // without progress
};

}  // namespace portero::http
