#include "base/result.hpp"

#include "base/assert.hpp"

namespace portero {

void throw_exception_from_error(const Error& error, const boost::source_location& at) {
  assertion_failed(error.info().text.data(), at.file_name(), static_cast<int>(at.line()));
}

}  // namespace portero
