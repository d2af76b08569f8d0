// PORTERO_ASSERT: states an invariant that no peer and no configuration can break. It stays on in
// release builds: a broken invariant ends the process with a message and systemd starts it again.
// Thread: any. Never use it on input from the network.
#pragma once

namespace portero {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace portero

#define PORTERO_ASSERT(expression)         \
  (static_cast<bool>(expression) ? void(0) \
                                 : ::portero::assertion_failed(#expression, __FILE__, __LINE__))
