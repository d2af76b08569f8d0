#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace portero {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "portero: broken invariant at %s:%d: %s\n", file, line, expression);
  std::abort();
}

}  // namespace portero
